//! What differs between PostgreSQL's major versions, as far as the log can be read without it.
//!
//! Nothing else does from 13 to 19: page and record headers keep their layout.

/// How one major version marks the pages it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    pub major: u16,
    /// `XLOG_PAGE_MAGIC` in `xlog_internal.h`.
    pub magic: u16,
    /// `XLP_FIRST_IS_OVERWRITE_CONTRECORD`.
    pub(super) overwrite_flag: u16,
    /// `XLP_ALL_FLAGS`.
    pub(super) known_flags: u16,
}

/// Magics: `xlog_internal.h` of each release; 19 as pgBackRest's `version.vendor.h` has it.
const VERSIONS: [Version; 7] = [
    up_to_18(13, 0xD106),
    up_to_18(14, 0xD10D),
    up_to_18(15, 0xD110),
    up_to_18(16, 0xD113),
    up_to_18(17, 0xD116),
    up_to_18(18, 0xD118),
    // 19 dropped `XLP_BKP_REMOVABLE` (0x4) and moved the overwrite flag into its place.
    Version { major: 19, magic: 0xD121, overwrite_flag: 0x4, known_flags: 0x7 },
];

impl Version {
    pub fn of_magic(magic: u16) -> Option<Self> {
        VERSIONS.into_iter().find(|version| version.magic == magic)
    }

    pub fn of_major(major: u16) -> Option<Self> {
        VERSIONS.into_iter().find(|version| version.major == major)
    }
}

const fn up_to_18(major: u16, magic: u16) -> Version {
    Version { major, magic, overwrite_flag: 0x8, known_flags: 0xF }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_found_by_magic_and_by_major() {
        for version in VERSIONS {
            assert_eq!(Version::of_magic(version.magic), Some(version));
            assert_eq!(Version::of_major(version.major), Some(version));
            assert_eq!(version.known_flags & version.overwrite_flag, version.overwrite_flag);
        }
    }

    #[test]
    fn twelve_is_too_old() {
        assert_eq!(Version::of_magic(0xD101), None);
    }
}
