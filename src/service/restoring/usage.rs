//! What is wrong with how a restore was called, which shows only on this machine.

use crate::config::ConfigError;
use crate::restore::account::AccountError;
use crate::restore::programs::ProgramsError;

/// Wrong usage where a flag could have named another user.
pub(super) fn of_account(error: AccountError) -> anyhow::Error {
    const EXPECTED: &str =
        "a user of this machine other than root, because PostgreSQL refuses to run as root";
    let wrong = match &error {
        AccountError::Root(name) => ConfigError::late("--run-as", EXPECTED, format!("{name:?}")),
        AccountError::Unknown(name) => {
            ConfigError::late("--run-as", EXPECTED, format!("{name:?}, which it does not know"))
        }
        AccountError::NotRoot => {
            let expected = "nothing, since only root can run PostgreSQL as somebody else";
            ConfigError::late("--run-as", expected, "a user")
        }
        AccountError::Unread(..) => return error.into(),
    };
    wrong.into()
}

/// Wrong usage where a directory was named. That a machine has no PostgreSQL is none.
pub(super) fn of_programs(error: ProgramsError) -> anyhow::Error {
    let (expected, found) = match &error {
        ProgramsError::Unusable { program, why } => (
            "the directory of PostgreSQL's programs, such as /usr/lib/postgresql/17/bin".to_owned(),
            format!("no {} that runs: {why}", program.display()),
        ),
        ProgramsError::OtherVersion { directory, found, major } => (
            format!("the programs of PostgreSQL {major}, which the backup is from"),
            format!("PostgreSQL {found} in {}", directory.display()),
        ),
        ProgramsError::Missing { .. } => return error.into(),
    };
    ConfigError::late("--postgres", expected, found).into()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_flag_that_names_the_wrong_thing_is_wrong_usage() {
        let programs = |found: &str| ProgramsError::OtherVersion {
            directory: PathBuf::from("/opt/bin"),
            found: found.to_owned(),
            major: 15,
        };
        for (error, expected) in [
            (of_account(AccountError::Root("root".to_owned())), "other than root"),
            (of_account(AccountError::Unknown("x".to_owned())), "\"x\", which it does not know"),
            (of_account(AccountError::NotRoot), "--run-as: expected nothing"),
            (of_programs(programs("18.6")), "found PostgreSQL 18.6 in /opt/bin"),
        ] {
            assert!(error.is::<ConfigError>(), "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
        let missing = of_programs(ProgramsError::Missing { major: 15, sought: Vec::new() });
        assert!(!missing.is::<ConfigError>(), "{missing}");
    }
}
