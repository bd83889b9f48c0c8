//! Addresses that lead to something else than an archive: said so, with the one that was meant.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

use serde_json::Value;
use test_servers::s3::S3Server;

use crate::made_archive::MadeArchive;

/// What `check` says of an address in a bucket with archives at `prod/pg` and `prod/other`.
struct Asked {
    server: S3Server,
}

struct Said {
    code: Option<i32>,
    verdict: String,
    codes: Vec<String>,
    message: String,
}

impl Asked {
    async fn new() -> Self {
        let server = S3Server::start().await.unwrap();
        MadeArchive::under("prod").with_healthy(20).put_into(&server);
        let asked = Self { server };
        asked.put("prod/other/wals/0000000100000000/000000010000000000000001");
        asked.put("prod/notes/readme.txt");
        asked
    }

    fn put(&self, key: &str) {
        self.server.put(crate::made_archive::BUCKET, key, b"x".to_vec());
    }

    /// Exit code, stdout and stderr.
    async fn execute(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let arguments: Vec<String> = arguments.iter().map(|&it| it.to_owned()).collect();
        let url = self.server.endpoint_url();
        let (id, secret) =
            (self.server.access_key().to_owned(), self.server.secret_key().to_owned());
        let output = tokio::task::spawn_blocking(move || {
            Command::new(env!("CARGO_BIN_EXE_cnpg-backup-verifier"))
                .args(arguments)
                .args(["--endpoint-url", &url])
                .env_clear()
                .env("AWS_ACCESS_KEY_ID", id)
                .env("AWS_SECRET_ACCESS_KEY", secret)
                .output()
                .unwrap()
        });
        let output = output.await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    async fn check(&self, archive: &str) -> Said {
        let (code, stdout, _) = self.execute(&["check", "-o", "json", "--archive", archive]).await;
        let document: Value = serde_json::from_str(&stdout).unwrap();
        let found = &document["archives"][0];
        let findings = found["findings"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Said {
            code,
            verdict: text(&found["verdict"]),
            codes: findings.iter().map(|finding| text(&finding["code"])).collect(),
            message: findings.first().map(|it| text(&it["message"])).unwrap_or_default(),
        }
    }

    #[track_caller]
    fn is_wrong_address(said: &Said, words: &[&str]) {
        assert_eq!((said.code, said.verdict.as_str()), (Some(3), "unknown"), "{}", said.message);
        assert_eq!(said.codes, ["archive_not_found"], "{}", said.message);
        for word in words {
            assert!(said.message.contains(word), "{word}: {}", said.message);
        }
    }
}

#[tokio::test]
async fn an_address_without_the_server_name_names_the_archives_below() {
    let asked = Asked::new().await;
    let said = asked.check("s3://backups/prod").await;
    let words = ["notes/, other/, pg/", "s3://backups/prod/other, s3://backups/prod/pg"];
    Asked::is_wrong_address(&said, &words);
}

#[tokio::test]
async fn the_address_of_a_bucket_says_what_it_holds() {
    let asked = Asked::new().await;
    let said = asked.check("s3://backups").await;
    Asked::is_wrong_address(&said, &["s3://backups/ is not an archive", "it holds prod/"]);
    asked.put("main/base/20260101T000000/backup.info");
    let said = asked.check("s3://backups").await;
    Asked::is_wrong_address(&said, &["you probably meant the archive s3://backups/main"]);
}

#[tokio::test]
async fn an_address_inside_an_archive_names_the_archive() {
    let asked = Asked::new().await;
    for inside in ["base", "wals"] {
        let said = asked.check(&format!("s3://backups/prod/pg/{inside}")).await;
        Asked::is_wrong_address(&said, &["you probably meant the archive s3://backups/prod/pg"]);
    }
    let deeper = asked.check("s3://backups/prod/pg/wals/0000000100000000").await;
    Asked::is_wrong_address(&deeper, &["you probably meant the archive s3://backups/prod/pg"]);
}

#[tokio::test]
async fn a_folder_that_is_no_archive_says_what_it_holds() {
    let asked = Asked::new().await;
    let said = asked.check("s3://backups/prod/notes").await;
    Asked::is_wrong_address(&said, &["it holds readme.txt", "s3://backups/prod/pg"]);
}

#[tokio::test]
async fn a_server_name_with_a_typo_says_what_lies_beside_it() {
    let asked = Asked::new().await;
    let said = asked.check("s3://backups/prod/pq").await;
    let words = ["nothing is stored under s3://backups/prod/pq", "notes/, other/, pg/"];
    Asked::is_wrong_address(&said, &words);
}

#[tokio::test]
async fn the_archives_at_a_place_are_listed_and_checked() {
    let asked = Asked::new().await;
    let (code, stdout, _) = asked.execute(&["archives", "--at", "s3://backups/prod"]).await;
    assert_eq!((code, stdout.trim()), (Some(0), "s3://backups/prod/other\ns3://backups/prod/pg"));
    let checked = ["archives", "--at", "s3://backups/prod/", "--check", "-o", "json"];
    let (code, stdout, _) = asked.execute(&checked).await;
    let document: Value = serde_json::from_str(&stdout).unwrap();
    let archives = document["archives"].as_array().unwrap();
    let verdicts: Vec<_> =
        archives.iter().map(|it| (it["server_name"].as_str(), it["verdict"].as_str())).collect();
    let expected = [(Some("other"), Some("unrecoverable")), (Some("pg"), Some("recoverable"))];
    assert_eq!((code, verdicts), (Some(2), expected.to_vec()));
    let (code, stdout, stderr) = asked.execute(&["archives", "--at", "s3://backups/"]).await;
    assert_eq!((code, stdout.as_str()), (Some(3), ""));
    assert!(
        stderr.contains("no folder at s3://backups/ holds base/ or wals/: there are prod/"),
        "{stderr}"
    );
    let (code, _, stderr) = asked.execute(&["archives", "--at", "s3://nowhere"]).await;
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("no such bucket"), "{stderr}");
}

#[tokio::test]
async fn an_empty_archive_with_nothing_beside_it_is_empty() {
    let asked = Asked::new().await;
    let said = asked.check("s3://backups/staging/pg").await;
    assert_eq!((said.code, said.verdict.as_str()), (Some(2), "unrecoverable"), "{}", said.message);
    assert_eq!(said.codes, ["archive_empty"]);
}
