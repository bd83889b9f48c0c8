//! What a request asks for, told from its method and URI alone, and how often that happened.

use std::collections::BTreeMap;

use http::Method;
use http::Uri;
use percent_encoding::percent_decode_str;

/// The operations tests distinguish; every other one is `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// `ListObjectsV2`.
    List,
    /// `GetObject`.
    Get,
    /// `HeadObject`.
    Head,
    HeadBucket,
    ListMultipartUploads,
    /// `GetBucketLifecycleConfiguration`.
    Lifecycle,
    Put,
    Delete,
    /// `DeleteObjects`.
    DeleteMany,
    /// The four calls that write an object in parts.
    Multipart,
    CreateBucket,
    Other,
}

impl Operation {
    pub(super) fn of(method: &Method, uri: &Uri) -> Self {
        let has = |name| query_names(uri).any(|found| found == name);
        let is_object = !key_of(uri).is_empty();
        match (method.as_str(), is_object) {
            ("GET", true) => Self::Get,
            ("GET", false) if has("list-type") => Self::List,
            ("GET", false) if has("uploads") => Self::ListMultipartUploads,
            ("GET", false) if has("lifecycle") => Self::Lifecycle,
            ("HEAD", true) => Self::Head,
            ("HEAD", false) => Self::HeadBucket,
            ("PUT" | "POST" | "DELETE", true) if has("uploads") || has("uploadId") => {
                Self::Multipart
            }
            ("PUT", true) => Self::Put,
            ("PUT", false) => Self::CreateBucket,
            ("DELETE", true) => Self::Delete,
            ("POST", false) if has("delete") => Self::DeleteMany,
            _ => Self::Other,
        }
    }

    /// Whether the operation changes a bucket.
    pub fn is_write(self) -> bool {
        match self {
            Self::List | Self::Get | Self::Head | Self::HeadBucket => false,
            Self::ListMultipartUploads | Self::Lifecycle | Self::Other => false,
            Self::Put | Self::Delete | Self::DeleteMany => true,
            Self::Multipart | Self::CreateBucket => true,
        }
    }
}

/// The key a URI addresses, decoded; empty for a bucket.
pub(super) fn key_of(uri: &Uri) -> String {
    let path = uri.path().trim_start_matches('/');
    let key = path.split_once('/').map_or("", |(_bucket, key)| key);
    percent_decode_str(key).decode_utf8_lossy().into_owned()
}

fn query_names(uri: &Uri) -> impl Iterator<Item = &str> {
    let pairs = uri.query().unwrap_or_default().split('&');
    pairs.map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
}

/// How many requests arrived, faulty and denied ones included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    by_operation: BTreeMap<Operation, u64>,
}

impl Requests {
    pub(super) fn count(&mut self, operation: Operation) {
        *self.by_operation.entry(operation).or_default() += 1;
    }

    /// The number of requests for this operation.
    pub fn of(&self, operation: Operation) -> u64 {
        self.by_operation.get(&operation).copied().unwrap_or_default()
    }

    /// The number of requests of any kind.
    pub fn total(&self) -> u64 {
        self.by_operation.values().sum()
    }

    /// The number of requests that would change a bucket.
    pub fn writes(&self) -> u64 {
        let writes = self.by_operation.iter().filter(|(operation, _)| operation.is_write());
        writes.map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_and_query_tell_the_operation() {
        let check = |method: Method, uri: &'static str, expected| {
            assert_eq!(Operation::of(&method, &Uri::from_static(uri)), expected, "{method} {uri}");
        };
        check(Method::GET, "/b?list-type=2&prefix=a%2F", Operation::List);
        check(Method::GET, "/b/?list-type=2", Operation::List);
        check(Method::GET, "/b?uploads", Operation::ListMultipartUploads);
        check(Method::GET, "/b/k?x-id=GetObject", Operation::Get);
        check(Method::HEAD, "/b/k", Operation::Head);
        check(Method::HEAD, "/b", Operation::HeadBucket);
        check(Method::PUT, "/b/k?partNumber=1&uploadId=1", Operation::Multipart);
        check(Method::POST, "/b/k?uploads", Operation::Multipart);
        check(Method::PUT, "/b/k", Operation::Put);
        check(Method::POST, "/b?delete", Operation::DeleteMany);
        check(Method::GET, "/", Operation::Other);
    }
}
