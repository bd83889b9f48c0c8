//! Tells the program which compiler and which revision it was built from.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=GIT_REVISION");
    let rustc = variable("RUSTC").and_then(|rustc| first_line(&rustc, &["--version"]));
    let rustc = rustc.unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=BUILD_RUSTC={rustc}");
    println!("cargo::rustc-env=BUILD_REVISION={}", revision());
}

/// `GIT_REVISION` where it is set, as in an image that is built without `.git`. Else only a
/// release build asks git, so that a commit does not rebuild what is being worked on.
fn revision() -> String {
    variable("GIT_REVISION").or_else(revision_of_release).unwrap_or_else(|| "unknown".to_owned())
}

fn revision_of_release() -> Option<String> {
    variable("PROFILE").filter(|profile| profile == "release")?;
    let revision = first_line("git", &["rev-parse", "--short=12", "HEAD"])?;
    // Changes with every commit, unlike HEAD itself.
    let log = first_line("git", &["rev-parse", "--git-path", "logs/HEAD"])?;
    println!("cargo::rerun-if-changed={log}");
    Some(revision)
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
    text.lines().next().map(str::to_owned)
}

#[expect(clippy::disallowed_methods, reason = "cargo talks to build scripts by variables")]
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}
