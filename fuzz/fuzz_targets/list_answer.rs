//! A listing that was read is read again when it is written out, and not if it is cut off.
#![no_main]

use std::fmt::Write;

use chrono::Datelike;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind;
use cnpg_backup_verifier::sources::store::object_store::ListPage;
use cnpg_backup_verifier::sources::store::s3::page;
use libfuzzer_sys::fuzz_target;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;

fuzz_target!(|bytes: &[u8]| {
    let read = match page(bytes) {
        Ok(read) => read,
        Err(error) => {
            let kinds = [StoreErrorKind::Malformed, StoreErrorKind::OtherListing];
            return assert!(kinds.contains(&error.kind), "{error}");
        }
    };
    assert!(read.objects.iter().all(|it| (1..=9999).contains(&it.uploaded_at.year())));
    let written = write(&read);
    let again = page(written.as_bytes()).unwrap();
    assert_eq!(again.objects, read.objects, "{written}");
    assert_eq!((again.folders, again.continuation), (read.folders, read.continuation), "{written}");
    let whole = written.len();
    for cut in [whole / 3, whole / 2, whole - "</ListBucketResult>".len(), whole - 1] {
        assert!(page(&written.as_bytes()[..cut]).is_err(), "{cut}: {written}");
    }
});

/// As Amazon would write it, in another order.
fn write(page: &ListPage) -> String {
    let mut xml = "<ListBucketResult><EncodingType>url</EncodingType><Name/>".to_owned();
    for object in &page.objects {
        let (key, etag) = (url(&object.key), escaped(&object.version.etag));
        let (size, time) = (object.version.size, object.uploaded_at.to_rfc3339());
        write!(xml, "<Contents><ETag>{etag}</ETag><Size>{size}</Size>").unwrap();
        write!(xml, "<LastModified>{time}</LastModified><Key>{key}</Key></Contents>").unwrap();
    }
    for folder in &page.folders {
        write!(xml, "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", url(folder)).unwrap();
    }
    if let Some(token) = &page.continuation {
        let token = escaped(token);
        write!(xml, "<NextContinuationToken>{token}</NextContinuationToken>").unwrap();
    }
    let is_truncated = page.continuation.is_some();
    write!(xml, "<IsTruncated>{is_truncated}</IsTruncated></ListBucketResult>").unwrap();
    xml
}

fn url(key: &str) -> String {
    utf8_percent_encode(key, NON_ALPHANUMERIC).to_string()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
