//! Makes a page of an answer to `ListObjectsV2`, or an error: never less than the store listed.

use chrono::DateTime;
use chrono::Utc;
use percent_encoding::percent_decode_str;

use crate::domain::moment::in_calendar;
use crate::domain::object_version::ObjectVersion;
use crate::domain::storage_class::StorageClass;
use crate::observation::inventory::ListedObject;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::object_store::ListPage;
use crate::sources::store::s3::xml::Document;
use crate::sources::store::s3::xml::XmlError;

/// The elements of an answer that are read, at whatever place (S3 API reference, `ListObjectsV2`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    CommonPrefixes,
    Contents,
    ETag,
    EncodingType,
    IsTruncated,
    Key,
    KeyCount,
    LastModified,
    Name,
    NextContinuationToken,
    Prefix,
    RestoreExpiryDate,
    RestoreStatus,
    Size,
    StorageClass,
    Other,
}

/// What an answer shows so far. Its elements come in any order.
#[derive(Debug, Default)]
struct Answer {
    has_name: bool,
    is_truncated: Option<bool>,
    key_count: Option<i64>,
    continuation: Option<String>,
    /// How it writes its keys.
    is_url_encoded: bool,
    objects: Vec<ListedObject>,
    folders: Vec<String>,
}

/// The bytes of a good answer, as a page.
pub(super) fn page(bytes: &[u8]) -> Result<ListPage, StoreError> {
    let mut document = Document::open(bytes, "ListBucketResult")?;
    let mut answer = Answer::default();
    while let Some(element) = document.child(Element::of)? {
        match element {
            Element::Name => {
                document.text()?;
                answer.has_name = true;
            }
            Element::IsTruncated => {
                answer.is_truncated = Some(parse(&document.text()?, "whether it is whole")?);
            }
            Element::KeyCount => {
                answer.key_count = Some(parse(&document.text()?, "how many keys it shows")?);
            }
            Element::NextContinuationToken => {
                answer.continuation = Some(document.text()?.into_owned());
            }
            Element::EncodingType => answer.is_url_encoded = document.text()? == "url",
            Element::Contents => answer.objects.push(object(&mut document)?),
            Element::CommonPrefixes => answer.folders.push(folder(&mut document)?),
            Element::ETag
            | Element::Key
            | Element::LastModified
            | Element::Prefix
            | Element::RestoreExpiryDate
            | Element::RestoreStatus
            | Element::Size
            | Element::StorageClass
            | Element::Other => document.skip()?,
        }
    }
    document.finish()?;
    answer.page()
}

/// Whether a server answers a good request with an error, as Amazon's may late in its work.
pub(super) fn is_error(bytes: &[u8]) -> bool {
    Document::open(bytes, "Error").is_ok()
}

impl Answer {
    fn page(mut self) -> Result<ListPage, StoreError> {
        if !self.has_name {
            return Err(malformed("the listing names no bucket"));
        }
        let is_truncated = self
            .is_truncated
            .ok_or_else(|| malformed("the listing does not say whether it is complete"))?;
        let shown = self.objects.len().saturating_add(self.folders.len());
        // Older servers do not count folders, so only fewer than announced is wrong.
        if self.key_count.is_some_and(|count| usize::try_from(count).is_ok_and(|it| shown < it)) {
            return Err(malformed("the listing shows fewer keys than it counts"));
        }
        let continuation = self.continuation.filter(|_| is_truncated);
        if is_truncated && continuation.is_none() {
            return Err(if self.key_count.is_none() {
                let detail = "the listing continues but does not say where, as of a store that knows \
                              only version 1 of ListObjects; barman-cloud sees its first 1,000 keys \
                              there and no more";
                StoreError::new(StoreErrorKind::OtherListing, detail)
            } else {
                malformed("the listing continues but does not say where")
            });
        }
        if self.is_url_encoded {
            let keys = self.objects.iter_mut().map(|object| &mut object.key);
            keys.chain(&mut self.folders).for_each(decode_url);
        }
        Ok(ListPage { objects: self.objects, folders: self.folders, continuation })
    }
}

fn object(document: &mut Document<'_>) -> Result<ListedObject, StoreError> {
    let (mut key, mut size, mut uploaded_at, mut etag) = (None, None, None, String::new());
    let (mut class, mut is_thawed) = (StorageClass::Standard, false);
    while let Some(element) = document.child(Element::of)? {
        match element {
            Element::Key => key = Some(document.text()?.into_owned()),
            Element::Size => size = document.text()?.parse().ok(),
            Element::LastModified => uploaded_at = time(&document.text()?),
            Element::ETag => etag = document.text()?.into_owned(),
            Element::RestoreStatus => is_thawed = has_expiry(document)?,
            Element::StorageClass => class = StorageClass::parse(&document.text()?),
            Element::CommonPrefixes
            | Element::Contents
            | Element::EncodingType
            | Element::IsTruncated
            | Element::KeyCount
            | Element::Name
            | Element::NextContinuationToken
            | Element::Prefix
            | Element::RestoreExpiryDate
            | Element::Other => document.skip()?,
        }
    }
    let key = key.ok_or_else(|| malformed("the listing shows an object without a key"))?;
    let (Some(size), Some(uploaded_at)) = (size, uploaded_at) else {
        return Err(malformed(&format!("the listing shows no size or no time of `{key}`")));
    };
    if is_thawed {
        class = StorageClass::Infrequent;
    }
    Ok(ListedObject { key, version: ObjectVersion::new(etag, size), uploaded_at, class })
}

/// Whether a thawed copy is there. While it is made, no time is told until which it stays; once that
/// has passed, Amazon tells nothing of it any more.
fn has_expiry(document: &mut Document<'_>) -> Result<bool, StoreError> {
    let mut has_expiry = false;
    while let Some(element) = document.child(Element::of)? {
        has_expiry |= element == Element::RestoreExpiryDate;
        document.skip()?;
    }
    Ok(has_expiry)
}

fn folder(document: &mut Document<'_>) -> Result<String, StoreError> {
    let mut prefix = None;
    while let Some(element) = document.child(Element::of)? {
        if element == Element::Prefix {
            prefix = Some(document.text()?.into_owned());
        } else {
            document.skip()?;
        }
    }
    prefix.ok_or_else(|| malformed("the listing shows a folder without a name"))
}

impl Element {
    fn of(name: &[u8]) -> Self {
        match name {
            b"CommonPrefixes" => Self::CommonPrefixes,
            b"Contents" => Self::Contents,
            b"ETag" => Self::ETag,
            b"EncodingType" => Self::EncodingType,
            b"IsTruncated" => Self::IsTruncated,
            b"Key" => Self::Key,
            b"KeyCount" => Self::KeyCount,
            b"LastModified" => Self::LastModified,
            b"Name" => Self::Name,
            b"NextContinuationToken" => Self::NextContinuationToken,
            b"Prefix" => Self::Prefix,
            b"RestoreExpiryDate" => Self::RestoreExpiryDate,
            b"RestoreStatus" => Self::RestoreStatus,
            b"Size" => Self::Size,
            b"StorageClass" => Self::StorageClass,
            _ => Self::Other,
        }
    }
}

/// Amazon encodes as forms do, a space as `+` (and a plus as `%2B`).
fn decode_url(text: &mut String) {
    if text.contains(['%', '+']) {
        *text = percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    }
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().and_then(|time| in_calendar(time.to_utc()))
}

fn parse<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| malformed(&format!("the listing does not say {what}")))
}

fn malformed(detail: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Malformed, detail)
}

impl From<XmlError> for StoreError {
    fn from(error: XmlError) -> Self {
        malformed(&error.to_string())
    }
}

#[cfg(test)]
mod tests;
