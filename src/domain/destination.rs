//! Addresses of archives as people write them: `s3://bucket/prefix/`, `file:///directory`.

use url::Url;

use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::StoreAddress;
use crate::domain::format::Flaw;
use crate::domain::format::Format;
use crate::domain::format::REGION;

/// Where the folders of servers lie: Barman's `destination_path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    S3 {
        bucket: String,
        prefix: String,
    },
    /// An absolute path, taken as it is: no `%20` for a space.
    Directory(String),
}

/// How an S3 store is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pub endpoint_url: Option<String>,
    pub region: Option<String>,
}

pub const DESTINATION: Format<Destination> = Format {
    expected: "s3://BUCKET/PREFIX/ or file:///DIRECTORY",
    parse: |text| Destination::parse(text).ok_or_else(|| flaw_of_address(text)),
};

/// The destination and the name of the server's folder in it.
pub const ARCHIVE: Format<(Destination, String)> = Format {
    expected: "s3://BUCKET/PREFIX/SERVER_NAME or file:///DIRECTORY/SERVER_NAME",
    parse: |text| archive(text).ok_or_else(|| flaw_of_address(text)),
};

pub const ENDPOINT_URL: Format<String> = Format {
    expected: "an http or https address without user, password and query, \
               such as https://s3.example.com",
    parse: |text| {
        let url = Url::parse(text).map_err(|_| flaw_of_address(text))?;
        let is_bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let is_http = ["http", "https"].contains(&url.scheme()) && url.has_host();
        // The text as written, since Url would add a slash: equal stores must compare equal.
        (is_bare && is_http)
            .then(|| text.trim_end_matches('/').to_owned())
            .ok_or_else(|| flaw_of_address(text))
    },
};

impl Destination {
    fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("file://") {
            return is_plain_path(path).then(|| Self::Directory(without_slashes_at_end(path)));
        }
        let (bucket, prefix) = {
            // `urlparse` knows schemes in any case.
            let (scheme, path) = text.split_once("://")?;
            scheme.eq_ignore_ascii_case("s3").then_some(())?;
            path.split_once('/').unwrap_or((path, ""))
        };
        let prefix = without_last_slash(prefix.trim_start_matches('/'));
        // barman-cloud takes ? and # as the end of the path (`urlparse` in `CloudInterface`).
        let is_path = !prefix.contains(['?', '#']) && !prefix.contains(char::is_control);
        (is_bucket(bucket) && is_path)
            .then(|| Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    pub fn is_directory(&self) -> bool {
        matches!(self, Self::Directory(_))
    }

    pub fn archive_address(self, server_name: String, access: Access) -> ArchiveAddress {
        let (store, prefix) = match self {
            Self::Directory(path) => (StoreAddress::Directory(path), String::new()),
            Self::S3 { bucket, prefix } => {
                let region = access.region.unwrap_or_else(|| "auto".to_owned());
                let endpoint_url = access.endpoint_url;
                (StoreAddress::S3 { bucket, endpoint_url, region }, prefix)
            }
        };
        ArchiveAddress { store, prefix, server_name }
    }
}

/// What an `ObjectStore` declares, as far as it leads to an archive that can be read.
#[derive(Clone, Copy, Debug)]
pub struct Declared<'a> {
    pub destination_path: &'a str,
    pub endpoint_url: Option<&'a str>,
    pub region: Option<&'a str>,
    /// Empty where the files lie directly below the destination.
    pub server_name: &'a str,
}

/// Why a declared destination cannot be read. Shows no text that may hold a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: expected {expected}, found {found}")]
pub struct DestinationError {
    what: &'static str,
    expected: &'static str,
    found: String,
}

/// Where a cluster's archive lies.
///
/// Only S3: a directory of the cluster's nodes is none of ours.
pub fn declared_address(declared: Declared<'_>) -> Result<ArchiveAddress, DestinationError> {
    let Declared { destination_path, endpoint_url, region, server_name } = declared;
    let destination = parse_declared("destinationPath", destination_path, &S3_DESTINATION)?;
    let endpoint_url =
        endpoint_url.map(|url| parse_declared("endpointURL", url, &ENDPOINT_URL)).transpose()?;
    let region = region.map(|it| parse_declared("region", it, &REGION)).transpose()?;
    // barman-cloud joins as `os.path.join`, where an absolute part drops all before it.
    if server_name.starts_with('/') || server_name.chars().any(char::is_control) {
        let expected = "the name of a folder";
        let found = format!("{server_name:?}");
        return Err(DestinationError { what: "serverName", expected, found });
    }
    Ok(destination.archive_address(server_name.to_owned(), Access { endpoint_url, region }))
}

fn parse_declared<T>(
    what: &'static str,
    text: &str,
    format: &Format<T>,
) -> Result<T, DestinationError> {
    (format.parse)(text).map_err(|flaw| {
        let found = match flaw {
            Flaw::Mismatch => format!("{text:?}"),
            Flaw::Because(found) => found,
        };
        DestinationError { what, expected: format.expected, found }
    })
}

const S3_DESTINATION: Format<Destination> = Format {
    expected: "s3://BUCKET/PREFIX/",
    parse: |text| {
        let destination = (DESTINATION.parse)(text)?;
        if destination.is_directory() { Err(Flaw::Mismatch) } else { Ok(destination) }
    },
};

fn archive(text: &str) -> Option<(Destination, String)> {
    // A whole bucket is no archive, mostly; what lies there is told.
    if let Some(Destination::S3 { bucket, prefix }) = Destination::parse(text)
        && prefix.is_empty()
    {
        return Some((Destination::S3 { bucket, prefix }, String::new()));
    }
    let (rest, server_name) = text.trim_end_matches('/').rsplit_once('/')?;
    let is_folder = !["", ".", ".."].contains(&server_name)
        && !server_name.contains(['?', '#'])
        && !server_name.contains(char::is_control);
    // With the slash, so that file:///main is the folder "main" of the root.
    let destination = Destination::parse(&format!("{rest}/"))?;
    is_folder.then(|| (destination, server_name.to_owned()))
}

/// barman-cloud drops all slashes in front, and joins the rest to the server's name as
/// `os.path.join` does: behind `x//` comes no slash, so what ends in two of them is another folder
/// (`CloudInterface` in `barman/cloud.py`).
fn without_last_slash(prefix: &str) -> &str {
    if prefix.ends_with("//") { prefix } else { prefix.trim_end_matches('/') }
}

fn is_plain_path(path: &str) -> bool {
    path.starts_with('/') && !path.contains(char::is_control)
}

fn without_slashes_at_end(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() }
}

/// Wider than Amazon's rule, since other stores have other rules.
fn is_bucket(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// A user, a password or a signature may be in the text; then it is not shown.
fn flaw_of_address(text: &str) -> Flaw {
    if text.contains(['@', '?', '#']) {
        Flaw::Because("an address that may hold credentials, not shown".to_owned())
    } else {
        Flaw::Mismatch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads<T>(format: &Format<T>, text: &str) -> Option<T> {
        (format.parse)(text).ok()
    }

    fn s3(bucket: &str, prefix: &str) -> Destination {
        Destination::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() }
    }

    #[test]
    fn destinations_are_buckets_or_directories() {
        for (text, expected) in [
            ("s3://cnpg/", s3("cnpg", "")),
            ("s3://cnpg", s3("cnpg", "")),
            ("s3://cnpg//a/b//", s3("cnpg", "a/b//")),
            ("file:///mnt/copy/", Destination::Directory("/mnt/copy".to_owned())),
            ("file:///", Destination::Directory("/".to_owned())),
        ] {
            assert_eq!(reads(&DESTINATION, text), Some(expected), "{text}");
        }
        for wrong in [
            "",
            "cnpg",
            "s3://",
            "s3:///a",
            "https://cnpg/a",
            "file://a/b",
            "s3://a b/",
            "s3://user:secret@cnpg/",
            "s3://cnpg/a?b",
        ] {
            assert_eq!(reads(&DESTINATION, wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn slashes_are_kept_as_barman_keeps_them() {
        let folder = |text| {
            let (destination, server_name) = reads(&ARCHIVE, text).unwrap();
            destination.archive_address(server_name, Access::default()).folder().as_str().to_owned()
        };
        for (text, expected) in [
            ("s3://b/x/main", "x/main/"),
            ("s3://b//x/main", "x/main/"),
            ("s3://b/x//main", "x//main/"),
            ("S3://b/x//y//main", "x//y//main/"),
        ] {
            assert_eq!(folder(text), expected, "{text}");
        }
        let declared = Declared {
            destination_path: "S3://b/x//",
            endpoint_url: None,
            region: None,
            server_name: "main",
        };
        let address = declared_address(declared).unwrap();
        assert_eq!(address.folder().as_str(), "x//main/");
        assert_eq!(address.to_string(), "s3://b/x//main");
    }

    #[test]
    fn the_last_part_of_an_archive_is_the_server_name() {
        for (text, destination, server_name) in [
            ("s3://cnpg/main", s3("cnpg", ""), "main"),
            ("s3://cnpg", s3("cnpg", ""), ""),
            ("s3://cnpg/", s3("cnpg", ""), ""),
            ("s3://cnpg/a/b/main/", s3("cnpg", "a/b"), "main"),
            ("file:///mnt/copy/main", Destination::Directory("/mnt/copy".to_owned()), "main"),
            ("file:///main", Destination::Directory("/".to_owned()), "main"),
        ] {
            let expected = (destination, server_name.to_owned());
            assert_eq!(reads(&ARCHIVE, text), Some(expected), "{text}");
        }
        for wrong in ["", "main", "s3://", "file:///", "file://main", "s3://cnpg/.."] {
            assert_eq!(reads(&ARCHIVE, wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn endpoints_are_http_without_credentials() {
        let endpoint = |text: &str| reads(&ENDPOINT_URL, text);
        assert_eq!(endpoint("http://127.0.0.1:9000/").as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(endpoint("https://a.example").as_deref(), Some("https://a.example"));
        for wrong in [
            "",
            "127.0.0.1:9000",
            "ftp://a",
            "http://",
            "http://key@a",
            "http://k:s@a",
            "http://a?X-Amz-Signature=1",
        ] {
            assert_eq!(endpoint(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_declared_store_is_s3_or_says_why_not() {
        let declared = |destination_path, server_name| Declared {
            destination_path,
            endpoint_url: Some("https://s3.example.com/"),
            region: Some("eu-central-1"),
            server_name,
        };
        let address = declared_address(declared("s3://cnpg//a/", "main")).unwrap();
        assert_eq!(address.to_string(), "s3://cnpg/a/main");
        let address = declared_address(declared("s3://cnpg/a", "")).unwrap();
        assert_eq!(address.folder().wals(), "a/wals/");
        let address = declared_address(declared("s3://cnpg", "")).unwrap();
        assert_eq!(address.folder().wals(), "wals/");
        for (destination_path, server_name) in [
            ("file:///mnt", "main"),
            ("https://account.blob.core.windows.net/container/", "main"),
            ("gs://bucket", "main"),
            ("s3://cnpg", "/main"),
        ] {
            let error = declared_address(declared(destination_path, server_name)).unwrap_err();
            assert!(error.to_string().contains("expected"), "{error}");
        }
        let signed =
            Declared { endpoint_url: Some("http://a?sig=hunter2"), ..declared("s3://a", "") };
        assert!(!declared_address(signed).unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn what_may_be_a_credential_is_not_shown() {
        for text in ["http://key:secret@a", "http://a?X-Amz-Signature=secret"] {
            let Err(Flaw::Because(found)) = (ENDPOINT_URL.parse)(text) else { panic!("{text}") };
            assert!(!found.contains("secret"), "{found}");
        }
    }
}
