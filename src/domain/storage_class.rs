//! Whether what is stored can be read at once, and at what price.

/// What matters of the storage class of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StorageClass {
    #[default]
    Standard,
    /// It is read at once, and each read is billed.
    Infrequent,
    /// It is read at once, unless nobody has read it for months and the store has moved it to an archive
    /// tier, which a listing does not tell.
    Tiered,
    /// It is not read before it is thawed, which takes hours (`InvalidObjectState`).
    Frozen,
}

impl StorageClass {
    /// As listings of S3 and R2 name it.
    pub fn parse(name: &str) -> Self {
        match name {
            "GLACIER" | "DEEP_ARCHIVE" => Self::Frozen,
            "INTELLIGENT_TIERING" => Self::Tiered,
            "STANDARD_IA" | "ONEZONE_IA" | "GLACIER_IR" => Self::Infrequent,
            _ => Self::Standard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_be_thawed_is_frozen() {
        for (name, class) in [
            ("STANDARD", StorageClass::Standard),
            ("INTELLIGENT_TIERING", StorageClass::Tiered),
            ("", StorageClass::Standard),
            ("STANDARD_IA", StorageClass::Infrequent),
            ("GLACIER_IR", StorageClass::Infrequent),
            ("GLACIER", StorageClass::Frozen),
            ("DEEP_ARCHIVE", StorageClass::Frozen),
        ] {
            assert_eq!(StorageClass::parse(name), class, "{name}");
        }
    }
}
