//! What `restore_command` runs: asks the restore that started the server for a file of the log.
//!
//! The restore puts it where the server wants it, so this program needs no store, no key and no time.

use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;

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
    pub(super) fn line(&self) -> String {
        match self {
            Self::Delivered => "delivered\n".to_owned(),
            Self::Missing => "missing\n".to_owned(),
            Self::Unread(why) => format!("unread {}\n", why.replace(['\n', '\r'], " ")),
        }
    }

    fn parse(line: &str) -> Self {
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
    stream.write_all(format!("{name}\t{path}\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
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
}
