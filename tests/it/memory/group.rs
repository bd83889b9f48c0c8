//! A memory cgroup, for a limit that the kernel holds as Kubernetes would.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use test_servers::process::Account;

/// Goes when it is dropped, after the last process in it.
pub(crate) struct MemoryGroup {
    folder: PathBuf,
}

impl MemoryGroup {
    /// `None` for who may not make one: anybody but root, and root where it is mounted read-only.
    ///
    /// What the group counts beside the memory of its processes, pages of files among it, the kernel
    /// gives back before it kills.
    pub(crate) fn create(name: &str, bytes_max: u64) -> Option<Self> {
        let name = format!("backup-verifier-{}-{}", std::process::id(), name.replace(' ', "-"));
        let places =
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        places.into_iter().find_map(|(place, limit)| {
            let folder = PathBuf::from(place).join(&name);
            fs::create_dir(&folder).ok()?;
            let group = Self { folder };
            fs::write(group.folder.join(limit), bytes_max.to_string()).ok()?;
            Some(group)
        })
    }

    /// Lets the command run within the group.
    pub(crate) fn contain(&self, command: Command) -> Command {
        let processes = self.folder.join("cgroup.procs");
        let mut shell = Account::own().command("/bin/sh".as_ref());
        shell.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(processes);
        shell.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // A process that was killed takes a moment to leave it; one folder too many hurts nobody.
        let _ = fs::remove_dir(&self.folder);
    }
}
