//! What a restore reads from outside leads to no file elsewhere, and takes a bounded memory: members of a
//! base backup, the server's log, its settings, the history that it wrote, requests at the socket.
//!
//! The last two bytes choose the pieces, and how many headers are given the checksum that fits.
#![no_main]

use std::path::Component;
use std::path::Path;

use cnpg_backup_verifier::content::tar::Event;
use cnpg_backup_verifier::content::tar::TarReader;
use cnpg_backup_verifier::domain::object_key::TarContents;
use cnpg_backup_verifier::domain::timeline::TimelineId;
use cnpg_backup_verifier::restore::history::Written;
use cnpg_backup_verifier::restore::log::Line;
use cnpg_backup_verifier::restore::log::Lines;
use cnpg_backup_verifier::restore::source_settings::prepared_in;
use cnpg_backup_verifier::restore::wal_request::Reply;
use cnpg_backup_verifier::restore::wal_request::Request;
use cnpg_backup_verifier::restore::wanted::Wanted;
use libfuzzer_sys::fuzz_target;

const BLOCK: usize = 512;

/// Each byte may become a replacement character.
const LINE_MAX: usize = 3 * 4096;

fuzz_target!(|bytes: &[u8]| {
    let Some((bytes, &[piece, mended])) = bytes.split_last_chunk() else { return };
    members(bytes, usize::from(mended));
    let whole = lines(bytes, bytes.len().max(1));
    assert_eq!(whole, lines(bytes, usize::from(piece) + 1));
    for line in &whole {
        assert!(line.len() <= LINE_MAX && !line.contains('\n'));
        Line::parse(line);
    }
    assert!(prepared_in(bytes) <= 0x3_FFFF);
    let newest = TimelineId::new(u32::MAX).unwrap();
    if let Some(written) = Written::parse(newest, bytes) {
        assert!(written.ended_on <= written.followed);
    }
    if let Some(request) = Request::parse(bytes) {
        assert!(!request.name.contains('\t') && request.path.starts_with("pg_wal/RECOVERY"));
    }
    let reply = Reply::parse(&String::from_utf8_lossy(bytes));
    let again = Reply::parse(&reply.line());
    assert_eq!(again, Reply::parse(&again.line()));
});

fn lines(bytes: &[u8], piece: usize) -> Vec<String> {
    let mut lines = Lines::default();
    let mut found = Vec::new();
    for mut piece in bytes.chunks(piece) {
        while !piece.is_empty() {
            found.extend(lines.step(&mut piece));
        }
    }
    found.extend(lines.rest());
    found
}

fn members(bytes: &[u8], mended: usize) {
    let mut bytes = bytes.to_vec();
    // A mutation hardly ever finds a sum; with one, what lies behind it is reached.
    for block in bytes.chunks_exact_mut(BLOCK).take(mended) {
        mend(block);
    }
    for contents in [TarContents::DataDirectory, TarContents::Tablespace(16_400)] {
        let (mut reader, mut rest) = (TarReader::default(), bytes.as_slice());
        while let Ok(Some(event)) = reader.step(&mut rest) {
            let Event::Member(member) = event else { continue };
            match Wanted::of(contents, &member) {
                Ok(Wanted::Directory(path) | Wanted::File(path)) => stays(contents, &path),
                Ok(Wanted::Nothing) | Err(_) => {}
            }
        }
    }
}

fn stays(contents: TarContents, path: &Path) {
    assert!(path.components().count() > 0);
    assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
    assert!(Path::new("/restored").join(path).starts_with("/restored/"));
    if contents == TarContents::DataDirectory {
        assert_ne!(path, Path::new("tablespace_map"));
        assert!(!path.starts_with("pg_tblspc") || path == Path::new("pg_tblspc"));
    }
}

fn mend(block: &mut [u8]) {
    block[257..262].copy_from_slice(b"ustar");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}
