//! Why a restore did not come to its end.

use std::io;
use std::path::Path;

use crate::domain::drill::DrillClass;
use crate::restore::place::PlaceError;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;

/// With the class that says who is to act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub class: DrillClass,
    pub detail: String,
}

impl Failed {
    pub fn new(class: DrillClass, detail: impl Into<String>) -> Self {
        Self { class, detail: detail.into() }
    }

    pub fn storage(path: &Path, error: &io::Error) -> Self {
        Self::new(DrillClass::Storage, format!("{}: {error}", path.display()))
    }

    pub fn of_place(error: PlaceError) -> Self {
        Self::new(DrillClass::Storage, error.to_string())
    }

    pub fn of_store(error: &StoreError, what: &str) -> Self {
        let class = match error.kind {
            StoreErrorKind::Denied | StoreErrorKind::NotAllowed => DrillClass::Denied,
            StoreErrorKind::NoSuchKey | StoreErrorKind::NoSuchBucket | StoreErrorKind::Changed => {
                DrillClass::BaseUnreadable
            }
            StoreErrorKind::Throttled
            | StoreErrorKind::TimedOut
            | StoreErrorKind::Malformed
            | StoreErrorKind::OtherListing
            | StoreErrorKind::TooLarge
            | StoreErrorKind::NoSuchHost
            | StoreErrorKind::ConnectionRefused
            | StoreErrorKind::Untrusted
            | StoreErrorKind::Unavailable => DrillClass::Network,
        };
        Self::new(class, format!("{what}: {error}"))
    }
}
