//! CPU time and memory of processes, as Linux tells them under `/proc`.

use std::fs;
use std::process::Command;

/// CPU seconds of this process so far, all threads, user and system.
pub(crate) fn cpu_seconds() -> f64 {
    ticks("self", 11) / clock_ticks()
}

/// The same of another process.
pub(crate) fn cpu_seconds_of(process: u32) -> f64 {
    ticks(&process.to_string(), 11) / clock_ticks()
}

/// CPU seconds of the children that have ended.
pub(crate) fn children_cpu_seconds() -> f64 {
    ticks("self", 13) / clock_ticks()
}

/// Resident memory now.
pub(crate) fn resident_bytes() -> u64 {
    status_bytes("VmRSS:")
}

/// The most resident memory since [`forget_peak`].
pub(crate) fn peak_resident_bytes() -> u64 {
    status_bytes("VmHWM:")
}

/// Lets the peak begin again at what is resident now.
pub(crate) fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

fn status_bytes(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kibibytes * 1024
}

/// Two fields of `/proc/PID/stat`, user and system time, counted from the third one on: the
/// second may hold spaces.
fn ticks(process: &str, first: usize) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    fields.split(' ').skip(first).take(2).map(|it| it.parse::<f64>().unwrap()).sum()
}

fn clock_ticks() -> f64 {
    let output = Command::new("getconf").arg("CLK_TCK").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}
