//! The status page: every archive with its verdict, why, and what to do. No script, nothing from
//! elsewhere; what has a colour has a word, and what is drawn is also written.

mod address;
mod answer;
mod archive;
mod chart;
mod drills;
mod facts;
mod filter;
mod findings;
mod glyph;
mod orphans;
mod overview;
mod picture;
mod position;
mod question;
mod shell;
mod tables;
mod words;

use std::collections::HashMap;

use crate::publication::view::View;

pub use crate::publication::page::address::Archives;
pub use crate::publication::page::archive::archives;
pub use crate::publication::page::glyph::icon;
pub use crate::publication::page::glyph::icon_path;
pub use crate::publication::page::overview::overview;
pub use crate::publication::page::shell::no_such_page;
pub use crate::publication::page::shell::not_found;

/// A file of its own, so that the page needs no exception from its Content-Security-Policy.
pub const STYLESHEET: &str = include_str!("page/style.css");

/// Seen from the root, like all paths here.
pub const STYLESHEET_PATH: &str = "style.css";

/// The archive of a cluster: `archives/{namespace}/{cluster}`.
pub const ARCHIVES_PATH: &str = "archives";

/// The archives whose names no path can carry: `archive?namespace=&cluster=&server_name=`.
pub const ARCHIVE_PATH: &str = "archive";

/// The parameters of a query. Those that a page does not know are no concern of it.
pub type FormFields = HashMap<String, String>;

/// What every page is made from.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub view: &'a View<'a>,
    /// At first nobody knows what is watched.
    pub knows_archives: bool,
    /// From the page to the root: the daemon may be published under any path.
    pub root: &'a str,
    pub version: &'a str,
}

/// A document, and whether it tells that the request was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub html: String,
    pub is_refusal: bool,
}

#[cfg(test)]
mod tests;
