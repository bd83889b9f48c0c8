//! Reads what an archive holds to its last byte, and adds what is wrong with it to an observation.
//!
//! No damage is told before the object was decoded a second time, by the reference decoder, and the
//! store has shown that these are the bytes that it holds.

mod backups;
mod progress;
mod sniff;
mod wal;

use std::sync::Arc;

use md5::Digest;
use md5::Md5;

use crate::domain::codec::Codec;
use crate::domain::depth::Depth;
use crate::domain::object_version::ObjectVersion;
use crate::observation::Observation;
use crate::observation::probe::SegmentDamage;
use crate::sources::archive::Collector;
use crate::sources::archive::verification::sniff::Sniffed;
use crate::sources::store::error::StoreError;

pub use crate::sources::archive::verification::progress::Mark;
pub use crate::sources::archive::verification::progress::Progress;
pub use crate::sources::archive::verification::wal::Log;
pub use crate::sources::archive::verification::wal::Run;
pub use crate::sources::archive::verification::wal::RunReport;
pub use crate::sources::archive::verification::wal::runs;

impl Collector {
    /// As thoroughly as that.
    pub async fn verify(&self, seen: &mut Observation, depth: Depth, progress: &Arc<Progress>) {
        if Depth::Wal <= depth {
            self.verify_wal(seen, progress).await;
        }
        if Depth::Full <= depth {
            self.verify_backups(seen, progress).await;
        }
    }

    /// What is wrong with a segment's object, if the store really holds it so; else why it is not known
    /// what the segment holds.
    pub(super) async fn confirmed(
        &self,
        key: &str,
        codec: Codec,
        damage: SegmentDamage,
    ) -> Result<Result<SegmentDamage, String>, StoreError> {
        if !self.is_stored_so(key).await? {
            return Ok(Err("the store does not return the same bytes twice".to_owned()));
        }
        Ok(match self.sniff(key).await? {
            Some(Sniffed::Encrypted(how)) => Err(format!("it is encrypted with {how}")),
            Some(Sniffed::Compressed(found)) if found != codec => {
                let (named, found) = (codec.label(), found.label());
                let why = format!("it is named as {named}, but its content begins as {found} does");
                Ok(SegmentDamage::Undecodable(why))
            }
            Some(Sniffed::Compressed(_)) | None => Ok(damage),
        })
    }

    /// Whether a store holds an object as it was read, and did not only answer badly: its entity tag is
    /// the digest of these bytes, or, where tags are no digests, reading again gives the same ones.
    async fn is_stored_so(&self, key: &str) -> Result<bool, StoreError> {
        let (first, version) = self.digest(key, None).await?;
        if is_tag_of(&first, &version) {
            return Ok(true);
        }
        let (second, _) = self.digest(key, Some(&version)).await?;
        Ok(first == second)
    }

    async fn digest(
        &self,
        key: &str,
        expected: Option<&ObjectVersion>,
    ) -> Result<(String, ObjectVersion), StoreError> {
        let mut body = self.store.open(key, 0, expected).await?;
        let version = body.version().clone();
        let mut digest = Md5::new();
        while let Some(chunk) = body.next().await? {
            digest.update(&chunk);
        }
        let hex = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((hex, version))
    }
}

fn is_tag_of(digest: &str, version: &ObjectVersion) -> bool {
    version.etag.trim_matches('"').eq_ignore_ascii_case(digest)
}
