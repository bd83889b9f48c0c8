//! Makes a page of an answer to `ListObjectsV2`, or an error: never less than the store listed.
//!
//! The SDK takes XML that ends early, or is broken in the middle, for a shorter list.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::DateTime as SdkDateTime;
use aws_sdk_s3::types::EncodingType;
use aws_sdk_s3::types::Object;
use chrono::DateTime;
use chrono::Utc;
use percent_encoding::percent_decode_str;

use crate::domain::moment::in_calendar;
use crate::domain::object_version::ObjectVersion;
use crate::observation::inventory::ListedObject;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::object_store::ListPage;

/// How an answer writes its keys.
type Decode = fn(String) -> String;

pub(super) fn page(answer: ListObjectsV2Output) -> Result<ListPage, StoreError> {
    if answer.name().is_none() {
        return Err(malformed("the listing names no bucket"));
    }
    let is_truncated = answer
        .is_truncated()
        .ok_or_else(|| malformed("the listing does not say if it is whole"))?;
    let shown = answer.contents().len().saturating_add(answer.common_prefixes().len());
    // Older servers do not count folders, so only fewer than announced is wrong.
    if answer.key_count().is_some_and(|count| usize::try_from(count).is_ok_and(|it| shown < it)) {
        return Err(malformed("the listing shows fewer keys than it counts"));
    }
    let continuation = answer.next_continuation_token.filter(|_| is_truncated);
    if is_truncated && continuation.is_none() {
        return Err(malformed("the listing goes on and does not say where"));
    }
    let decode: Decode = match answer.encoding_type {
        Some(EncodingType::Url) => decode_url,
        _ => |key| key,
    };
    let folders = answer.common_prefixes.unwrap_or_default();
    let folders = folders.into_iter().map(|folder| match folder.prefix {
        Some(prefix) => Ok(decode(prefix)),
        None => Err(malformed("the listing shows a folder without a name")),
    });
    let objects = answer.contents.unwrap_or_default();
    let objects = objects.into_iter().map(|object| listed(object, decode));
    let (folders, objects) =
        (folders.collect::<Result<_, _>>()?, objects.collect::<Result<_, _>>()?);
    Ok(ListPage { objects, folders, continuation })
}

fn listed(object: Object, decode: Decode) -> Result<ListedObject, StoreError> {
    let key = object.key.map(decode);
    let key = key.ok_or_else(|| malformed("the listing shows an object without a key"))?;
    let size = object.size.and_then(|size| u64::try_from(size).ok());
    let uploaded_at = object.last_modified.as_ref().and_then(time);
    let (Some(size), Some(uploaded_at)) = (size, uploaded_at) else {
        return Err(malformed(&format!("the listing shows no size or no time of `{key}`")));
    };
    let version = ObjectVersion::new(object.e_tag.unwrap_or_default(), size);
    Ok(ListedObject { key, version, uploaded_at })
}

/// Amazon encodes as forms do, a space as `+` (and a plus as `%2B`).
fn decode_url(text: String) -> String {
    if !text.contains(['%', '+']) {
        return text;
    }
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

pub(super) fn time(time: &SdkDateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.secs(), time.subsec_nanos()).and_then(in_calendar)
}

fn malformed(detail: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Malformed, detail)
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::list_objects_v2::builders::ListObjectsV2OutputBuilder;
    use aws_sdk_s3::types::CommonPrefix;

    use super::*;

    fn answer() -> ListObjectsV2OutputBuilder {
        let object = Object::builder().key("a").size(1).last_modified(SdkDateTime::from_secs(60));
        let folder = CommonPrefix::builder().prefix("b/");
        ListObjectsV2Output::builder()
            .name("bucket")
            .is_truncated(false)
            .key_count(2)
            .contents(object.build())
            .common_prefixes(folder.build())
    }

    #[test]
    fn a_whole_answer_is_a_page() {
        let found = page(answer().build()).unwrap();
        assert_eq!(found.objects[0].uploaded_at, DateTime::from_timestamp(60, 0).unwrap());
        assert_eq!((found.objects[0].key.as_str(), found.objects[0].version.size), ("a", 1));
        assert_eq!((found.folders, found.continuation), (vec!["b/".to_owned()], None));
    }

    #[test]
    fn less_than_the_store_listed_is_an_error() {
        let check = |answer: ListObjectsV2OutputBuilder, expected| {
            let error = page(answer.build()).unwrap_err();
            assert_eq!(error, StoreError::new(StoreErrorKind::Malformed, expected));
        };
        check(answer().set_name(None), "the listing names no bucket");
        check(answer().set_is_truncated(None), "the listing does not say if it is whole");
        check(answer().key_count(3), "the listing shows fewer keys than it counts");
        check(answer().is_truncated(true), "the listing goes on and does not say where");
        let nameless = Object::builder().size(1).build();
        check(answer().contents(nameless), "the listing shows an object without a key");
        let sizeless = Object::builder().key("c").build();
        check(answer().contents(sizeless), "the listing shows no size or no time of `c`");
        let nameless = CommonPrefix::builder().build();
        check(answer().common_prefixes(nameless), "the listing shows a folder without a name");
    }

    #[test]
    fn keys_are_decoded_only_where_the_answer_says_so() {
        let key_of = |answer: ListObjectsV2OutputBuilder| {
            let object = Object::builder().key("a%2Bb+%25/%0A%C3%A9").size(1);
            let object = object.last_modified(SdkDateTime::from_secs(60)).build();
            let answer = answer.set_contents(None).contents(object);
            page(answer.build()).unwrap().objects.remove(0).key
        };
        assert_eq!(key_of(answer()), "a%2Bb+%25/%0A%C3%A9");
        assert_eq!(key_of(answer().encoding_type(EncodingType::Url)), "a+b %/\n\u{e9}");
        assert_eq!(decode_url("%FF".to_owned()), "\u{fffd}");
    }
}
