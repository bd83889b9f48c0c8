//! `ListObjectsV2`: from the request to a page and back to its answer.

use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use s3s::S3Result;
use s3s::dto::CommonPrefix;
use s3s::dto::ETag;
use s3s::dto::EncodingType;
use s3s::dto::ListObjectsV2Input;
use s3s::dto::ListObjectsV2Output;
use s3s::dto::Object as ListedObject;
use s3s::dto::ObjectStorageClass;
use s3s::s3_error;

use crate::s3::get_object::timestamp;
use crate::s3::listing;
use crate::s3::listing::Entry;
use crate::s3::listing::Position;
use crate::s3::listing::Query;
use crate::s3::store::Objects;

/// The most keys S3 puts on a page, whatever the client asks for.
const KEYS_PER_PAGE: usize = 1000;

/// Amazon encodes like a form, but keeps the slash: a space becomes `+`, a plus `%2B`.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/').remove(b' ');

pub(super) fn answer(
    objects: &Objects,
    input: ListObjectsV2Input,
) -> S3Result<ListObjectsV2Output> {
    let max_keys = input.max_keys.unwrap_or(1000);
    let limit = usize::try_from(max_keys)
        .map_err(|_| s3_error!(InvalidArgument, "max-keys must not be negative"))?
        .min(KEYS_PER_PAGE);
    let position = position(&input)?;
    let prefix = input.prefix.unwrap_or_default();
    let delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
    let query = Query { prefix: &prefix, delimiter: delimiter.as_deref(), position, limit };
    let page = listing::list(objects, query);

    let encodes =
        input.encoding_type.as_ref().is_some_and(|kind| kind.as_str() == EncodingType::URL);
    let encode = |text: String| if encodes { url_encode(&text) } else { text };
    let key_count = i32::try_from(page.entries.len()).expect("at most 1000");
    let mut contents = Vec::new();
    let mut common_prefixes = Vec::new();
    for entry in page.entries {
        match entry {
            Entry::CommonPrefix(prefix) => {
                common_prefixes.push(CommonPrefix { prefix: Some(encode(prefix)) });
            }
            Entry::Key(key, object) => contents.push(ListedObject {
                e_tag: Some(ETag::Strong(object.etag())),
                key: Some(encode(key)),
                last_modified: Some(timestamp(object.last_modified)),
                size: Some(i64::try_from(object.size()).expect("a size S3 allows")),
                storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                ..Default::default()
            }),
        }
    }
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(encode(prefix)),
        delimiter: delimiter.map(encode),
        max_keys: Some(i32::try_from(limit).expect("at most 1000")),
        key_count: Some(key_count),
        continuation_token: input.continuation_token,
        start_after: input.start_after.map(encode),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.map(|next| next.to_token()),
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        ..Default::default()
    })
}

/// A token wins over start-after, which clients repeat on every page.
fn position(input: &ListObjectsV2Input) -> S3Result<Position> {
    match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => Position::from_token(token).ok_or_else(|| {
            s3_error!(InvalidArgument, "The continuation token provided is incorrect")
        }),
        (None, Some(key)) => Ok(Position::AfterKey(key.clone())),
        (None, None) => Ok(Position::Start),
    }
}

fn url_encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string().replace(' ', "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_as_amazon_does() {
        assert_eq!(url_encode("test_photo(3).png"), "test_photo%283%29.png");
        assert_eq!(url_encode("a+b %/\né"), "a%2Bb+%25/%0A%C3%A9");
    }
}
