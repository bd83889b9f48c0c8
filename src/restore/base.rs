//! Brings a base backup back: its tar files, side by side, into their directories.

use std::io;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use futures::StreamExt;
use futures::TryStreamExt;
use futures::stream;
use tokio::time::interval;

use crate::content::tar_check::TarCheck;
use crate::content::tar_check::TarExpectation;
use crate::content::tar_check::TarReport;
use crate::domain::backup_info::BackupInfo;
use crate::domain::drill::DrillClass;
use crate::domain::object_key::TarContents;
use crate::observation::backup::ObservedBackup;
use crate::observation::backup::TarObject;
use crate::restore::delivery::Source;
use crate::restore::extract::Extract;
use crate::restore::extract::Failure;
use crate::restore::extract::complete;
use crate::restore::failed::Failed;
use crate::restore::place::Place;
use crate::sources::decode::object::StoredContent;
use crate::sources::decode::object::decode_object;
use crate::sources::limits;

/// How often it is asked whether the disk still takes what is written.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A backup on its way into a place.
#[derive(Clone, Copy)]
pub(super) struct Base<'a> {
    pub(super) source: &'a Source,
    pub(super) backup: &'a ObservedBackup,
    pub(super) info: &'a BackupInfo,
    pub(super) place: &'a Place,
}

impl Base<'_> {
    /// Unpacks all tar files, and links the tablespaces.
    pub(super) async fn restore(self) -> Result<(), Failed> {
        let place = self.place;
        let mut reads = Vec::new();
        for tar in &self.backup.tars {
            reads.push(async move { self.unpack(tar).await });
        }
        let reads = stream::iter(reads).buffer_unordered(limits::TARS_AT_ONCE);
        reads.try_collect::<()>().await?;
        let storage = |error: io::Error| Failed::storage(place.data(), &error);
        complete(place.data(), &place.account).map_err(storage)?;
        link(place).map_err(storage)
    }

    async fn unpack(self, tar: &TarObject) -> Result<(), Failed> {
        let Self { source, place, .. } = self;
        let to = match tar.contents {
            TarContents::DataDirectory => Some(&place.directories.data),
            TarContents::Tablespace(oid) => place.directories.tablespaces.get(&oid),
        };
        // What backup.info does not name, barman does not restore either.
        let Some(to) = to else { return Ok(()) };
        let name = tar.contents.file_name(tar.piece, tar.codec);
        let key = format!("{}{}/{name}", source.folder.base(), self.backup.id);
        let content = StoredContent {
            key: &key,
            codec: tar.codec,
            stored_bytes_max: u64::MAX,
            bytes_max: limits::TAR_BYTES_MAX,
        };
        let has_checksums = self.info.has_checksums == Some(true);
        let check = TarCheck::new(TarExpectation { contents: tar.contents, has_checksums });
        let (extract, failure) = Extract::new(tar.contents, to, place.account, check);
        let decoding = decode_object(source.store.as_ref(), &source.turns, content, extract);
        let decoded = tokio::select! {
            decoded = decoding => decoded,
            failed = first(&failure) => return Err(failed),
        };
        let decoded = decoded.map_err(|error| Failed::of_store(&error, &format!("read {name}")))?;
        if let Some(failure) = failure.get() {
            return Err(of_failure(failure));
        }
        let unreadable = |why: String| Failed::new(DrillClass::BaseUnreadable, why);
        decoded.length.map_err(|error| unreadable(format!("{name} cannot be decoded: {error}")))?;
        is_whole(&decoded.fed.report()).map_err(|why| unreadable(format!("{name} {why}")))
    }
}

/// Or what is wrong with it.
fn is_whole(report: &TarReport) -> Result<(), String> {
    if let Some(error) = &report.error {
        return Err(format!("is not a tar file: {error}"));
    }
    if !report.is_closed {
        return Err("ends too early".to_owned());
    }
    Ok(())
}

/// The first failure, once there is one.
async fn first(failure: &Arc<OnceLock<Failure>>) -> Failed {
    let mut looks = interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        if let Some(failure) = failure.get() {
            return of_failure(failure);
        }
    }
}

/// A path that no file can have is in the backup; everything else is of this machine.
fn of_failure(failure: &Failure) -> Failed {
    let class = match failure {
        Failure::Io(_, error) => match error.kind() {
            io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::InvalidFilename
            | io::ErrorKind::InvalidInput => DrillClass::BaseUnreadable,
            _ => DrillClass::Storage,
        },
        Failure::LeadsOut(_) => DrillClass::BaseUnreadable,
    };
    Failed::new(class, failure.to_string())
}

/// barman writes no `tablespace_map`, so the links are made here.
fn link(place: &Place) -> io::Result<()> {
    for (oid, directory) in &place.directories.tablespaces {
        let link = place.data().join("pg_tblspc").join(oid.to_string());
        symlink(std::path::absolute(directory)?, link)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_path_that_cannot_be_is_of_the_backup_and_a_full_disk_is_not() {
        let class =
            |kind: io::ErrorKind| of_failure(&Failure::Io(PathBuf::from("a"), kind.into())).class;
        assert_eq!(class(io::ErrorKind::StorageFull), DrillClass::Storage);
        assert_eq!(class(io::ErrorKind::PermissionDenied), DrillClass::Storage);
        assert_eq!(class(io::ErrorKind::InvalidFilename), DrillClass::BaseUnreadable);
        assert_eq!(class(io::ErrorKind::NotADirectory), DrillClass::BaseUnreadable);
    }
}
