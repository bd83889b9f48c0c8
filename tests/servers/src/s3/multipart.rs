//! Uploads in parts: what has arrived and is not an object yet.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use bytes::BytesMut;
use chrono::DateTime;
use chrono::Utc;
use s3s::S3Result;
use s3s::crypto::Checksum;
use s3s::crypto::Md5;
use s3s::dto::CompletedPart;
use s3s::s3_error;

use crate::s3::store::Object;
use crate::s3::store::hex;

#[derive(Debug, Default)]
pub(super) struct Uploads {
    /// By upload id.
    open: Mutex<BTreeMap<String, Upload>>,
}

#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) started_at: DateTime<Utc>,
    parts: BTreeMap<i32, Bytes>,
}

impl Uploads {
    pub(super) fn create(&self, bucket: String, key: String, started_at: DateTime<Utc>) -> String {
        let mut open = self.open.lock().unwrap();
        let id = format!("upload-{:08}", open.last_key_value().map_or(1, |(id, _)| number(id) + 1));
        open.insert(id.clone(), Upload { bucket, key, started_at, parts: BTreeMap::new() });
        id
    }

    /// Keeps a part and returns its entity tag.
    pub(super) fn add_part(&self, id: &str, part: i32, bytes: Bytes) -> S3Result<String> {
        let mut open = self.open.lock().unwrap();
        let upload = open.get_mut(id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        let etag = hex(&Md5::checksum(&bytes));
        upload.parts.insert(part, bytes);
        Ok(etag)
    }

    /// Joins the parts the client names into an object.
    pub(super) fn complete(
        &self,
        id: &str,
        named: &[CompletedPart],
        now: DateTime<Utc>,
    ) -> S3Result<Object> {
        let mut open = self.open.lock().unwrap();
        let upload = open.get(id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        if !named.is_sorted_by_key(|part| part.part_number) {
            return Err(s3_error!(InvalidPartOrder));
        }
        let mut bytes = BytesMut::new();
        let mut digests = Vec::new();
        for part in named {
            let number = part.part_number.unwrap_or_default();
            let content = upload.parts.get(&number).ok_or_else(|| s3_error!(InvalidPart))?;
            let digest = Md5::checksum(content);
            if part.e_tag.as_ref().is_some_and(|etag| etag.value() != hex(&digest)) {
                return Err(s3_error!(InvalidPart));
            }
            bytes.extend_from_slice(content);
            digests.extend_from_slice(&digest);
        }
        open.remove(id);
        let etag = format!("{}-{}", hex(&Md5::checksum(&digests)), named.len());
        Ok(Object::stored(bytes.freeze(), etag, now))
    }

    pub(super) fn abort(&self, id: &str) -> S3Result<()> {
        let removed = self.open.lock().unwrap().remove(id);
        removed.map(|_| ()).ok_or_else(|| s3_error!(NoSuchUpload))
    }

    /// The uploads in a bucket that were neither completed nor aborted, by key.
    pub(super) fn in_bucket(&self, bucket: &str, prefix: &str) -> Vec<(String, Upload)> {
        let open = self.open.lock().unwrap();
        let wanted = |upload: &Upload| upload.bucket == bucket && upload.key.starts_with(prefix);
        let mut found: Vec<(String, Upload)> = open
            .iter()
            .filter(|(_, upload)| wanted(upload))
            .map(|(id, upload)| (id.clone(), upload.clone()))
            .collect();
        found.sort_by(|(_, left), (_, right)| left.key.cmp(&right.key));
        found
    }
}

fn number(id: &str) -> u64 {
    id.trim_start_matches("upload-").parse().unwrap_or_default()
}
