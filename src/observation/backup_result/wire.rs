//! The message as JSON. Texts in it are cut and in ASCII, so that the first damage always fits.

use serde::Deserialize;
use serde::Serialize;

use crate::content::damage::BackupDamage;
use crate::content::damage::PAGES_NAMED_MAX;
use crate::content::members::BlockId;
use crate::content::members::Fork;
use crate::content::members::RelationFile;
use crate::observation::backup_result::BackupResult;
use crate::observation::backup_result::ReadBackup;
use crate::observation::backup_result::ReadingEnd;
use crate::observation::backup_result::ReadingKey;
use crate::observation::backup_result::ResultFlaw;
use crate::observation::backup_result::VERSION;
use crate::observation::folder_sums::ObjectSum;

#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Message {
    version: u64,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    read: Option<Read>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Read {
    /// In hexadecimal digits, as no number of JSON is so large.
    sum: String,
    objects: u64,
    bytes: u64,
    damages: Vec<Damage>,
    more: u64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Damage {
    Truncated(String),
    Undecodable(String, String),
    BadTar(String, String),
    MissingMembers(Vec<String>),
    BadMember(String, String),
    PageChecksum { first: Vec<Page>, count: u64 },
}

/// Tablespace, database, relation, fork and block.
#[derive(Deserialize, Serialize)]
struct Page(u32, u32, u32, u8, u32);

/// Names of objects are shorter; what goes on longer is a crafted path. With each of them escaped, and as
/// many members as are named, a message stays within its bound.
const CHARS_MAX: usize = 90;

/// More of them tell nothing new.
const MEMBERS_MAX: usize = 20;

pub(super) fn encode(result: &BackupResult) -> String {
    let (read, unread) = match &result.end {
        ReadingEnd::Read(read) => (Some(Read::of(read)), None),
        ReadingEnd::Unread(why) => (None, Some(cut(why))),
    };
    let message = Message { version: VERSION, key: result.key.as_str().to_owned(), read, unread };
    // Of these types nothing fails to be written. If it did, this would be no result.
    serde_json::to_string(&message).unwrap_or_else(|error| error.to_string())
}

pub(super) fn decode(message: &str) -> Result<BackupResult, ResultFlaw> {
    let malformed = |error: serde_json::Error| ResultFlaw::Malformed(error.to_string());
    let Versioned { version } = serde_json::from_str(message).map_err(malformed)?;
    if version != VERSION {
        return Err(ResultFlaw::Version(version));
    }
    let message: Message = serde_json::from_str(message).map_err(malformed)?;
    let wrong = |what: &str| ResultFlaw::Malformed(what.to_owned());
    let key = ReadingKey::parse(&message.key).ok_or_else(|| wrong("its key is none"))?;
    let end = match (message.read, message.unread) {
        (Some(read), None) => {
            ReadingEnd::Read(read.parse().ok_or_else(|| wrong("what was read makes no sense"))?)
        }
        (None, Some(why)) => ReadingEnd::Unread(cut(&why)),
        (Some(_), Some(_)) | (None, None) => return Err(wrong("expected one of read and unread")),
    };
    Ok(BackupResult { key, end })
}

impl Read {
    fn of(read: &ReadBackup) -> Self {
        let ReadBackup { sum, objects, bytes, damages, more } = read;
        let damages = damages.iter().map(Damage::of).collect();
        let sum = format!("{:032x}", sum.0);
        Self { sum, objects: *objects, bytes: *bytes, damages, more: *more }
    }

    fn parse(self) -> Option<ReadBackup> {
        let Self { sum, objects, bytes, damages, more } = self;
        let sum = ObjectSum(u128::from_str_radix(&sum, 16).ok()?);
        let damages = damages.into_iter().map(Damage::parse).collect::<Option<Vec<_>>>()?;
        let is_named = !damages.is_empty() || more == 0;
        is_named.then_some(ReadBackup { sum, objects, bytes, damages, more })
    }
}

impl Damage {
    fn of(damage: &BackupDamage) -> Self {
        match damage {
            BackupDamage::Truncated { object } => Self::Truncated(cut(object)),
            BackupDamage::Undecodable { object, why } => Self::Undecodable(cut(object), cut(why)),
            BackupDamage::BadTar { object, why } => Self::BadTar(cut(object), cut(why)),
            BackupDamage::MissingMembers(members) => {
                Self::MissingMembers(members.iter().take(MEMBERS_MAX).map(|it| cut(it)).collect())
            }
            BackupDamage::Foreign { member, why } => Self::BadMember(cut(member), cut(why)),
            BackupDamage::PageChecksum { first, count } => {
                let first = first.iter().take(PAGES_NAMED_MAX).map(Page::of).collect();
                Self::PageChecksum { first, count: *count }
            }
        }
    }

    fn parse(self) -> Option<BackupDamage> {
        Some(match self {
            Self::Truncated(object) => BackupDamage::Truncated { object },
            Self::Undecodable(object, why) => BackupDamage::Undecodable { object, why },
            Self::BadTar(object, why) => BackupDamage::BadTar { object, why },
            Self::MissingMembers(members) => BackupDamage::MissingMembers(members),
            Self::BadMember(member, why) => BackupDamage::Foreign { member, why },
            Self::PageChecksum { first, count } => {
                let first = first.into_iter().map(Page::parse).collect::<Option<Vec<_>>>()?;
                BackupDamage::PageChecksum { first, count }
            }
        })
    }
}

impl Page {
    fn of(page: &BlockId) -> Self {
        let RelationFile { tablespace, database, relation, fork, .. } = page.file;
        Self(tablespace, database, relation, fork.number(), page.block)
    }

    fn parse(self) -> Option<BlockId> {
        let Self(tablespace, database, relation, fork, block) = self;
        let fork = Fork::of_number(fork)?;
        let file = RelationFile { tablespace, database, relation, fork, segment: 0 };
        Some(BlockId { file, block })
    }
}

fn cut(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    text.chars().take(CHARS_MAX).map(plain).collect()
}
