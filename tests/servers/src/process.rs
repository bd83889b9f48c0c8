//! Servers and commands as child processes: started, waited for within a limit, and ended with
//! everything that they started.
//!
//! It does not know which program it runs.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process, kill_process_group};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep, timeout};

use crate::http;

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Server {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a server in a process group of its own, with its output in a log file.
    ///
    /// The command is one of [`Account::server_command`], so that the server gets `FAREWELL` also
    /// when this process dies without dropping it.
    #[must_use]
    pub fn start(name: &str, mut command: Command, log: &Path) -> Self {
        let output = File::options().create(true).append(true).open(log).expect("a log file");
        let shown = format!("{command:?}");
        command.stdin(Stdio::null());
        command.stdout(output.try_clone().expect("a second handle of the log file"));
        command.stderr(output);
        command.process_group(0);
        let child = spawn_from_lasting_thread(command)
            .unwrap_or_else(|error| panic!("{name} does not start: {error}: {shown}"));
        Self { name: name.to_owned(), child, log: log.to_owned() }
    }

    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory it had resident at any time, without its children.
    #[must_use]
    pub fn peak_resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("{path}: {error}: {} has ended:\n{}", self.name, self.log_tail())
        });
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|it| it.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak.unwrap_or_else(|| panic!("no VmHWM in {path}:\n{status}")) * 1024
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The end of what the server wrote: enough for an error message.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(30)).copied().collect::<Vec<_>>().join("\n")
    }

    /// Waits until the server answers; panics with its log when it ends or when time is up.
    pub async fn ready(&mut self, within: Duration, mut probe: impl AsyncFnMut() -> bool) {
        let deadline = Instant::now() + within;
        loop {
            if probe().await {
                return;
            }
            let name = &self.name;
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("{name} ended with {status}:\n{}", self.log_tail());
            }
            if deadline < Instant::now() {
                panic!("{name} is not ready after {within:?}:\n{}", self.log_tail());
            }
            sleep(POLL).await;
        }
    }

    /// Waits until the server answers a GET of this address with success.
    pub async fn answers(&mut self, url: &str, within: Duration) {
        let asks = async || {
            let answer = http::try_send(url, &::http::Method::GET, &[]).await;
            answer.is_ok_and(|response| response.status.is_success())
        };
        self.ready(within, asks).await;
    }

    /// Sends a signal to the server itself, and waits for its end.
    pub async fn stop(&mut self, signal: Signal, within: Duration) -> ExitStatus {
        self.signal(signal);
        let deadline = Instant::now() + within;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status;
            }
            if deadline < Instant::now() {
                panic!("{} did not end within {within:?}:\n{}", self.name, self.log_tail());
            }
            sleep(POLL).await;
        }
    }

    /// Sends a signal to the server itself, not to its children.
    pub fn signal(&self, signal: Signal) {
        // A server that has ended already is what every caller wants.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.is_running() {
            self.signal(FAREWELL);
        }
        let mut waited = Duration::ZERO;
        while self.is_running() && waited < FAREWELL_MAX {
            std::thread::park_timeout(POLL);
            waited += POLL;
        }
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// What ends a server at once: PostgreSQL shuts down immediately, with all its children, and a
/// program in Go prints its stacks and exits.
const FAREWELL: Signal = Signal::QUIT;

/// How long a dropped server may take to end: the drop of an async test must not hang.
const FAREWELL_MAX: Duration = Duration::from_secs(5);

/// How often a condition is looked at: short beside the start of any server.
const POLL: Duration = Duration::from_millis(20);

/// What a command left behind when it ended.
#[derive(Clone, Debug)]
pub struct Finished {
    pub command: String,
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    #[must_use]
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// Returns what the command printed; panics with everything it said when it failed.
    pub fn expect_success(self) -> String {
        let Self { command, code, stdout, stderr } = self;
        assert!(code == Some(0), "exit {code:?} of {command}\n{stdout}\n{stderr}");
        stdout
    }
}

/// Runs a command to its end; panics when it does not start or does not end in time.
pub async fn run(command: Command, within: Duration) -> Finished {
    run_with_input(command, "", within).await
}

/// Runs a command to its end, with a text on its standard input.
pub async fn run_with_input(command: Command, input: &str, within: Duration) -> Finished {
    let shown = format!("{command:?}");
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    let mut child =
        command.spawn().unwrap_or_else(|error| panic!("does not start: {error}: {shown}"));
    let group = child.id();
    let mut stdin = child.stdin.take().expect("a piped standard input");
    let ended = timeout(within, async {
        // A command that does not read its input closes the pipe, which is its right.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        child.wait_with_output().await
    });
    let Ok(output) = ended.await else {
        if let Some(group) = group.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        panic!("did not end within {within:?}: {shown}");
    };
    let output = output.unwrap_or_else(|error| panic!("cannot be waited for: {error}: {shown}"));
    Finished {
        command: shown,
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Waits until the probe yields something; panics when time is up.
pub async fn wait_until<T>(
    what: &str,
    within: Duration,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        sleep(POLL).await;
    }
}

/// A port on loopback that nobody listens on, and that this process hands out once.
///
/// It lies below the range from which Linux takes the ports of outgoing connections
/// (`net.ipv4.ip_local_port_range`), so that none of those can take it before the server does.
#[must_use]
pub fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static HANDED_OUT: AtomicU16 = AtomicU16::new(0);
    // Test programs that run side by side start at different ports.
    let start = std::process::id().wrapping_mul(61) % u32::from(COUNT);
    let start = u16::try_from(start).expect("less than COUNT");
    (0..COUNT)
        .map(|_| FIRST + (start + HANDED_OUT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port on loopback")
}

/// Whether somebody accepts connections at this port of loopback.
#[must_use]
pub fn accepts_connections(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The user that runs PostgreSQL and barman-cloud, as PostgreSQL refuses to run as root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    other: Option<(u32, u32)>,
}

impl Account {
    /// The user `postgres` for root, and the user himself otherwise.
    #[must_use]
    pub fn unprivileged() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self { other: None };
        }
        let users = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd");
        let ids = users.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let ["postgres", _, uid, gid, ..] = fields.as_slice() else { return None };
            Some((uid.parse().ok()?, gid.parse().ok()?))
        });
        assert!(ids.is_some(), "no user postgres: run `make tools`");
        Self { other: ids }
    }

    /// The user himself, also when he is root.
    #[must_use]
    pub fn own() -> Self {
        Self { other: None }
    }

    /// A command of this user, with an environment that depends on nobody's settings.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        command.env("HOME", "/nonexistent");
        command.current_dir("/");
        if let Some((uid, gid)) = self.other {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// A command of this user for [`Server::start`].
    #[must_use]
    pub fn server_command(&self, program: &Path) -> Command {
        let mut command = self.command(Path::new("/usr/bin/setpriv"));
        command.args(["--pdeathsig", "QUIT", "--"]).arg(program);
        command
    }

    /// A new temporary directory of this user, removed when it is dropped.
    #[must_use]
    pub fn temporary_directory(&self) -> TempDir {
        let directory = tempfile::Builder::new()
            .prefix("servers-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir()
            .expect("a temporary directory");
        self.give(directory.path());
        directory
    }

    /// A new directory of this user.
    pub fn create_directory(&self, path: &Path) {
        std::fs::create_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.give(path);
    }

    /// Makes the user the owner of a file or directory.
    pub fn give(&self, path: &Path) {
        if let Some((uid, gid)) = self.other {
            chown(path, Some(uid), Some(gid)).expect("root may give a file away");
        }
    }
}

/// Starts a process from a thread that lasts as long as this process.
///
/// Linux sends the signal of a parent's death when the *thread* ends that started the child, and
/// every test has a thread of its own.
fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    type Request = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Request>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (requests, receiver) = mpsc::channel::<Request>();
        std::thread::spawn(move || {
            for (mut command, reply) in receiver {
                let _ = reply.send(command.spawn());
            }
        });
        requests
    });
    let (reply, child) = mpsc::channel();
    spawner.send((command, reply)).expect("the spawner lives");
    child.recv().expect("the spawner answers")
}
