//! The in-process S3 server in a process of its own: this program, started again.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use test_servers::s3::Operation;
use test_servers::s3::S3Server;
use tokio::runtime::Runtime;

use crate::synthetic::Synthetic;

pub(crate) const BUCKET: &str = "cnpg";

const ARGUMENT: &str = "serve";

/// The other process; it is ended on drop.
pub(crate) struct ServerProcess {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(crate) url: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

impl ServerProcess {
    pub(crate) fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let questions = process.stdin.take().unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let [url, access_key, secret_key] = [0; 3].map(|_| read_line(&mut answers));
        Self { process, questions, answers, url, access_key, secret_key }
    }

    pub(crate) fn set_latency(&mut self, milliseconds: u64) {
        writeln!(self.questions, "{milliseconds}").unwrap();
        self.take_lists();
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// How many LIST requests came since the last question.
    pub(crate) fn take_lists(&mut self) -> u64 {
        writeln!(self.questions).unwrap();
        read_line(&mut self.answers).parse().unwrap()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Whether this process is to be the server.
pub(crate) fn is_wanted() -> bool {
    std::env::args().nth(1).is_some_and(|argument| argument == ARGUMENT)
}

/// Serves until its parent ends. A number on standard input is a latency in milliseconds; an
/// empty line asks for the number of LIST requests.
pub(crate) fn serve(archive: Synthetic) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(S3Server::start()).unwrap();
    server.create_bucket(BUCKET);
    let objects =
        archive.objects().map(|object| (object.key, object.version.size, object.uploaded_at));
    server.put_many_synthetic(BUCKET, objects);
    println!("{}\n{}\n{}", server.endpoint_url(), server.access_key(), server.secret_key());
    for line in std::io::stdin().lines().map_while(Result::ok) {
        if line.is_empty() {
            println!("{}", server.requests().of(Operation::List));
            server.reset_requests();
        } else {
            server.set_latency(Duration::from_millis(line.parse().unwrap()));
        }
    }
}

fn read_line(answers: &mut impl BufRead) -> String {
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}
