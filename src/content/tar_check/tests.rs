use super::*;
use crate::content::page::checksum;
use crate::content::tar::tests::closed;
use crate::content::tar::tests::file;

fn check(bytes: &[u8], piece: usize) -> TarReport {
    let expected = TarExpectation { contents: TarContents::DataDirectory, has_checksums: true };
    let mut check = TarCheck::new(expected);
    bytes.chunks(piece).for_each(|piece| check.feed(piece));
    check.report()
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
    bytes.extend(file("base/5/1247", &[0; 100]));
    bytes.extend(file("backup_label", b"START WAL LOCATION"));
    let bytes = closed(bytes);
    let whole = check(&bytes, bytes.len());
    assert_eq!((whole.members, whole.pages, whole.wrong_page_count), (8, 4, 1));
    let (wrong, _) = whole.wrong_pages.first_key_value().unwrap();
    assert_eq!(wrong.place(), ("base/5/16384".to_owned(), 1));
    assert_eq!(whole.version.as_deref(), Some("15"));
    assert_eq!(whole.cut_relations.first, ["base/5/1247"]);
    assert_eq!((whole.unlogged.len(), whole.later_files.len()), (1, 1));
    let label = whole.backup_label.clone().unwrap();
    assert!(label.is_last && label.text.starts_with("START"));
    assert!(whole.is_closed && whole.error.is_none());
    for piece in [1, 511, 4096, 8191, 8193, 65_536] {
        assert_eq!(check(&bytes, piece), whole, "{piece}");
    }
}

#[test]
fn a_member_behind_the_label_and_one_that_leads_out_are_told() {
    let mut bytes = file("backup_label", b"x");
    bytes.extend(file("../../etc/passwd", b"x"));
    let report = check(&closed(bytes), 512);
    assert!(!report.backup_label.unwrap().is_last);
    assert_eq!(report.strays.first, ["../../etc/passwd"]);
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
