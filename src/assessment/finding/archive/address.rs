//! An address that leads to no archive, and what lies there instead.

use std::fmt;

/// Nothing of an archive was found, and something else was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongAddress {
    pub address: String,
    /// Where the names below are.
    pub place: Place,
    /// The first few, those of folders with a slash.
    pub names: Vec<String>,
    pub has_more: bool,
    /// Addresses of archives that lie near.
    pub meant: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Inside,
    /// One level higher.
    Beside,
}

/// Of archives near an address, so many are named.
const MEANT_MAX: usize = 5;

impl fmt::Display for WrongAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, place, names, has_more, meant } = self;
        let names = names.join(", ");
        let more = if *has_more { " and more" } else { "" };
        match place {
            Place::Inside => {
                write!(
                    f,
                    "{address} is not an archive: it holds {names}{more}, but neither base/ nor \
                     wals/"
                )?;
            }
            Place::Beside => {
                write!(f, "nothing is stored under {address}; one level higher: {names}{more}")?;
            }
        }
        f.write_str(&nearby(meant))
    }
}

/// Which archives were found near an address, as the end of a sentence.
pub(super) fn nearby(archives: &[String]) -> String {
    let more = if archives.len() <= MEANT_MAX { "" } else { " and more" };
    let named: Vec<&str> = archives.iter().take(MEANT_MAX).map(String::as_str).collect();
    match named.as_slice() {
        [] => String::new(),
        [one] => format!("; you probably meant the archive {one}"),
        several => {
            format!("; you probably meant one of these archives: {}{more}", several.join(", "))
        }
    }
}
