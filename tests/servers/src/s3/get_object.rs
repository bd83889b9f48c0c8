//! `GetObject` and `HeadObject`: conditions, ranges and bodies.

use std::io;
use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use chrono::DateTime;
use chrono::Utc;
use futures::stream;
use http::HeaderMap;
use http::HeaderValue;
use http::header::ETAG;
use s3s::S3Error;
use s3s::S3ErrorCode;
use s3s::S3Result;
use s3s::dto::ETag;
use s3s::dto::ETagCondition;
use s3s::dto::GetObjectInput;
use s3s::dto::GetObjectOutput;
use s3s::dto::HeadObjectInput;
use s3s::dto::HeadObjectOutput;
use s3s::dto::StreamingBlob;
use s3s::dto::Timestamp;
use s3s::s3_error;

use crate::s3::store::Content;
use crate::s3::store::Object;

const CONTENT_TYPE: &str = "binary/octet-stream";

/// What a synthetic object is sent in.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

pub(super) fn get(object: &Object, input: &GetObjectInput) -> S3Result<GetObjectOutput> {
    check_conditions(object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let size = object.size();
    let range = match &input.range {
        Some(range) => range.check(size)?,
        None => 0..size,
    };
    let content_range = input
        .range
        .is_some()
        .then(|| format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1)));
    Ok(GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: Some(length(range.end - range.start)),
        content_range,
        content_type: Some(CONTENT_TYPE.to_owned()),
        e_tag: Some(ETag::Strong(object.etag())),
        last_modified: Some(timestamp(object.last_modified)),
        body: Some(body(object, range)),
        ..Default::default()
    })
}

pub(super) fn head(object: &Object, input: &HeadObjectInput) -> S3Result<HeadObjectOutput> {
    check_conditions(object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
    Ok(HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: Some(length(object.size())),
        content_type: Some(CONTENT_TYPE.to_owned()),
        e_tag: Some(ETag::Strong(object.etag())),
        last_modified: Some(timestamp(object.last_modified)),
        ..Default::default()
    })
}

pub(super) fn timestamp(time: DateTime<Utc>) -> Timestamp {
    Timestamp::from(SystemTime::from(time))
}

fn check_conditions(
    object: &Object,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let etag = object.etag();
    let is_it = |condition: &ETagCondition| match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => wanted.value() == etag,
    };
    if if_match.is_some_and(|condition| !is_it(condition)) {
        return Err(s3_error!(PreconditionFailed));
    }
    if if_none_match.is_some_and(is_it) {
        let mut not_modified = S3Error::new(S3ErrorCode::NotModified);
        let quoted = HeaderValue::try_from(format!("\"{etag}\"")).expect("hexadecimal");
        not_modified.set_headers(HeaderMap::from_iter([(ETAG, quoted)]));
        return Err(not_modified);
    }
    Ok(())
}

fn body(object: &Object, range: Range<u64>) -> StreamingBlob {
    match &object.content {
        Content::Bytes(stored) => {
            let offset = |at: u64| usize::try_from(at).expect("within the object");
            let bytes = stored.bytes.slice(offset(range.start)..offset(range.end));
            StreamingBlob::from(s3s::Body::from(bytes))
        }
        Content::Synthetic { .. } => {
            let step = ZEROS.len();
            let chunks = range.clone().step_by(step).map(move |at| {
                let left = usize::try_from(range.end - at).unwrap_or(usize::MAX);
                Ok::<_, io::Error>(Bytes::from_static(ZEROS.get(..left).unwrap_or(&ZEROS)))
            });
            StreamingBlob::wrap(stream::iter(chunks))
        }
    }
}

fn length(bytes: u64) -> i64 {
    i64::try_from(bytes).expect("a size S3 allows")
}
