//! All that a recovery needs in a Kubernetes that knows nothing of the source: `Secret`, `ObjectStore`
//! and `Cluster`.

use crate::assessment::Assessment;
use crate::assessment::plan::Restore;
use crate::domain::recovery_store::recovery_store;
use crate::publication::restore_plan::manifest;
use crate::publication::restore_plan::manifest::Filling;

/// The store of an archive that nobody named.
const STORE: &str = "recovered-archive";

const ADVICE: &str = "\
# Put the keys of a token that may read and write the bucket into the Secret: the new cluster
# archives there under a server name of its own. Then apply all of it in a namespace of your choice,
# with CloudNativePG and the Barman Cloud Plugin installed.
";

const GUESS: &str = "\
# The size of a volume was not known. The size below is four times what the base backup takes in
# the store, and at least 1 GiB.
";

/// `None` for a copy in a directory, which no cluster can read.
pub(super) fn render(assessment: &Assessment, restore: &Restore) -> Option<String> {
    let address = assessment.address.as_ref()?;
    let state = assessment.cluster.as_ref();
    let name = state.and_then(|state| state.object_store.as_deref()).unwrap_or(STORE);
    let namespace = &assessment.archive.namespace;
    let namespace = (!namespace.is_empty()).then_some(namespace.as_str());
    let (store, secret) = recovery_store(address, name, namespace)?;
    let filling = Filling::Bundle { store: name, size: guessed_size(restore.base_bytes) };
    let cluster = manifest::cluster(assessment, restore, filling);
    let guess = if cluster.has_guess { GUESS } else { "" };
    let (secret, store) = (manifest::yaml(&secret), manifest::yaml(&store));
    Some(format!("{ADVICE}{guess}{secret}---\n{store}---\n{}", cluster.text()))
}

const GIBIBYTE: u64 = 1 << 30;

/// Compression is rarely better than four to one for data directories.
fn guessed_size(base_bytes: u64) -> String {
    let gibibytes = base_bytes.saturating_mul(4).div_ceil(GIBIBYTE).max(1);
    format!("{gibibytes}Gi")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_that_nobody_knows_has_room_for_what_was_compressed() {
        for (bytes, size) in [(0, "1Gi"), (1, "1Gi"), (GIBIBYTE, "4Gi"), (GIBIBYTE + 1, "5Gi")] {
            assert_eq!(guessed_size(bytes), size);
        }
    }
}
