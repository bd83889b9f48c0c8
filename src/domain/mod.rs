//! The words of the field as types, and the formats they are written in.
//!
//! Knows no other module, does no I/O, and cannot panic on anything it reads.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod archive_file;
pub mod archive_id;
pub mod asked_target;
pub mod backup;
pub mod backup_info;
pub mod cluster;
pub mod codec;
pub mod depth;
pub mod destination;
pub mod drill;
pub mod drill_check;
pub mod drill_document;
pub mod drill_id;
pub mod drill_source;
pub mod endpoint;
pub mod format;
pub mod lsn;
pub mod moment;
pub mod object_key;
pub mod object_version;
pub mod operator_version;
pub mod orphan;
mod python_literal;
pub mod recovery_cluster;
pub mod recovery_store;
pub mod recovery_target;
pub mod retention_policy;
pub mod schedule;
pub mod segment;
pub mod segment_set;
pub mod storage_class;
pub mod timeline;
pub mod unreadable;
