//! The compressions that barman-cloud writes, by the suffix they leave on a name.

/// How an object's content is stored (`ALLOWED_COMPRESSIONS` in `barman/cloud.py`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    None,
    Gzip,
    Bzip2,
    Xz,
    Snappy,
    Zstd,
    Lz4,
}

/// Which decoder reads bzip2: a fault of the fast one must never pass for a damaged backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bzip2 {
    /// `mibz2`, which is young. What it refuses goes to the other one.
    #[default]
    Fast,
    /// `libbz2-rs`, a port of bzip2's own library.
    Reference,
}

impl Bzip2 {
    pub const ALL: [Self; 2] = [Self::Fast, Self::Reference];

    /// The word in the configuration.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Reference => "reference",
        }
    }
}

impl Codec {
    /// Whether `barman-cloud-wal-restore` makes an empty file of an object without a byte, and says
    /// that all went well. The other decoders raise `EOFError`, and the file counts as missing
    /// (`barman/clients/cloud_compression.py`; seen for each).
    pub const fn delivers_nothing_as_empty(self) -> bool {
        match self {
            Self::None | Self::Gzip | Self::Snappy | Self::Zstd => true,
            Self::Bzip2 | Self::Lz4 | Self::Xz => false,
        }
    }

    /// Whether it hands out what there is of an object that was cut, and says that all went well. Of the
    /// others, the file counts as missing (seen for each, cut by a byte and in the middle).
    pub const fn delivers_cut_as_short(self) -> bool {
        match self {
            Self::None | Self::Snappy | Self::Zstd => true,
            Self::Gzip | Self::Bzip2 | Self::Lz4 | Self::Xz => false,
        }
    }

    pub const ALL: [Self; 7] =
        [Self::None, Self::Gzip, Self::Bzip2, Self::Xz, Self::Snappy, Self::Zstd, Self::Lz4];

    /// As people call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::None => "not compressed",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Snappy => "snappy",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
        }
    }

    pub const fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Bzip2 => ".bz2",
            Self::Xz => ".xz",
            Self::Snappy => ".snappy",
            Self::Zstd => ".zst",
            Self::Lz4 => ".lz4",
        }
    }

    /// Splits a file name into what was stored and how.
    pub fn split(name: &str) -> (&str, Self) {
        for codec in Self::ALL {
            if codec != Self::None
                && let Some(stem) = name.strip_suffix(codec.suffix())
            {
                return (stem, codec);
            }
        }
        (name, Self::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_is_taken_off_once() {
        assert_eq!(Codec::split("data.tar.bz2"), ("data.tar", Codec::Bzip2));
        assert_eq!(Codec::split("a.gz.zst"), ("a.gz", Codec::Zstd));
        assert_eq!(Codec::split("a.zstd"), ("a.zstd", Codec::None));
        assert_eq!(Codec::split(""), ("", Codec::None));
    }
}
