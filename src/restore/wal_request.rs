//! What `restore_command` runs: asks the restore that started the server for a file of the log.
//!
//! The restore puts it where the server wants it, so this program needs no store, no key and no time.

use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// What a server asks for: a file by its name, and where it goes below the data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub name: String,
    pub path: String,
}

/// Longer than a name and a path below `pg_wal`.
pub const REQUEST_BYTES_MAX: u64 = 1024;

/// Longer than any reason.
const REPLY_BYTES_MAX: u64 = 64 << 10;

impl Request {
    fn line(&self) -> String {
        format!("{}\t{}\n", self.name, self.path)
    }

    /// `None` for what no server asks.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
        let (name, path) = line.split_once('\t')?;
        // The server names no other place (`RestoreArchivedFile` in `xlogarchive.c`).
        let is_place = matches!(path, "pg_wal/RECOVERYXLOG" | "pg_wal/RECOVERYHISTORY");
        is_place.then(|| Self { name: name.to_owned(), path: path.to_owned() })
    }
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It lies where it was wanted.
    Delivered,
    /// The archive has no such file.
    Missing,
    /// Nobody knows, and why.
    Unread(String),
}

impl Reply {
    pub fn line(&self) -> String {
        match self {
            Self::Delivered => "delivered\n".to_owned(),
            Self::Missing => "missing\n".to_owned(),
            Self::Unread(why) => format!("unread {}\n", why.replace(['\n', '\r'], " ")),
        }
    }

    pub fn parse(line: &str) -> Self {
        match line.trim_end() {
            "delivered" => Self::Delivered,
            "missing" => Self::Missing,
            other => Self::Unread(other.strip_prefix("unread ").unwrap_or(other).to_owned()),
        }
    }
}

/// Names the file and where it goes, and waits for the answer.
pub fn ask(socket: &Path, name: &str, path: &str) -> io::Result<Reply> {
    let mut stream = UnixStream::connect(socket)?;
    let request = Request { name: name.to_owned(), path: path.to_owned() };
    stream.write_all(request.line().as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(REPLY_BYTES_MAX)).read_line(&mut line)?;
    if line.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the restore has ended"));
    }
    Ok(Reply::parse(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_survives_the_socket() {
        for reply in [Reply::Delivered, Reply::Missing, Reply::Unread("the store hangs".to_owned())]
        {
            assert_eq!(Reply::parse(&reply.line()), reply);
        }
        let two = Reply::Unread("one\ntwo".to_owned());
        assert_eq!(Reply::parse(&two.line()), Reply::Unread("one two".to_owned()));
    }

    #[test]
    fn a_request_names_one_of_two_places() {
        let of =
            |path: &str| Request { name: "00000002.history".to_owned(), path: path.to_owned() };
        let asked = of("pg_wal/RECOVERYHISTORY");
        assert_eq!(Request::parse(asked.line().as_bytes()), Some(asked));
        for line in [
            of("pg_wal/../base/1").line().as_bytes(),
            b"00000002.history pg_wal/RECOVERYHISTORY\n",
            b"00000002.history\tpg_wal/RECOVERYHISTORY",
            b"\xff\tpg_wal/RECOVERYHISTORY\n",
            b"",
        ] {
            assert_eq!(Request::parse(line), None, "{}", String::from_utf8_lossy(line));
        }
    }
}
