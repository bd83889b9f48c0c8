//! A key means what would be written under it, and nothing else.
#![no_main]

use cnpg_backup_verifier::domain::archive_file::ArchiveFile;
use cnpg_backup_verifier::domain::archive_file::ArchiveFileKind;
use cnpg_backup_verifier::domain::backup::BackupId;
use cnpg_backup_verifier::domain::codec::Codec;
use cnpg_backup_verifier::domain::object_key::BackupFile;
use cnpg_backup_verifier::domain::object_key::ServerFolder;
use cnpg_backup_verifier::domain::object_key::TarContents;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|key: &str| {
    let folder = ServerFolder::new("", "pg");
    let archive_file = folder.archive_file(key);
    let backup_file = folder.backup_file(key);
    assert!(archive_file.is_none() || backup_file.is_none(), "WAL and backup at once");
    if let Some(file) = archive_file {
        check_archive_file(&folder, key, file);
    }
    if let Some((id, file)) = &backup_file {
        check_backup_file(&folder, key, id, file);
    }

    let below = ServerFolder::new("/a/b/", "pg");
    let key_below = format!("a/b/{key}");
    assert_eq!(below.archive_file(&key_below), archive_file, "a prefix matters");
    assert_eq!(below.backup_file(&key_below), backup_file, "a prefix matters");
    if !key.starts_with(below.as_str()) {
        assert_eq!((below.archive_file(key), below.backup_file(key)), (None, None));
    }
});

fn check_archive_file(folder: &ServerFolder, key: &str, file: ArchiveFile) {
    let ArchiveFile { kind, codec } = file;
    let suffix = codec.suffix();
    match kind {
        ArchiveFileKind::Segment(name) => assert_eq!(folder.segment(name, codec), key),
        ArchiveFileKind::History(timeline) => assert_eq!(folder.history(timeline, codec), key),
        ArchiveFileKind::Partial(name) => {
            assert_eq!(format!("{}.partial{suffix}", folder.segment(name, Codec::None)), key);
        }
        ArchiveFileKind::BackupLabel(name) => {
            let rest = key.strip_prefix(&folder.segment(name, Codec::None)).unwrap();
            let offset = rest.strip_suffix(suffix).and_then(|it| it.strip_suffix(".backup"));
            assert_eq!(offset.map(str::len), Some(".00000028".len()), "{key:?}");
        }
    }
}

fn check_backup_file(folder: &ServerFolder, key: &str, id: &BackupId, file: &BackupFile) {
    match file {
        BackupFile::Info => assert_eq!(folder.backup_info(id), key),
        BackupFile::Keep => assert_eq!(folder.keep_annotation(id), key),
        // Zeros before a number are not kept.
        BackupFile::Tar { contents, piece, codec } => {
            let contents = match contents {
                TarContents::DataDirectory => "data".to_owned(),
                TarContents::Tablespace(oid) => oid.to_string(),
            };
            let piece = if *piece == 0 { String::new() } else { format!("_{piece:04}") };
            let name = format!("{contents}{piece}.tar{}", codec.suffix());
            let written = format!("{}{id}/{name}", folder.base());
            assert_eq!(folder.backup_file(&written), Some((id.clone(), file.clone())), "{key:?}");
        }
        BackupFile::Other => assert!(key.starts_with(&format!("{}{id}/", folder.base()))),
    }
}
