use crate::content::members::BlockId;
use crate::content::members::Fork;
use crate::content::members::RelationFile;

use super::*;

const SUM: ObjectSum = ObjectSum(u128::MAX - 7);

fn key() -> ReadingKey {
    ReadingKey::of("s3://backups/main", &BackupId::parse("20260801T020000").unwrap())
}

fn read(damages: Vec<BackupDamage>) -> ReadBackup {
    ReadBackup { sum: SUM, objects: 2, bytes: 7 << 40, damages, more: 0 }
}

fn result(damages: Vec<BackupDamage>) -> BackupResult {
    BackupResult { key: key(), end: ReadingEnd::Read(read(damages)) }
}

fn taken(message: &str) -> Result<ReadBackup, ResultFlaw> {
    BackupResult::read(message, &key(), Some(SUM))
}

fn every_kind() -> Vec<BackupDamage> {
    let (object, why) = ("data.tar.bz2".to_owned(), "it is \"quoted\"".to_owned());
    let file = |block| {
        let file = RelationFile {
            tablespace: u32::MAX,
            database: 5,
            relation: 16384,
            fork: Fork::Visibility,
            segment: 0,
        };
        BlockId { file, block }
    };
    vec![
        BackupDamage::Truncated { object: object.clone() },
        BackupDamage::Undecodable { object: object.clone(), why: why.clone() },
        BackupDamage::BadTar { object, why: why.clone() },
        BackupDamage::MissingMembers(vec!["PG_VERSION".to_owned(), "backup_label".to_owned()]),
        BackupDamage::Foreign { member: "global/pg_control".to_owned(), why },
        BackupDamage::PageChecksum { first: vec![file(0), file(u32::MAX)], count: 9_000 },
    ]
}

#[test]
fn a_result_is_read_as_it_was_written() {
    assert_eq!(taken(&result(Vec::new()).encode()), Ok(read(Vec::new())));
    assert!(read(Vec::new()).is_whole());
    let all = every_kind();
    assert_eq!(taken(&result(all.clone()).encode()), Ok(read(all.clone())));
    assert!(!read(all).is_whole());
}

#[test]
fn of_many_damages_the_first_are_named_and_the_others_counted() {
    let many: Vec<BackupDamage> =
        (0..50).map(|n| BackupDamage::Truncated { object: format!("{n}_data.tar") }).collect();
    let told = taken(&result(many).encode()).unwrap();
    assert_eq!((told.damages.len(), told.more), (20, 30));
    let long = |n| BackupDamage::BadTar {
        object: format!("{n}{}", "\"".repeat(9_000)),
        why: "\u{10ffff}\n".repeat(9_000),
    };
    let message = result((0..20).map(long).collect()).encode();
    assert!(message.len() <= RESULT_BYTES_MAX, "{}", message.len());
    let members = BackupDamage::MissingMembers(vec!["\"".repeat(9_000); 50]);
    let message = result(vec![members]).encode();
    assert!(message.len() <= RESULT_BYTES_MAX, "{}", message.len());
    assert_eq!(taken(&message).unwrap().damages.len(), 1);
    let message = result((0..20).map(long).collect()).encode();
    let told = taken(&message).unwrap();
    assert!(!told.damages.is_empty() && told.damages.len() as u64 + told.more == 20, "{told:?}");
    assert!(!told.is_whole());
}

/// Each would have passed for a whole backup if anything were made up for what is missing.
#[test]
fn a_message_that_is_cut_or_changed_tells_nothing() {
    let whole = result(Vec::new()).encode();
    for end in 0..whole.len() {
        assert!(matches!(taken(&whole[..end]), Err(ResultFlaw::Malformed(_))), "{end}");
    }
    let changed = |from: &str, to: &str| {
        let changed = whole.replacen(from, to, 1);
        assert_ne!(changed, whole, "{from}");
        taken(&changed).unwrap_err()
    };
    assert_eq!(changed("\"version\":1", "\"version\":2"), ResultFlaw::Version(2));
    assert_eq!(changed(key().as_str(), &"0".repeat(32)), ResultFlaw::Key);
    for (from, to) in [
        ("\"more\":0", "\"more\":-1"),
        ("\"more\":0", "\"left\":0"),
        ("\"more\":0", "\"more\":3"),
        ("\"damages\":[],", ""),
        ("\"damages\":[]", "\"damages\":[{\"melted\":\"data.tar\"}]"),
        ("\"read\"", "\"raed\""),
        ("}}", "},\"unread\":\"both\"}"),
        ("}}", "}} trailing"),
    ] {
        assert!(matches!(changed(from, to), ResultFlaw::Malformed(_)), "{from} {to}");
    }
    let padded = format!("{whole}{}", " ".repeat(RESULT_BYTES_MAX));
    assert!(matches!(taken(&padded), Err(ResultFlaw::Malformed(_))));
}

#[test]
fn a_result_counts_for_the_objects_that_were_read_and_no_others() {
    let message = result(Vec::new()).encode();
    let other = BackupId::parse("20260802T020000").unwrap();
    for key in [
        ReadingKey::of("s3://backups/main", &other),
        ReadingKey::of("s3://backups/other", &BackupId::parse("20260801T020000").unwrap()),
    ] {
        assert_eq!(BackupResult::read(&message, &key, Some(SUM)), Err(ResultFlaw::Key));
    }
    for sum in [None, Some(ObjectSum(1))] {
        assert_eq!(BackupResult::read(&message, &key(), sum), Err(ResultFlaw::Objects));
    }
    let end = ReadingEnd::Unread("the store is away\n".to_owned());
    let unread = BackupResult { key: key(), end }.encode();
    assert_eq!(taken(&unread), Err(ResultFlaw::Unread("the store is away?".to_owned())));
}

#[test]
fn a_key_is_the_same_in_every_release() {
    assert_eq!(ReadingKey::parse(key().as_str()), Some(key()));
    for wrong in ["", "xyz", &"G".repeat(32), &"a".repeat(31)] {
        assert_eq!(ReadingKey::parse(wrong), None, "{wrong}");
    }
}
