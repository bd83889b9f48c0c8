//! Reading a real archive to its last byte, beside what reads the same bytes today, in the same run.
//!
//! `cargo bench --bench content`; needs `make tools`, and `lbzip2` for its row; takes ten minutes and
//! 6 GB below the temporary directory. Each row is a whole process of ours against one of another, in
//! turn, on the same files: CPU seconds, wall seconds, the median of the ratios.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench may panic and print"
)]

#[path = "support/usage.rs"]
#[expect(dead_code, reason = "only the children are timed")]
mod usage;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use cnpg_backup_verifier::content::page;
use cnpg_backup_verifier::domain::codec::Bzip2;
use cnpg_backup_verifier::domain::codec::Codec as Compression;
use cnpg_backup_verifier::sources::decode::decoder::decompress;
use cnpg_backup_verifier::wal::Ending;
use cnpg_backup_verifier::wal::SegmentIdentity;
use cnpg_backup_verifier::wal::Surveyor;
use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::postgres::Shutdown;
use test_servers::process::Account;
use test_servers::rclone::Rclone;
use tokio::time::Instant;

const ROUNDS: usize = 3;

/// Rows of a hundred bytes: so many make 1.1 GB of log, and as much in the data directory.
const ROWS: u32 = 8_000_000;

/// How often what lies in memory is looked at; the fastest time counts, as others run beside it.
const REPEATS: usize = 15;

/// What one command took.
#[derive(Clone, Copy)]
struct Cost {
    cpu: f64,
    wall: f64,
}

/// A real archive, unpacked so that every command reads the same files.
struct Scene {
    _s3: Rclone,
    server: Postgres,
    archive: PathBuf,
    backup: String,
    folder: tempfile::TempDir,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scene = runtime.block_on(Scene::build());
    println!("{:<58} {:>9} {:>9} {:>7} {:>7}", "ours against", "CPU s", "wall s", "CPU", "wall");
    wal(&scene);
    tars(&scene);
    checksums(&scene);
    in_memory(&scene);
}

impl Scene {
    async fn build() -> Self {
        let s3 = Rclone::start().await;
        s3.create_bucket("bench");
        let barman = Barman::new(s3.endpoint(), "s3://bench", "main");
        let options = Options::archiving(&barman, Codec::None)
            .with_setting("max_wal_size", "4GB")
            .with_setting("maintenance_work_mem", "256MB");
        let mut server = Postgres::start(&options).await;
        server.sql("CREATE TABLE filler (n int, text text)").await;
        for part in 0..10 {
            let (first, last) = (part * ROWS / 10, (part + 1) * ROWS / 10);
            server
                .sql(&format!(
                    "INSERT INTO filler SELECT n, md5(n::text) || md5((-n)::text) \
                     FROM generate_series({first}, {last}) n"
                ))
                .await;
        }
        server.sql("CHECKPOINT").await;
        server.archive_segments(1).await;
        let none = BackupOptions { codec: Codec::None, ..BackupOptions::default() };
        let backup = barman.backup(&server, &none).await;
        server.archive_segments(1).await;
        server.stop(Shutdown::Fast).await;
        let folder = Account::own().temporary_directory();
        let archive = s3.path("bench", "main");
        Self { _s3: s3, server, archive, backup, folder }
    }

    fn tar(&self) -> PathBuf {
        self.archive.join("base").join(&self.backup).join("data.tar")
    }

    /// An archive of one backup and the WAL that it needs, with the tar file compressed by this command.
    fn compressed_by(&self, program: &str, arguments: &[&str], suffix: &str) -> PathBuf {
        let name = format!("with{suffix}");
        let archive = self.folder.path().join(name);
        let base = archive.join("base").join(&self.backup);
        fs::create_dir_all(&base).unwrap();
        fs::copy(self.tar().with_file_name("backup.info"), base.join("backup.info")).unwrap();
        let info = fs::read_to_string(base.join("backup.info")).unwrap();
        let field =
            |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        let (begin, end) = (field("begin_wal="), field("end_wal="));
        let wals = self.archive.join("wals").join(&begin[..16]);
        let kept = archive.join("wals").join(&begin[..16]);
        fs::create_dir_all(&kept).unwrap();
        for file in fs::read_dir(wals).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            if begin <= name && name <= end {
                fs::copy(file.path(), kept.join(name)).unwrap();
            }
        }
        let output = fs::File::create(base.join(format!("data.tar{suffix}"))).unwrap();
        let input = fs::File::open(self.tar()).unwrap();
        let mut command = Command::new(program);
        assert!(command.args(arguments).stdin(input).stdout(output).status().unwrap().success());
        archive
    }
}

/// `check` of the program that ships, built in the same profile.
fn ours(archive: &Path, depth: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cnpg-backup-verifier"));
    command.args(["check", "--archive", &format!("file://{}", archive.display())]);
    command.args(["--depth", depth, "-o", "json"]);
    command
}

fn shell(line: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-o", "pipefail", "-c", line]);
    command
}

fn cost(command: &mut Command) -> Cost {
    let (cpu, began_at) = (usage::children_cpu_seconds(), Instant::now());
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
    let wall = began_at.elapsed().as_secs_f64();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    Cost { cpu: usage::children_cpu_seconds() - cpu, wall }
}

/// Both in turn; prints the medians, and that of the ratios.
fn pair(name: &str, mut ours: impl FnMut() -> Command, mut theirs: impl FnMut() -> Command) {
    let rounds: Vec<(Cost, Cost)> =
        (0..ROUNDS).map(|_| (cost(&mut ours()), cost(&mut theirs()))).collect();
    let median = |of: &dyn Fn(&(Cost, Cost)) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!(
        "{name:<58} {:>4.1}/{:<4.1} {:>4.1}/{:<4.1} {:>7.2} {:>7.2}",
        median(&|(our, _)| our.cpu),
        median(&|(_, their)| their.cpu),
        median(&|(our, _)| our.wall),
        median(&|(_, their)| their.wall),
        median(&|(our, their)| our.cpu / their.cpu),
        median(&|(our, their)| our.wall / their.wall),
    );
}

fn segments(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap();
    let names = files.map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.len() == 24).collect();
    names.sort();
    names
}

fn wal(scene: &Scene) {
    let folder = scene.archive.join("wals/0000000100000000");
    let names = segments(&folder);
    let bytes = names.len() as u64 * 16;
    let (first, last) = (names[0].clone(), names[names.len() - 1].clone());
    let path = "/usr/lib/postgresql/15/bin/pg_waldump";
    let line = format!("{path} --quiet --path {} {first} {last}", folder.display());
    let name = format!("{bytes} MiB of WAL, not compressed: pg_waldump --quiet");
    pair(&name, || ours(&scene.archive, "wal"), || shell(&line));
}

fn tars(scene: &Scene) {
    let rows: [(&str, &[&str], &str, &[&str]); 4] = [
        ("bzip2", &["-c"], ".bz2", &["bzip2 -dc {} | tar -t", "lbzip2 -n2 -dc {} | tar -t"]),
        ("gzip", &["-c"], ".gz", &["gzip -t {}"]),
        ("zstd", &["-c", "-q"], ".zst", &["zstd -q -t {}"]),
        ("lz4", &["-c", "-q"], ".lz4", &["lz4 -q -t {}"]),
    ];
    let megabytes = fs::metadata(scene.tar()).unwrap().len() >> 20;
    for (program, arguments, suffix, references) in rows {
        let archive = scene.compressed_by(program, arguments, suffix);
        let tar = archive.join("base").join(&scene.backup).join(format!("data.tar{suffix}"));
        for reference in references {
            let tool = reference.split(' ').next().unwrap();
            if shell(&format!("command -v {tool}"))
                .stdout(Stdio::null())
                .status()
                .unwrap()
                .success()
            {
                let line = reference.replace("{}", &tar.display().to_string());
                let name = format!("data.tar{suffix} of {megabytes} MiB: {reference}");
                pair(&name, || ours(&archive, "full"), || shell(&line));
            } else {
                println!("data.tar{suffix}: {tool} is not installed");
            }
        }
        fs::remove_dir_all(archive).unwrap();
    }
}

fn checksums(scene: &Scene) {
    let plain = scene.compressed_by("cat", &[], "");
    let data = scene.server.data();
    let theirs = || {
        let mut command = scene.server.command("pg_checksums");
        command.args(["--check", "--pgdata", &data.display().to_string()]);
        command
    };
    let name = "data.tar, not compressed: pg_checksums --check on the directory";
    pair(name, || ours(&plain, "full"), theirs);
}

/// The checks alone, on one core.
fn in_memory(scene: &Scene) {
    let folder = scene.archive.join("wals/0000000100000000");
    let log: Vec<u8> = segments(&folder)
        .iter()
        .skip(4)
        .take(16)
        .flat_map(|name| fs::read(folder.join(name)).unwrap())
        .collect();
    let took = fastest(|| {
        let mut surveyor = Surveyor::new(SegmentIdentity::default());
        log.chunks(64 << 10).for_each(|piece| surveyor.feed(piece));
        assert!(!matches!(surveyor.survey().ending, Ending::Damaged(_)));
    });
    println!("WAL in memory: {:.1} GB/s", rate(log.len(), took));

    let pages: Vec<[u8; 8192]> = (0..128).map(|fill| [fill; 8192]).collect();
    let took = fastest(|| {
        for (block, page) in (0..).zip(&pages) {
            std::hint::black_box(page::checksum(page, block));
        }
    });
    println!("checksums of 1 MiB of pages: {:.1} GB/s", rate(pages.len() * 8192, took));

    let segment = log.get(..16 << 20).unwrap();
    let stored = shell_output("bzip2 -5 -c", segment);
    let took = fastest(|| {
        let content = decompress(Compression::Bzip2, Bzip2::Fast, &stored, 16 << 20).unwrap();
        let mut surveyor = Surveyor::new(SegmentIdentity::default());
        surveyor.feed(&content);
    });
    println!("a segment of 16 MiB in bzip2, {} bytes: {:.0} ms", stored.len(), took * 1000.0);
}

fn shell_output(line: &str, input: &[u8]) -> Vec<u8> {
    let folder = Account::own().temporary_directory();
    let file = folder.path().join("input");
    fs::write(&file, input).unwrap();
    let output = shell(line).stdin(fs::File::open(file).unwrap()).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// In seconds.
fn fastest(mut run: impl FnMut()) -> f64 {
    let mut times = (0..REPEATS).map(|_| {
        let began_at = Instant::now();
        run();
        began_at.elapsed().as_secs_f64()
    });
    let first = times.next().unwrap();
    times.fold(first, f64::min)
}

/// In gigabytes a second.
fn rate(bytes: usize, seconds: f64) -> f64 {
    let bytes = bytes as f64;
    bytes / seconds / 1e9
}
