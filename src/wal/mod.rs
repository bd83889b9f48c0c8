//! Reads write-ahead log from bytes it is given: segment headers, records, commit times.
//!
//! Checks what PostgreSQL's `xlogreader.c` checks before it replays a record, and fetches,
//! decompresses or replays nothing. Bytes come in any chunking; none of them can make it panic.

#![warn(clippy::wildcard_enum_match_arm)]

mod assembly;
mod blocks;
mod checksum;
mod damage;
mod demands;
mod fields;
#[cfg(test)]
mod generator;
mod page;
mod page_rules;
mod reader;
mod record;
mod replay;
mod restore_point;
mod survey;
mod transaction;
mod version;

pub use blocks::BlockReference;
pub use damage::Damage;
pub use damage::DamageKind;
pub use damage::HeaderDamage;
pub use damage::RecordDamage;
pub use demands::Demands;
pub use demands::RequiredParameters;
pub use page::SegmentHeader;
pub use page_rules::SegmentIdentity;
pub use reader::Ending;
pub use reader::RecordReader;
pub use reader::Step;
pub use record::Record;
pub use record::RecordHeader;
pub use replay::Replay;
pub use replay::ReplayEnd;
pub use replay::StopAt;
pub use restore_point::RestorePoint;
pub use survey::FirstRecord;
pub use survey::Survey;
pub use survey::Surveyor;
pub use transaction::Outcome;
pub use transaction::TransactionEnd;
pub use version::Version;
