//! What happens to the files of a restored server before it begins.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Whoever writes the first table of the database `postgres` finds no room.
pub(super) fn fill(data: &Path) {
    let file = data.join("base/5/16384");
    fs::remove_file(&file).unwrap();
    symlink("/dev/full", &file).unwrap();
}

/// As `validateTimelineHistoryFile` of CloudNativePG does while there is no primary.
pub(super) fn drop_histories(data: &Path) {
    let file = data.join("postgresql.conf");
    let mut text = fs::read_to_string(&file).unwrap();
    let mut settings = text.lines().filter_map(|line| line.strip_prefix("restore_command = '"));
    let command = settings.next_back().unwrap().to_owned();
    text += &format!("restore_command = 'case \"%f\" in *.history) exit 1 ;; esac; {command}\n");
    fs::write(&file, text).unwrap();
}
