//! Where a restore can be told to end.

/// As `restore` and `restore-plan` are told it.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) arguments: [String; 2],
    /// Rows of `ticks` that are there then, if that is known.
    pub(crate) ticks: Option<u32>,
    pub(crate) told: String,
}

impl Mark {
    pub(super) fn point(name: &str) -> Self {
        let told = format!("restore point {name:?}");
        Self { arguments: ["--name".to_owned(), name.to_owned()], ticks: None, told }
    }

    pub(super) fn position(lsn: &str) -> Self {
        let told = format!("position {lsn}");
        Self { arguments: ["--lsn".to_owned(), lsn.to_owned()], ticks: None, told }
    }

    /// In seconds since 1970.
    pub(super) fn moment(at: &str, ticks: u32, told: String) -> Self {
        Self { arguments: ["--to".to_owned(), format!("@{at}")], ticks: Some(ticks), told }
    }
}
