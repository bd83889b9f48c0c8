//! What a pod that read one base backup has to say of it, in a message that Kubernetes keeps.
//!
//! The message is data from outside: whoever may write the status of pods can write it. What is not
//! exactly as it should be tells nothing, and never that a backup is whole.

mod wire;

use std::fmt;

use twox_hash::XxHash3_128;

use crate::content::damage::BackupDamage;
use crate::domain::backup::BackupId;
use crate::observation::folder_sums::ObjectSum;

/// Which backup of which archive is read; Jobs are named after it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadingKey(String);

/// A result, for whoever asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupResult {
    pub key: ReadingKey,
    pub end: ReadingEnd,
}

/// How the reading of a backup ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadingEnd {
    Read(ReadBackup),
    /// It could not be read to its end.
    Unread(String),
}

/// A backup that was read to its last byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadBackup {
    /// Over names, entity tags and sizes of the objects that were read.
    pub sum: ObjectSum,
    pub objects: u64,
    /// Of these objects, as they are stored.
    pub bytes: u64,
    /// The first ones.
    pub damages: Vec<BackupDamage>,
    /// How many damages are not named.
    pub more: u64,
}

/// Why a message tells nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResultFlaw {
    #[error("its message is not a result: {0}")]
    Malformed(String),
    #[error("its message is a result of version {0}, and this program reads {VERSION}")]
    Version(u64),
    #[error("its result is of another backup")]
    Key,
    #[error("its result is of other objects than are stored now")]
    Objects,
    #[error("the backup could not be read: {0}")]
    Unread(String),
}

/// Of the message; another one is another program's.
const VERSION: u64 = 1;

/// Kubernetes keeps 4,096 bytes of a container's message (`MaxContainerTerminationMessageLength` in
/// `pkg/kubelet/container/runtime.go`).
pub const RESULT_BYTES_MAX: usize = 4_000;

/// So many are named.
const DAMAGES_MAX: usize = 20;

impl ReadingKey {
    /// The same in every release: a Job that is there is found again.
    pub fn of(archive: &str, backup: &BackupId) -> Self {
        Self(digest(&format!("{archive}\n{backup}")))
    }

    /// The digits of a key that another process made.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 32 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReadingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// 32 hexadecimal digits, which may stand in a label and in a name.
pub fn digest(text: &str) -> String {
    format!("{:032x}", XxHash3_128::oneshot(text.as_bytes()))
}

impl BackupResult {
    /// At most [`RESULT_BYTES_MAX`] bytes: of many damages the last ones are only counted.
    pub fn encode(&self) -> String {
        let mut result = self.clone();
        if let ReadingEnd::Read(read) = &mut result.end {
            while DAMAGES_MAX < read.damages.len() {
                read.leave_out();
            }
        }
        loop {
            let text = wire::encode(&result);
            if text.len() <= RESULT_BYTES_MAX || !result.end.leave_out() {
                return text;
            }
        }
    }

    /// What a message says of the backup that has this key and, at present, these objects.
    pub fn read(
        message: &str,
        key: &ReadingKey,
        sum: Option<ObjectSum>,
    ) -> Result<ReadBackup, ResultFlaw> {
        if RESULT_BYTES_MAX < message.len() {
            return Err(ResultFlaw::Malformed(format!("it has {} bytes", message.len())));
        }
        let Self { key: told, end } = wire::decode(message)?;
        if told != *key {
            return Err(ResultFlaw::Key);
        }
        match end {
            ReadingEnd::Unread(why) => Err(ResultFlaw::Unread(why)),
            ReadingEnd::Read(read) if Some(read.sum) != sum => Err(ResultFlaw::Objects),
            ReadingEnd::Read(read) => Ok(read),
        }
    }
}

impl ReadingEnd {
    fn leave_out(&mut self) -> bool {
        match self {
            Self::Read(read) => read.leave_out(),
            Self::Unread(_) => false,
        }
    }
}

impl ReadBackup {
    /// Whether it is just as it should be.
    pub const fn is_whole(&self) -> bool {
        self.damages.is_empty() && self.more == 0
    }

    /// Tells whether there was a damage left to be counted only.
    fn leave_out(&mut self) -> bool {
        let is_any = self.damages.pop().is_some();
        self.more = self.more.saturating_add(u64::from(is_any));
        is_any
    }
}

#[cfg(test)]
mod tests;
