//! What `barman-cloud-wal-restore` makes of objects that are empty or cut, with each compression.

use std::fs;
use std::path::Path;

use cnpg_backup_verifier::domain::codec::Codec as Stored;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::barman::Endpoint;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::s3::S3Server;

use crate::real_archives::BUCKET;

const SEGMENT: &str = "000000010000000000000003";
const SEGMENT_BYTES: u32 = 16 << 20;

/// Objects are put there behind barman's back, and seen at once.
async fn server() -> S3Server {
    let server = S3Server::start().await.unwrap();
    server.create_bucket(BUCKET);
    server
}

fn archive(server: &S3Server, name: &str) -> Barman {
    let endpoint = Endpoint {
        url: server.endpoint_url(),
        access_key_id: server.access_key().to_owned(),
        secret_access_key: server.secret_key().to_owned(),
    };
    Barman::new(endpoint, &format!("s3://{BUCKET}"), name)
}

fn key(archive: &Barman, name: &str, codec: Codec) -> String {
    let folder = if name == SEGMENT { "wals/0000000100000000" } else { "wals" };
    format!("{}/{folder}/{name}{}", archive.server_name, codec.suffix())
}

fn stored(codec: Codec) -> Stored {
    Stored::ALL.into_iter().find(|it| it.suffix() == codec.suffix()).unwrap()
}

/// What PostgreSQL gets: the length of the file, or nothing.
async fn delivered(barman: &Barman, name: &str, directory: &Path) -> Option<u64> {
    let file = directory.join(name);
    let finished = barman.restore_wal(name, &file).await;
    (finished.code == Some(0)).then(|| fs::metadata(&file).unwrap().len())
}

#[tokio::test]
async fn an_object_without_a_byte_is_delivered_as_an_empty_file_or_not_by_its_compression() {
    let s3 = server().await;
    let server = Postgres::start(&Options::default()).await;
    for codec in Codec::ALL {
        let archive = archive(&s3, "empty");
        let expected = stored(codec).delivers_nothing_as_empty().then_some(0);
        for name in [SEGMENT, "00000002.history"] {
            let key = key(&archive, name, codec);
            s3.put(BUCKET, &key, "");
            let directory = server.new_directory(&format!("{name}{}", codec.suffix()));
            assert_eq!(delivered(&archive, name, &directory).await, expected, "{key}");
            s3.delete(BUCKET, &key);
        }
    }
}

#[tokio::test]
async fn an_object_that_was_cut_is_delivered_short_or_not_at_all() {
    let s3 = server().await;
    let server = Postgres::start(&Options::default()).await;
    let noise: Vec<u8> =
        (0..SEGMENT_BYTES).map(|it| it.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let archive = archive(&s3, "cut");
    for codec in Codec::ALL {
        let directory = server.new_directory(&format!("source{}", codec.suffix()));
        let source = directory.join(SEGMENT);
        fs::write(&source, &noise).unwrap();
        archive.archive_wal(codec, &source).await.expect_success();
        let key = key(&archive, SEGMENT, codec);
        let whole = s3.get(BUCKET, &key).unwrap();
        for kept in [whole.len() - 1, whole.len() / 2] {
            s3.put(BUCKET, &key, whole.slice(..kept));
            let directory = server.new_directory(&format!("{kept}{}", codec.suffix()));
            let found = delivered(&archive, SEGMENT, &directory).await;
            assert_eq!(found.is_some(), stored(codec).delivers_cut_as_short(), "{key} {kept}");
            // The last byte of a frame of zstd is of a checksum, which is not looked at.
            let is_whole = codec == Codec::Zstd && kept == whole.len() - 1;
            let length = if is_whole { u64::from(SEGMENT_BYTES) } else { found.unwrap_or(0) };
            assert!(found.is_none_or(|it| it == length), "{key} {kept}: {found:?}");
            assert!(is_whole || length < SEGMENT_BYTES.into(), "{key} {kept}: {found:?}");
        }
        s3.delete(BUCKET, &key);
    }
}
