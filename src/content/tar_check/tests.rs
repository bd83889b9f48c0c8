use super::*;
use crate::content::page::checksum;
use crate::content::relation_map::tests::map;
use crate::content::tar::tests::closed;
use crate::content::tar::tests::file;
use crate::content::tar::tests::header;
use crate::content::transactions::TransactionLog;

fn check(bytes: &[u8], piece: usize) -> TarReport {
    let expected = TarExpectation { contents: TarContents::DataDirectory, has_checksums: true };
    let mut check = TarCheck::new(expected);
    bytes.chunks(piece).for_each(|piece| check.feed(piece));
    check.report()
}

fn file_of_map() -> String {
    "global/pg_filenode.map".to_owned()
}

fn page(fill: u8, block: u32) -> Vec<u8> {
    let mut page = [fill; PAGE_BYTES];
    let sum = checksum(&page, block);
    page[8..10].copy_from_slice(&sum.to_le_bytes());
    page.to_vec()
}

#[test]
fn pages_are_looked_at_however_the_bytes_are_cut() {
    let mut relation = [page(1, 0), page(2, 1), vec![0; PAGE_BYTES], page(3, 3)].concat();
    relation[PAGE_BYTES + 100] ^= 1;
    let mut bytes = file("./PG_VERSION", b"15\n");
    bytes.extend(file("base/5/16384", &relation));
    bytes.extend(file("base/5/16384_init", b""));
    bytes.extend(file("base/5/2619.1", &page(4, 131_072)));
    bytes.extend(file("base/5/PG_VERSION", &[9; 8192]));
    bytes.extend(file("pg_xact/0000", &[9; 8192]));
    bytes.extend(file("base/5/1247", &[7; PAGE_BYTES + 100]));
    bytes.extend(file("base/5/1249", &[0; 100]));
    bytes.extend(file("base/5/2619.2", b""));
    bytes.extend(file("base/5/pg_filenode.map", &map(512)));
    bytes.extend(file("global/pg_filenode.map", &[0; 524]));
    bytes.extend(file("backup_label", b"START WAL LOCATION"));
    let bytes = closed(bytes);
    let whole = check(&bytes, bytes.len());
    assert_eq!((whole.members, whole.pages, whole.wrong_page_count), (12, 4, 3));
    let wrong: Vec<_> = whole.wrong_pages.keys().map(|page| page.place()).collect();
    // One is wrong as a whole, and one of which the file holds a beginning only; one that is all zero is new.
    let file = |relation: u32| format!("base/5/{relation}");
    assert_eq!(wrong, [(file(1247), 0), (file(1247), 1), (file(16384), 1)]);
    let (newest, at) = whole.newest_page.unwrap();
    assert_eq!(newest.place(), ("base/5/2619.1".to_owned(), 0));
    assert_eq!(at, Lsn::new(0x0404_0404_0404_0404));
    assert_eq!(whole.wrong_maps.first, [(file_of_map(), RelationMapError::Magic)]);
    // Of database 5 the file of the catalogue that its map names is not there.
    assert_eq!(whole.catalogues.missing(), ["base/5/1259"]);
    assert_eq!(whole.transaction_files, [(TransactionLog::Ends, 0)].into());
    assert_eq!(whole.version.as_deref(), Some("15"));
    assert_eq!((whole.unlogged.len(), whole.later_files.len()), (1, 1));
    let label = whole.backup_label.clone().unwrap();
    assert!(label.is_last && label.text.starts_with("START"));
    assert!(whole.is_closed && whole.error.is_none());
    for piece in [1, 511, 4096, 8191, 8193, 65_536] {
        assert_eq!(check(&bytes, piece), whole, "{piece}");
    }
}

#[test]
fn a_file_that_ends_inside_a_page_is_told_without_checksums_as_well() {
    let expected = TarExpectation { contents: TarContents::DataDirectory, has_checksums: false };
    let mut check = TarCheck::new(expected);
    check.feed(&closed(file("base/5/16384", &[7; PAGE_BYTES + 512])));
    let report = check.report();
    assert_eq!((report.pages, report.wrong_page_count), (0, 1));
    assert_eq!(report.wrong_pages.keys().next().unwrap().place().1, 1);
}

#[test]
fn a_member_behind_the_label_one_that_leads_out_and_a_link_are_told() {
    let mut bytes = file("backup_label", b"x");
    bytes.extend(file("../../etc/passwd", b"x"));
    bytes.extend(header("base/5/16384", b'2', 0));
    bytes.extend(header("pg_wal", b'2', 0));
    let report = check(&closed(bytes), 512);
    assert!(!report.backup_label.unwrap().is_last);
    assert_eq!(report.strays.first, ["../../etc/passwd"]);
    assert_eq!(report.no_files.first, ["base/5/16384"]);
}

#[test]
fn what_is_kept_of_a_member_is_bounded() {
    let report = check(&closed(file("global/pg_control", &vec![1; 100_000])), 512);
    assert_eq!(report.control_file, Some(Err(ControlFileError::Length(8193))));
    let report = check(&closed(file("backup_label", &vec![b'x'; 100_000])), 512);
    assert_eq!(report.backup_label.unwrap().text.len(), LABEL_BYTES_MAX);
}

#[test]
fn of_no_tar_nothing_is_said_but_that() {
    let report = check(&[7; 4096], 512);
    assert!(!report.is_closed && report.error.is_some());
    assert_eq!(report.members, 0);
}
