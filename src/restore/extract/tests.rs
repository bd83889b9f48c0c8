use std::os::unix::fs::MetadataExt;

use proptest::prelude::*;
use tempfile::TempDir;

use crate::content::tar::tests::closed;
use crate::content::tar::tests::file;
use crate::content::tar::tests::header;
use crate::content::tar_check::TarExpectation;

use super::*;

/// Unpacks below a directory of its own, piece by piece.
fn unpack(contents: TarContents, tar: &[u8]) -> (TempDir, Option<String>) {
    let root = tempfile::tempdir().unwrap();
    let to = root.path().join("data");
    fs::create_dir(&to).unwrap();
    let check = TarCheck::new(TarExpectation { contents, has_checksums: false });
    let (mut extract, failure) = Extract::new(contents, &to, Account::own(), check);
    tar.chunks(700).for_each(|piece| extract.feed(piece));
    let failure = failure.get().map(ToString::to_string);
    (root, failure)
}

/// Everything below a directory.
fn names(root: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            names.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            if path.is_dir() && !path.is_symlink() {
                left.push(path);
            }
        }
    }
    names.sort();
    names
}

#[test]
fn files_come_with_their_folders_and_for_their_owner_alone() {
    let tar = [
        header("base", b'5', 0),
        file("base/5/16384", &[7; 20_000]),
        file("./PG_VERSION", b"15\n"),
        file("./empty", b""),
    ];
    let (root, failure) = unpack(TarContents::DataDirectory, &closed(tar.concat()));
    assert_eq!(failure, None);
    let data = root.path().join("data");
    assert_eq!(names(&data), ["PG_VERSION", "base", "base/5", "base/5/16384", "empty"]);
    assert_eq!(fs::read(data.join("base/5/16384")).unwrap(), [7; 20_000]);
    let mode = |name: &str| fs::metadata(data.join(name)).unwrap().mode() & 0o777;
    assert_eq!((mode("base"), mode("base/5/16384")), (0o700, 0o600));
}

#[test]
fn what_belongs_to_the_server_that_was_copied_is_left_out() {
    let tar = [
        header("pg_wal", b'2', 0),
        file("pg_wal/000000010000000000000001", b"x"),
        file("pg_replslot/a/state", b"x"),
        header("pg_tblspc/16384", b'2', 0),
        file("./postmaster.pid", b"1"),
        // It would have the server link its tablespaces to those of its source.
        file("./tablespace_map", b"16384 /srv/source\n"),
        header("dangling", b'2', 0),
        file("./kept", b"x"),
    ];
    let tar = closed(tar.concat());
    let (root, failure) = unpack(TarContents::DataDirectory, &tar);
    assert_eq!(failure, None);
    // A link to another volume becomes a directory.
    assert_eq!(names(&root.path().join("data")), ["kept", "pg_wal"]);
    // In a tablespace these names mean nothing.
    let (root, _) = unpack(TarContents::Tablespace(1), &closed(file("pg_wal/a", b"x")));
    assert_eq!(names(&root.path().join("data")), ["pg_wal", "pg_wal/a"]);
}

#[test]
fn nothing_is_written_outside_the_directory() {
    for path in ["../out", "a/../../out", "/tmp/out", ".."] {
        let tar = [file(path, b"x"), file("after", b"x")];
        let (root, failure) = unpack(TarContents::DataDirectory, &closed(tar.concat()));
        assert!(failure.unwrap().contains("outside the directory"), "{path}");
        assert_eq!(names(root.path()), ["data"], "{path}");
    }
}

/// As a path of its own it would be one of the machine's.
#[test]
fn a_doubled_slash_begins_no_path_of_the_machine() {
    let elsewhere = tempfile::tempdir().unwrap();
    let path = format!("./{}/file", elsewhere.path().display());
    assert!(path.starts_with(".//"));
    let (root, failure) = unpack(TarContents::DataDirectory, &closed(file(&path, b"x")));
    assert_eq!(failure, None);
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0, "{path}");
    assert!(root.path().join("data").join(path).exists());
}

proptest! {
    #[test]
    fn whatever_members_are_called_they_stay_inside(path in "[./a-b\\\\ ]{0,12}", kind in 0x30_u8..0x38) {
        let tar = closed([header(&path, kind, 0), file(&format!("{path}/x"), b"x")].concat());
        let (root, _) = unpack(TarContents::DataDirectory, &tar);
        let outside: Vec<String> =
            names(root.path()).into_iter().filter(|it| !it.starts_with("data")).collect();
        prop_assert_eq!(outside, Vec::<String>::new());
    }
}
