//! Which object stores may be asked at all.

use crate::config::reader::Section;
use crate::domain::archive_id::StoreAddress;
use crate::domain::endpoint::ALLOWED_ENDPOINT;
use crate::domain::endpoint::Endpoint;

/// Whoever may create a `Cluster` and an `ObjectStore` names an endpoint; this is who decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectStoresConfig {
    /// Empty means all.
    pub allowed: Vec<Endpoint>,
}

impl ObjectStoresConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut allowed = section.texts("allowed", &ALLOWED_ENDPOINT);
        allowed.sort();
        allowed.dedup();
        Self { allowed }
    }

    /// Whether the endpoints are named that may be asked, in place of any.
    pub const fn names_endpoints(&self) -> bool {
        !self.allowed.is_empty()
    }

    /// The endpoint of a store that may not be asked, and why.
    pub fn refusal(&self, store: &StoreAddress) -> Option<String> {
        if let StoreAddress::Directory(_) = store {
            return None;
        }
        let Some(endpoint) = Endpoint::of(store) else {
            return Some("its endpoint is not an http or https address".to_owned());
        };
        if endpoint.is_refused() {
            return Some(format!(
                "{endpoint} is link-local or a cloud's metadata service, not a \
                                 store"
            ));
        }
        let is_allowed = self.allowed.is_empty() || self.allowed.contains(&endpoint);
        (!is_allowed).then(|| format!("{endpoint} is not in object_stores.allowed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(endpoint_url: Option<&str>) -> StoreAddress {
        StoreAddress::S3 {
            bucket: "cnpg".to_owned(),
            endpoint_url: endpoint_url.map(str::to_owned),
            region: "auto".to_owned(),
        }
    }

    fn allowing(allowed: &[&str]) -> ObjectStoresConfig {
        let allowed = allowed.iter().filter_map(|it| (ALLOWED_ENDPOINT.parse)(it).ok());
        ObjectStoresConfig { allowed: allowed.collect() }
    }

    #[test]
    fn only_endpoints_of_the_list_may_be_asked() {
        let config = allowing(&["https://s3.example.com", "http://minio.storage.svc:9000"]);
        for allowed in ["https://s3.example.com/", "http://minio.storage.svc:9000"] {
            assert_eq!(config.refusal(&store(Some(allowed))), None, "{allowed}");
        }
        for (url, named) in [
            (Some("http://s3.example.com"), "http://s3.example.com"),
            (Some("https://minio.storage.svc:9000"), "https://minio.storage.svc:9000"),
            (Some("https://s3.example.com.evil.example"), "https://s3.example.com.evil.example"),
            (None, "https://s3.amazonaws.com"),
        ] {
            let expected = format!("{named} is not in object_stores.allowed");
            assert_eq!(config.refusal(&store(url)), Some(expected));
        }
        assert_eq!(config.refusal(&StoreAddress::Directory("/mnt".to_owned())), None);
        assert!(config.refusal(&store(Some("minio"))).is_some());
        assert_eq!(allowing(&["https://s3.amazonaws.com"]).refusal(&store(None)), None);
    }

    #[test]
    fn without_a_list_only_addresses_that_no_store_has_are_refused() {
        let config = allowing(&[]);
        for allowed in [None, Some("http://8.8.8.8"), Some("https://anything.example")] {
            assert_eq!(config.refusal(&store(allowed)), None);
        }
        let metadata = store(Some("http://0xA9FEA9FE"));
        let refusal = config.refusal(&metadata).unwrap_or_default();
        assert!(refusal.starts_with("http://169.254.169.254 is link-local"), "{refusal}");
    }
}
