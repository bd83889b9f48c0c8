//! One page of a listing, in O(log n + page): ranges of the tree, never a scan.
//!
//! Continuation tokens are opaque to clients and hold characters that must be encoded in a query.

use std::collections::btree_map::Range;
use std::ops::Bound;

use crate::s3::store::Object;
use crate::s3::store::Objects;
use crate::s3::store::hex;

/// What a client asked for, decoded.
pub(super) struct Query<'a> {
    pub(super) prefix: &'a str,
    pub(super) delimiter: Option<&'a str>,
    pub(super) position: Position,
    pub(super) limit: usize,
}

/// Where a page starts.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Position {
    Start,
    AfterKey(String),
    /// After every key below a common prefix.
    AfterPrefix(String),
}

pub(super) enum Entry {
    Key(String, Object),
    CommonPrefix(String),
}

pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    /// Where the next page starts, if something is left.
    pub(super) next: Option<Position>,
}

pub(super) fn list(objects: &Objects, query: Query<'_>) -> Page {
    let mut entries = Vec::new();
    let mut last = None;
    let mut rest = range_from(objects, query.prefix, &query.position);
    while let Some((key, object)) = rest.as_mut().and_then(Iterator::next)
        && key.starts_with(query.prefix)
    {
        if entries.len() == query.limit {
            return Page { entries, next: last };
        }
        let position = match common_prefix(key, query.prefix, query.delimiter) {
            None => {
                entries.push(Entry::Key(key.clone(), object.clone()));
                Position::AfterKey(key.clone())
            }
            Some(common) => {
                entries.push(Entry::CommonPrefix(common.to_owned()));
                let position = Position::AfterPrefix(common.to_owned());
                rest = range_from(objects, query.prefix, &position);
                position
            }
        };
        last = Some(position);
    }
    Page { entries, next: None }
}

fn range_from<'a>(
    objects: &'a Objects,
    prefix: &str,
    position: &Position,
) -> Option<Range<'a, String, Object>> {
    let past;
    let start = match position {
        Position::AfterKey(key) if prefix <= key.as_str() => Bound::Excluded(key.as_str()),
        Position::Start | Position::AfterKey(_) => Bound::Included(prefix),
        Position::AfterPrefix(common) => {
            past = past_prefix(common)?;
            Bound::Included(past.as_str())
        }
    };
    Some(objects.range::<str, _>((start, Bound::Unbounded)))
}

/// The smallest string after all strings with this prefix, if there is one.
fn past_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

fn common_prefix<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter?;
    let (head, _) = key.strip_prefix(prefix)?.split_once(delimiter)?;
    key.get(..prefix.len() + head.len() + delimiter.len())
}

impl Position {
    pub(super) fn to_token(&self) -> String {
        match self {
            Self::Start => String::new(),
            Self::AfterKey(key) => format!("1k+/{}=", hex(key.as_bytes())),
            Self::AfterPrefix(prefix) => format!("1p+/{}=", hex(prefix.as_bytes())),
        }
    }

    pub(super) fn from_token(token: &str) -> Option<Self> {
        let digits = token.get(4..)?.strip_suffix('=')?;
        let pairs = digits.as_bytes().chunks(2);
        let bytes = pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
        let text = String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()?;
        match token.get(..4)? {
            "1k+/" => Some(Self::AfterKey(text)),
            "1p+/" => Some(Self::AfterPrefix(text)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::DateTime;

    use super::*;
    use crate::s3::store::Content;

    fn pages(
        objects: &Objects,
        prefix: &str,
        delimiter: Option<&str>,
        limit: usize,
    ) -> Vec<String> {
        let mut found = Vec::new();
        let mut position = Position::Start;
        loop {
            let page = list(objects, Query { prefix, delimiter, position, limit });
            assert!(page.entries.len() <= limit);
            found.extend(page.entries.into_iter().map(|entry| match entry {
                Entry::Key(key, _) => key,
                Entry::CommonPrefix(common) => common,
            }));
            let Some(next) = page.next else { return found };
            position = Position::from_token(&next.to_token()).unwrap();
            assert_eq!(position, next);
        }
    }

    #[test]
    fn pages_of_any_size_agree_with_a_plain_scan() {
        let keys = ["a", "a/", "a/b", "a/b/c", "a/é", "a0", "b//", "b//c", "é/x", "é/\u{10ffff}/y"];
        let epoch = DateTime::UNIX_EPOCH;
        let object = Object { content: Content::Synthetic { size: 1 }, last_modified: epoch };
        let objects: Objects = keys.iter().map(|&key| (key.to_owned(), object.clone())).collect();
        for prefix in ["", "a", "a/", "b/", "é/", "z"] {
            for delimiter in [None, Some("/"), Some("//"), Some("b")] {
                let expected: BTreeSet<&str> = objects
                    .keys()
                    .filter(|key| key.starts_with(prefix))
                    .map(|key| common_prefix(key, prefix, delimiter).unwrap_or(key))
                    .collect();
                for limit in 1..=11 {
                    let found = pages(&objects, prefix, delimiter, limit);
                    assert!(
                        found.iter().eq(&expected),
                        "{prefix:?} {delimiter:?} {limit}: {found:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_token_that_was_not_issued_is_refused() {
        for token in ["", "x", "1k+/zz=", "1k+/61", "2k+/61=", "1k+/ff="] {
            assert_eq!(Position::from_token(token), None, "{token:?}");
        }
    }
}
