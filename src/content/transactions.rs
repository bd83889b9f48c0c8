//! The files that tell how transactions ended, and which of them there must be.

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransactionLog {
    /// Without it the server takes transactions for never committed.
    Ends,
    /// Of rows that several transactions lock. Without it the server does not start.
    Offsets,
    Members,
}

/// The oldest transaction and the next one, and the same of groups of them that lock a row together, as a
/// checkpoint knows them. All begin again after the last number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transactions {
    pub oldest: u32,
    pub next: u32,
    pub oldest_group: u32,
    pub next_group: u32,
    /// In the members of groups.
    pub next_member: u32,
}

/// `SLRU_PAGES_PER_SEGMENT` in `slru.h`.
const PAGES_PER_FILE: u32 = 32;

impl TransactionLog {
    const ALL: [Self; 3] = [Self::Ends, Self::Offsets, Self::Members];

    const fn folder(self) -> &'static str {
        match self {
            Self::Ends => "pg_xact/",
            Self::Offsets => "pg_multixact/offsets/",
            Self::Members => "pg_multixact/members/",
        }
    }

    /// `CLOG_XACTS_PER_PAGE` in `clog.c`, `MULTIXACT_OFFSETS_PER_PAGE` and `MULTIXACT_MEMBERS_PER_PAGE` in
    /// `multixact.c`, until version 18.
    const fn per_file(self) -> u32 {
        match self {
            Self::Ends => PAGES_PER_FILE * 8192 * 4,
            Self::Offsets => PAGES_PER_FILE * 2048,
            Self::Members => PAGES_PER_FILE * 1636,
        }
    }

    /// Which file it is; `None` for all others.
    pub fn file(path: &str) -> Option<(Self, u32)> {
        Self::ALL.into_iter().find_map(|log| {
            let name = path.strip_prefix(log.folder())?;
            let is_name =
                (4..=5).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            let number = u32::from_str_radix(name, 16).ok().filter(|_| is_name)?;
            Some((log, number))
        })
    }

    /// The reverse.
    pub fn path(self, number: u32) -> String {
        format!("{}{number:04X}", self.folder())
    }
}

impl Transactions {
    /// All files that hold them.
    pub fn files(&self) -> Vec<(TransactionLog, u32)> {
        use TransactionLog::Ends;
        use TransactionLog::Members;
        use TransactionLog::Offsets;
        let Self { oldest, next, oldest_group, next_group, next_member } = *self;
        let ends = numbers(Ends, oldest, next).into_iter().map(|it| (Ends, it));
        let groups = numbers(Offsets, oldest_group, next_group).into_iter();
        // Where the oldest member lies is not known.
        let members = numbers(Members, next_member, next_member).into_iter();
        let groups = groups.map(|it| (Offsets, it));
        ends.chain(groups).chain(members.map(|it| (Members, it))).collect()
    }
}

/// The last file may not be there if nothing was written to it: it is made with the first number in it.
fn numbers(log: TransactionLog, oldest: u32, next: u32) -> Vec<u32> {
    let per_file = log.per_file();
    let newest = next.wrapping_sub(1);
    let last = newest / per_file;
    if oldest == next {
        return if next.is_multiple_of(per_file) { Vec::new() } else { vec![last] };
    }
    let first = oldest / per_file;
    if first <= last {
        return (first..=last).collect();
    }
    (first..=u32::MAX / per_file).chain(0..=last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_paths() {
        for (path, expected) in [
            ("pg_xact/00A0", Some((TransactionLog::Ends, 160))),
            ("pg_multixact/offsets/0000", Some((TransactionLog::Offsets, 0))),
            ("pg_multixact/members/14078", Some((TransactionLog::Members, 0x14078))),
            ("pg_xact/0", None),
            ("pg_xact/000G", None),
            ("pg_subtrans/0000", None),
        ] {
            assert_eq!(TransactionLog::file(path), expected, "{path}");
            assert!(expected.is_none_or(|(log, number)| log.path(number) == path));
        }
    }

    #[test]
    fn transactions_are_told_in_files_of_a_million() {
        let files = |oldest, next| numbers(TransactionLog::Ends, oldest, next);
        assert_eq!(files(716, 717), [0]);
        assert_eq!(files(716, 1_048_576), [0]);
        assert_eq!(files(716, 1_048_577), [0, 1]);
        assert_eq!(files(2_097_152, 3_145_728), [2]);
        assert_eq!(files(4_294_967_000, 2_000_000), [4095, 0, 1]);
        assert_eq!(files(5, 5), [0]);
        assert!(files(1_048_576, 1_048_576).is_empty());
    }

    #[test]
    fn a_new_server_has_one_file_of_each_but_the_members() {
        let new =
            Transactions { oldest: 716, next: 757, oldest_group: 1, next_group: 1, next_member: 0 };
        assert_eq!(new.files(), [(TransactionLog::Ends, 0), (TransactionLog::Offsets, 0)]);
        let used = Transactions { next_group: 70_000, next_member: 60_000, ..new };
        let of = |log| move |it: &&(TransactionLog, u32)| it.0 == log;
        assert_eq!(used.files().iter().filter(of(TransactionLog::Offsets)).count(), 2);
        assert!(used.files().contains(&(TransactionLog::Members, 1)));
    }
}
