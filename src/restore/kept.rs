//! What a restored cluster is started with once its recovery is over.

use std::fs;
use std::io;
use std::path::Path;

/// Settings that serve the recovery alone, by their beginnings. A server that lives on needs vacuum.
const OF_RECOVERY: [&str; 4] = ["restore_command ", "recovery_", "hot_standby ", "autovacuum "];

/// Rewrites `postgresql.conf`, which keeps its owner and its mode.
pub(super) fn settle(data: &Path) -> io::Result<()> {
    let path = data.join("postgresql.conf");
    fs::write(&path, settled(&fs::read_to_string(&path)?))
}

/// The settings of the recovery without those that only it needed. The socket moves into the data
/// directory, which its owner alone may enter: whoever reaches it is a superuser.
fn settled(recovery: &str) -> String {
    let mut text = "# Written by cnpg-backup-verifier: nothing is archived, and nothing listens but a socket in\n\
                    # this directory. What the source had is in postgresql.conf.from-backup.\n"
        .to_owned();
    let mut has_socket = false;
    let settings = recovery.lines().filter(|line| !line.starts_with('#'));
    for line in settings.filter(|line| !OF_RECOVERY.iter().any(|it| line.starts_with(it))) {
        // A second one was asked for by the caller.
        if line.starts_with("unix_socket_directories ") && !has_socket {
            has_socket = true;
            text.push_str("unix_socket_directories = '.'\n");
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_recovery_is_left_and_what_was_asked_for_stays() {
        let recovery = "# Written for the time of a recovery.\n\
                        listen_addresses = ''\n\
                        hot_standby = 'off'\n\
                        autovacuum = 'off'\n\
                        unix_socket_directories = '/tmp/cnpg-restore-x'\n\
                        restore_command = 'x'\n\
                        recovery_target_time = 'x'\n\
                        recovery_prefetch = 'off'\n\
                        unix_socket_directories = '/run/mine'\n\
                        autovacuum_naptime = '5min'\n";
        let settled = settled(recovery);
        let lines: Vec<&str> = settled.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "listen_addresses = ''",
            "unix_socket_directories = '.'",
            "unix_socket_directories = '/run/mine'",
            "autovacuum_naptime = '5min'",
        ];
        assert_eq!(lines, expected);
    }
}
