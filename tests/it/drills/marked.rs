//! Restores that are told where to end: to the microsecond, to a restore point, to a position.

use test_servers::barman::Barman;
use test_servers::process::Account;
use test_servers::process::run;

use crate::drills::LIMIT;
use crate::drills::kept::ask;
use crate::drills::stories::Story;
use crate::drills::stories::marks::Mark;
use crate::program::of_archive;

/// Tells whether there was a way to it. Where the archive lost something, or the place lies on a
/// timeline that was left, there may be none.
#[expect(clippy::print_stdout, reason = "shown with the failure")]
pub(super) async fn restore_to(barman: &Barman, story: &Story, mark: &Mark) -> bool {
    println!("  to {}", mark.told);
    let account = Account::unprivileged();
    let folder = account.temporary_directory();
    let data = folder.path().join("restored");
    let arguments = [mark.arguments[0].as_str(), &mark.arguments[1], "--to-dir"];
    let mut command = of_archive("restore", barman, &arguments);
    let programs = story.release.program("postgres");
    command.arg(&data).arg("--postgres").arg(programs.parent().unwrap());
    let finished = run(command, LIMIT).await;
    let told = || format!("{mark:?}: {:#?}\n{finished:#?}", story.told);
    match finished.code {
        Some(0) => {}
        Some(3) if story.has_later_tablespace => {
            assert!(finished.stderr.contains("tablespace_missing"), "{}", told());
            return false;
        }
        // In the last segment of a branch, whose end was not read.
        Some(3) if mark.ticks.is_none() && finished.stdout.starts_with("UNKNOWN") => return false,
        code => {
            assert_eq!(code, Some(2), "{}", told());
            assert!(story.has_lost || mark.ticks.is_none(), "{}", told());
            println!("  {}", finished.stdout.lines().take(3).collect::<Vec<_>>().join("\n  "));
            return false;
        }
    }
    assert!(!finished.stdout.contains("foretold was"), "{}", told());
    if let Some(ticks) = mark.ticks {
        let found = ask(story.release, &data, "SELECT count(*) FROM ticks").await;
        assert_eq!(found, ticks.to_string(), "{}", told());
    }
    true
}
