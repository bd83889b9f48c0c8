//! What the server of the backup was set to, from the files that the backup holds of it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A file of settings is some kilobytes; what a backup calls so may be anything.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// As many as PostgreSQL takes (`MAX_BACKENDS` in `postmaster.h`).
const PREPARED_MAX: u32 = 0x3_FFFF;

/// How many transactions the server of the backup allowed to be prepared; the log may hold as many.
pub(super) fn prepared_transactions(data: &Path) -> u32 {
    let values = ["postgresql.conf", "custom.conf", "postgresql.auto.conf"].map(|name| {
        let mut bytes = Vec::new();
        // What cannot be read is not known: there is a least for that.
        let read = File::open(data.join(name))
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
        read.ok().map(|_| prepared_in(&bytes))
    });
    values.into_iter().flatten().max().unwrap_or_default()
}

/// The highest value, whichever of several lines counts. Comments may be in any encoding.
pub fn prepared_in(file: &[u8]) -> u32 {
    const NAME: &str = "max_prepared_transactions";
    let text = String::from_utf8_lossy(file);
    let values = text.lines().filter_map(|line| {
        let line = line.trim();
        let (name, value) = (line.get(..NAME.len())?, line.get(NAME.len()..)?);
        let value = value.trim_start_matches([' ', '=', '\t']).trim_start_matches('\'');
        let digits = value.split(|it: char| !it.is_ascii_digit()).next()?;
        name.eq_ignore_ascii_case(NAME).then(|| digits.parse::<u32>().ok())?
    });
    values.max().unwrap_or_default().min(PREPARED_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_is_found_in_any_spelling() {
        for (file, expected) in [
            (b"max_prepared_transactions = 9\nmax_prepared_transactions = '7'".as_slice(), 9),
            (b"# gr\xfc\xdfe\n  Max_Prepared_Transactions\t12 # twelve", 12),
            (b"#max_prepared_transactions = 9\nmax_prepared_transactions_of = 8", 0),
            (b"max_prepared_transactions = '4000000000'", PREPARED_MAX),
            (b"max_prepared_transactions = on", 0),
            (b"", 0),
        ] {
            assert_eq!(prepared_in(file), expected, "{}", String::from_utf8_lossy(file));
        }
    }

    #[test]
    fn a_file_of_any_size_takes_little_memory() {
        let data = tempfile::tempdir().unwrap();
        let file = File::create(data.path().join("postgresql.conf")).unwrap();
        // With holes: it takes no room.
        file.set_len(1 << 40).unwrap();
        assert_eq!(prepared_transactions(data.path()), 0);
    }
}
