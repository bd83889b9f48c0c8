//! Which members of a base backup are unpacked, and where.

use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use crate::content::tar::Member;
use crate::content::tar::MemberKind;
use crate::domain::object_key::TarContents;

/// What becomes of a member. Paths lie below the directory that it is unpacked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    Nothing,
    Directory(PathBuf),
    File(PathBuf),
}

/// It would be written outside the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadsOut;

/// Directories whose content is of the server that was copied, or comes from the archive: their members
/// are left out, as `pg_basebackup` leaves them out (`excludeDirContents` in `basebackup.c`).
const LEFT_EMPTY: [&str; 3] = ["pg_wal", "pg_replslot", "pg_tblspc"];

/// Files of the process that was copied, and one that would link tablespaces to where they lay at the
/// source, perhaps on this machine (`read_tablespace_map` in `xlogrecovery.c`).
const LEFT_OUT: [&str; 3] = ["postmaster.pid", "postmaster.opts", "tablespace_map"];

impl Wanted {
    pub fn of(contents: TarContents, member: &Member) -> Result<Self, LeadsOut> {
        let path = inside(&member.path)?;
        let is_data = contents == TarContents::DataDirectory;
        let depth = path.components().count();
        let is_in = |names: &[&str]| names.iter().any(|name| path.starts_with(name));
        let is_left_empty = is_data && is_in(&LEFT_EMPTY);
        let is_left_out = is_data && depth == 1 && is_in(&LEFT_OUT);
        if depth == 0 || is_left_out || (is_left_empty && 1 < depth) {
            return Ok(Self::Nothing);
        }
        Ok(match member.kind {
            MemberKind::Directory => Self::Directory(path),
            MemberKind::File => Self::File(path),
            // The log may have had a volume of its own; here it has a directory.
            MemberKind::Other(_) if is_left_empty => Self::Directory(path),
            MemberKind::Other(_) => Self::Nothing,
        })
    }
}

/// The path without `.` and repeated slashes: a `.//etc` is not `/etc`.
fn inside(path: &str) -> Result<PathBuf, LeadsOut> {
    let mut inside = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => inside.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(LeadsOut);
            }
        }
    }
    Ok(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside_or_leads_out() {
        for (path, expected) in [
            (".//x", Some("x")),
            ("./././/etc//passwd", Some("etc/passwd")),
            ("a/./b/", Some("a/b")),
            (".", Some("")),
            ("/x", None),
            ("a/../b", None),
        ] {
            assert_eq!(inside(path).ok(), expected.map(PathBuf::from), "{path}");
        }
    }
}
