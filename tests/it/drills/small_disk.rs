//! A disk that is soon full.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// It goes when it is dropped.
pub(super) struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// Of so many mebibytes; `None` for who may mount nothing.
    pub(super) fn mount(megabytes: u32) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m,mode=755");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "small-disk"]).arg(directory.path());
        mount.status().unwrap().success().then_some(Self { directory })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process may still be on its way out of it.
        let _ = Command::new("umount").arg("--lazy").arg(self.directory.path()).status();
    }
}
