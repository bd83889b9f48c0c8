//! What a pod says of the backup that it read is taken as it was written, and never for more.
#![no_main]

use cnpg_backup_verifier::observation::backup_result::BackupResult;
use cnpg_backup_verifier::observation::backup_result::RESULT_BYTES_MAX;
use cnpg_backup_verifier::observation::backup_result::ReadingEnd;
use cnpg_backup_verifier::observation::backup_result::ReadingKey;
use cnpg_backup_verifier::observation::folder_sums::ObjectSum;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|message: &str| {
    // As whoever asked for it would know both.
    let Ok(told) = serde_json::from_str::<Value>(message) else { return };
    let key = told["key"].as_str().and_then(ReadingKey::parse);
    let sum = told["read"]["sum"].as_str().and_then(|sum| u128::from_str_radix(sum, 16).ok());
    let Some(key) = key else { return };
    let Ok(read) = BackupResult::read(message, &key, sum.map(ObjectSum)) else { return };
    assert!(message.len() <= RESULT_BYTES_MAX);
    let damages = u64::try_from(read.damages.len()).unwrap().saturating_add(read.more);
    assert_eq!(read.is_whole(), damages == 0);
    let end = ReadingEnd::Read(read.clone());
    let written = BackupResult { key: key.clone(), end }.encode();
    assert!(written.len() <= RESULT_BYTES_MAX, "{}", written.len());
    let again = BackupResult::read(&written, &key, Some(read.sum)).unwrap();
    assert_eq!(again.is_whole(), read.is_whole());
    let named = u64::try_from(again.damages.len()).unwrap();
    assert_eq!(named.saturating_add(again.more), damages);
    // Of another backup, or of other objects, it says nothing.
    let other = ReadingKey::parse(&"0".repeat(32)).filter(|other| *other != key);
    assert!(
        other.is_none_or(|other| BackupResult::read(&written, &other, sum.map(ObjectSum)).is_err())
    );
    let replaced = ObjectSum(read.sum.0 ^ 1);
    assert!(BackupResult::read(&written, &key, Some(replaced)).is_err());
});
