//! Which content an object had when it was seen.

use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

/// What tells the contents of one key apart: two of one version are the same, as far as a store
/// says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ObjectVersion {
    /// The entity tag as the store gives it, quotes included; empty if it gives none.
    pub etag: String,
    pub size: u64,
}

/// A version where only equality is asked for: eight bytes instead of a hundred, and a thousand
/// archives remember one of every `backup.info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionDigest(u64);

impl ObjectVersion {
    pub fn new(etag: impl Into<String>, size: u64) -> Self {
        Self { etag: etag.into(), size }
    }

    /// `None` without an entity tag, as a size alone tells nothing apart.
    pub fn digest(&self) -> Option<VersionDigest> {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        (!self.etag.is_empty()).then(|| VersionDigest(hasher.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_tags_and_sizes_apart_and_needs_a_tag() {
        let digest = |etag: &str, size| ObjectVersion::new(etag, size).digest();
        assert_eq!(digest("\"a\"", 1), digest("\"a\"", 1));
        assert_ne!(digest("\"a\"", 1), digest("\"b\"", 1));
        assert_ne!(digest("\"a\"", 1), digest("\"a\"", 2));
        assert_eq!(digest("", 1), None);
    }
}
