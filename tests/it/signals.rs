//! What the daemon does when it is told to end, or told anything else, whatever hangs meanwhile.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use test_servers::http;
use test_servers::process::Account;
use test_servers::process::Server;
use test_servers::process::Signal;
use test_servers::process::free_port;

const PROGRAM: &str = env!("CARGO_BIN_EXE_cnpg-backup-verifier");

/// What Kubernetes grants in `deploy/` is far more; this is what the program promises.
const END_MAX: Duration = Duration::from_secs(5);

/// For a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

struct Daemon {
    process: Server,
    folder: TempDir,
}

/// A daemon that watches one archive, with the credentials that this adds.
async fn start(credentials: impl FnOnce(&Path, &mut Command) -> String) -> Daemon {
    start_on("s3://c/, endpoint_url: \"http://127.0.0.1:9\"", credentials).await
}

/// The same of an archive at this place.
async fn start_on(place: &str, credentials: impl FnOnce(&Path, &mut Command) -> String) -> Daemon {
    let folder = Account::own().temporary_directory();
    let mut command = Account::own().server_command(Path::new(PROGRAM));
    let credentials = credentials(folder.path(), &mut command);
    let address = format!("127.0.0.1:{}", free_port());
    let config = folder.path().join("config.yaml");
    let text = format!(
        "listen: {address}\npoll_interval: 1s\nkubernetes: {{enabled: false}}\n{credentials}\
         archives:\n- {{namespace: a, cluster: b, server_name: b, destination_path: {place}}}\n"
    );
    fs::write(&config, text).unwrap();
    command.arg("run").arg("--config").arg(&config);
    let mut process = Server::start("the daemon", command, &folder.path().join("log"));
    let livez = format!("http://{address}/livez");
    process
        .ready(LIMIT, async || {
            let answer = http::try_send(&livez, &axum::http::Method::GET, &[]).await;
            answer.is_ok_and(|answer| answer.status.is_success())
        })
        .await;
    Daemon { process, folder }
}

fn pipe(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path.display().to_string()
}

#[tokio::test]
async fn it_ends_within_five_seconds_while_a_profile_file_hangs() {
    let mut daemon = start(|folder, command| {
        // Whoever opens a pipe that nobody writes into waits.
        command.env("AWS_SHARED_CREDENTIALS_FILE", pipe(folder, "credentials"));
        command.env("AWS_CONFIG_FILE", pipe(folder, "config"));
        String::new()
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(daemon.process.stop(Signal::TERM, END_MAX).await.code(), Some(0));
}

#[tokio::test]
async fn it_ends_within_five_seconds_with_a_pipe_for_a_key_file() {
    let mut daemon = start(|folder, _| {
        let path = folder.join("key");
        fs::write(&path, "key").unwrap();
        let path = path.display();
        format!("credentials: {{access_key_id_file: {path}, secret_access_key_file: {path}}}\n")
    })
    .await;
    fs::remove_file(daemon.folder.path().join("key")).unwrap();
    pipe(daemon.folder.path(), "key");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(daemon.process.stop(Signal::TERM, END_MAX).await.code(), Some(0));
}

/// A folder in which every call waits for ever, as on a mount whose server is gone.
struct DeadMount {
    folder: PathBuf,
    /// Whoever should answer for the folder, and does not.
    server: Child,
}

impl DeadMount {
    /// `None` for who may not mount.
    fn at(folder: PathBuf) -> Option<Self> {
        const MOUNT: &str = "exec 3<>/dev/fuse && mount -i -t fuse dead \"$0\" \
            -o fd=3,rootmode=40000,user_id=0,group_id=0 && echo mounted && exec sleep 600";
        fs::create_dir(&folder).unwrap();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", MOUNT]).arg(&folder).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = shell.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut said).unwrap();
        if said != "mounted\n" {
            server.wait().unwrap();
            return None;
        }
        Some(Self { folder, server })
    }
}

impl Drop for DeadMount {
    fn drop(&mut self) {
        // While the server is there, whoever asks waits; without it, they get an error.
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

#[tokio::test]
async fn it_ends_within_five_seconds_while_a_mounted_archive_hangs() {
    let mounts = Account::own().temporary_directory();
    let Some(mount) = DeadMount::at(mounts.path().join("dead")) else { return };
    let place = format!("\"file://{}\"", mount.folder.display());
    let mut daemon = start_on(&place, |_, _| String::new()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(daemon.process.stop(Signal::TERM, END_MAX).await.code(), Some(0));
}

#[tokio::test]
async fn a_hangup_ends_nothing() {
    let mut daemon = start(|_, _| String::new()).await;
    daemon.process.signal(Signal::HUP);
    let log = daemon.folder.path().join("log");
    test_servers::process::wait_until("the hangup in the log", LIMIT, async || {
        fs::read_to_string(&log).unwrap().contains("SIGHUP is ignored").then_some(())
    })
    .await;
    assert!(daemon.process.is_running());
    assert_eq!(daemon.process.stop(Signal::TERM, END_MAX).await.code(), Some(0));
}
