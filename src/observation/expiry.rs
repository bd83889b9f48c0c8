//! Rules of a bucket by which the store deletes objects.

/// Deletes objects of a certain age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiryRule {
    /// As its owner calls it; empty if nobody named it.
    pub id: String,
    /// Of keys that begin so.
    pub prefix: String,
    pub days: u32,
}

impl ExpiryRule {
    /// Whether it may delete objects below a folder, such as `prefix/server/`.
    pub fn touches(&self, folder: &str) -> bool {
        folder.starts_with(&self.prefix) || self.prefix.starts_with(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_touches_what_is_below_and_above_its_prefix() {
        let rule =
            |prefix: &str| ExpiryRule { id: String::new(), prefix: prefix.to_owned(), days: 7 };
        for prefix in ["", "cnpg", "cnpg/main/", "cnpg/main/wals/"] {
            assert!(rule(prefix).touches("cnpg/main/"), "{prefix}");
        }
        for prefix in ["cnpg/other/", "logs", "cnpg/main2/"] {
            assert!(!rule(prefix).touches("cnpg/main/"), "{prefix}");
        }
    }
}
