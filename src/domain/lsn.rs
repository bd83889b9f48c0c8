//! Positions in the write-ahead log. Knows nothing of files.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de;

/// A byte position in the write-ahead log; PostgreSQL's `XLogRecPtr`.
///
/// Prints as PostgreSQL prints it: two hexadecimal halves, `16/B374D848`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(u64);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an LSN like 16/B374D848")]
pub struct LsnError(pub String);

impl Lsn {
    pub const fn new(position: u64) -> Self {
        Self(position)
    }

    pub const fn value(self) -> u64 {
        self.0
    }

    /// The position `bytes` further on, or the last one that exists.
    pub const fn saturating_add(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }
}

impl FromStr for Lsn {
    type Err = LsnError;

    fn from_str(text: &str) -> Result<Self, LsnError> {
        let parsed = text.split_once('/').and_then(|(high, low)| {
            let half = |digits: &str| {
                let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                (is_hex && (1..=8).contains(&digits.len()))
                    .then(|| u64::from_str_radix(digits, 16).ok())
                    .flatten()
            };
            Some(Self(half(high)? << 32 | half(low)?))
        });
        parsed.ok_or_else(|| LsnError(text.to_owned()))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl fmt::Debug for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As it prints.
impl Serialize for Lsn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_that_is_no_lsn_is_refused() {
        for text in ["", "/", "1", "1/", "/1", "1/2/3", "x/1", "+1/2", "1/123456789", " 1/2"] {
            assert_eq!(text.parse::<Lsn>(), Err(LsnError(text.to_owned())), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn an_lsn_survives_print_and_parse(value: u64) {
            prop_assert_eq!(Lsn::new(value).to_string().parse(), Ok(Lsn::new(value)));
        }
    }
}
