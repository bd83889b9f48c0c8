//! A cold listing of a million segments over HTTP, ours against rclone's and boto3's.
//!
//! `cargo bench --bench listing`; needs `make tools`, takes five minutes. The server is a process
//! of its own, this program started again, so that its CPU time is not counted as a client's.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench may panic and print")]

#[path = "support/server.rs"]
mod server;
#[path = "support/synthetic.rs"]
#[expect(dead_code, reason = "nothing is judged here")]
mod synthetic;
#[path = "support/usage.rs"]
mod usage;

use std::process::Command;
use std::process::Stdio;

use cnpg_backup_verifier::domain::segment::SegmentSize;
use cnpg_backup_verifier::observation::fold::Fold;
use cnpg_backup_verifier::observation::inventory::Inventory;
use cnpg_backup_verifier::service::clock;
use cnpg_backup_verifier::sources::store::listing::list_in_ranges;
use cnpg_backup_verifier::sources::store::requests::Requests;
use cnpg_backup_verifier::sources::store::s3::CredentialSource;
use cnpg_backup_verifier::sources::store::s3::S3Clients;
use cnpg_backup_verifier::sources::store::s3::S3Store;
use cnpg_backup_verifier::sources::workshop::Turns;
use prometheus::Registry;
use test_servers::tools;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::server::BUCKET;
use crate::server::ServerProcess;
use crate::synthetic::SEGMENTS;
use crate::synthetic::Synthetic;

/// What S3 needs for a page, as others published it, and what only the clients' own work shows.
const LATENCIES_MS: [u64; 2] = [75, 0];

struct Row {
    client: &'static str,
    wall_seconds: f64,
    cpu_seconds: f64,
    /// Of the server, on the same cores.
    server_cpu_seconds: f64,
    peak_bytes: Option<u64>,
    lists: u64,
}

fn main() {
    if server::is_wanted() {
        return server::serve(Synthetic::new(SEGMENTS, 0));
    }
    // `--quick` leaves the slow ones out.
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let archive = Synthetic::new(SEGMENTS, 0);
    let mut server = ServerProcess::start();
    println!("cold listing of {SEGMENTS} segments");
    println!(
        "{:>5} {:<14} {:>8} {:>8} {:>12} {:>14} {:>6}",
        "ms", "client", "wall s", "CPU s", "server CPU s", "memory MB", "LISTs"
    );
    for latency_ms in LATENCIES_MS {
        server.set_latency(latency_ms);
        print(latency_ms, &ours(archive, &mut server));
        if is_quick {
            continue;
        }
        print(latency_ms, &theirs("rclone lsf -R", rclone(archive, &server), &mut server));
        print(latency_ms, &theirs("boto3", boto3(archive, &server), &mut server));
    }
}

fn print(latency_ms: u64, row: &Row) {
    let memory = row.peak_bytes.map_or("-".to_owned(), |bytes| format!("{:.1}", megabytes(bytes)));
    println!(
        "{latency_ms:>5} {:<14} {:>8.2} {:>8.2} {:>12.2} {memory:>14} {:>6}",
        row.client, row.wall_seconds, row.cpu_seconds, row.server_cpu_seconds, row.lists
    );
}

/// As the daemon lists: several ranges at once, folded as they arrive.
fn ours(archive: Synthetic, server: &mut ServerProcess) -> Row {
    let server_cpu_seconds = usage::cpu_seconds_of(server.id());
    let runtime = Runtime::new().unwrap();
    let (inventory, mut row) = runtime.block_on(async {
        let store = open(server);
        usage::forget_peak();
        let (idle_bytes, cpu_seconds) = (usage::resident_bytes(), usage::cpu_seconds());
        let began_at = Instant::now();
        let (folder, wals) = (archive.folder(), archive.folder().wals());
        let turns = Turns::default();
        let folds = list_in_ranges(
            &store,
            &turns,
            &wals,
            || Fold::complete(SegmentSize::DEFAULT, &folder),
            |fold, object| fold.add(&object),
        );
        let folds = folds.await.unwrap();
        let row = Row {
            client: "ours",
            wall_seconds: began_at.elapsed().as_secs_f64(),
            cpu_seconds: usage::cpu_seconds() - cpu_seconds,
            server_cpu_seconds: usage::cpu_seconds_of(server.id()) - server_cpu_seconds,
            peak_bytes: Some(usage::peak_resident_bytes().saturating_sub(idle_bytes)),
            lists: 0,
        };
        (Inventory::join(folds.into_iter().map(Fold::finish)).unwrap(), row)
    });
    assert_eq!(inventory.object_count, SEGMENTS);
    row.lists = server.take_lists();
    row
}

fn open(server: &ServerProcess) -> S3Store {
    let requests = Requests::register(&Registry::new()).unwrap();
    let credentials = CredentialSource::Keys {
        access_key_id: server.access_key.clone(),
        secret_access_key: server.secret_key.clone(),
        session_token: None,
    };
    S3Clients::new(clock::now, requests).store(BUCKET, Some(&server.url), "auto", &credentials)
}

/// Counts lines of the client's output in a pipe, as whoever uses it would read them.
fn theirs(client: &'static str, mut command: Command, server: &mut ServerProcess) -> Row {
    let server_cpu_seconds = usage::cpu_seconds_of(server.id());
    let cpu_seconds = usage::children_cpu_seconds();
    let began_at = Instant::now();
    let output = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).output().unwrap();
    let wall_seconds = began_at.elapsed().as_secs_f64();
    assert!(output.status.success());
    let keys = output.stdout.iter().filter(|byte| **byte == b'\n').count();
    assert!(SEGMENTS <= u64::try_from(keys).unwrap(), "{client} listed {keys} keys");
    Row {
        client,
        wall_seconds,
        cpu_seconds: usage::children_cpu_seconds() - cpu_seconds,
        server_cpu_seconds: usage::cpu_seconds_of(server.id()) - server_cpu_seconds,
        peak_bytes: None,
        lists: server.take_lists(),
    }
}

fn rclone(archive: Synthetic, server: &ServerProcess) -> Command {
    let mut command = Command::new(tools::python("rclone"));
    command.args(["lsf", "-R", "--files-only", "--config", "/dev/null", "--s3-list-version", "2"]);
    command.args(["--s3-provider", "Other", "--s3-endpoint", &server.url]);
    command.args(["--s3-access-key-id", &server.access_key]);
    command.args(["--s3-secret-access-key", &server.secret_key]);
    command.arg(format!(":s3:{BUCKET}/{}", archive.folder().wals()));
    command
}

fn boto3(archive: Synthetic, server: &ServerProcess) -> Command {
    const PROGRAM: &str = "\
import sys, boto3
client = boto3.client('s3', endpoint_url=sys.argv[1], region_name='auto')
pages = client.get_paginator('list_objects_v2').paginate(Bucket=sys.argv[2], Prefix=sys.argv[3])
for page in pages:
    for listed in page.get('Contents', []):
        sys.stdout.write(listed['Key'] + '\\n')
";
    let mut command = Command::new(tools::python("python"));
    command.args(["-c", PROGRAM, &server.url, BUCKET, &archive.folder().wals()]);
    command.env("AWS_ACCESS_KEY_ID", &server.access_key);
    command.env("AWS_SECRET_ACCESS_KEY", &server.secret_key);
    command
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
