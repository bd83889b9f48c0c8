//! Small pieces of markup that every part of the page uses.

use chrono::DateTime;
use chrono::Utc;
use maud::Markup;
use maud::html;

use crate::assessment::verdict::Verdict;
use crate::publication::page::glyph::glyph;
use crate::publication::wording::ago;
use crate::publication::wording::rfc3339;
use crate::publication::wording::title;
use crate::publication::wording::utc;

/// `2026-01-10 12:00:00 UTC (5 min ago)`
pub(super) fn time(at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! { (plain_time(at)) " " span.age { "(" (ago(at, now)) ")" } }
}

pub(super) fn plain_time(at: DateTime<Utc>) -> Markup {
    html! { time datetime=(rfc3339(at)) { (utc(at)) } }
}

/// For tables with little room: the age, with the time for those who ask.
pub(super) fn age(at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! { time datetime=(rfc3339(at)) title=(utc(at)) { (ago(at, now)) } }
}

/// Shape, word and colour say the same.
pub(super) fn badge(verdict: Verdict) -> Markup {
    html! { span class={ "verdict " (verdict.code()) } { (glyph(verdict)) (title(verdict)) } }
}

/// The rank of a heading follows from where its section stands.
pub(super) fn heading(level: u8, id: Option<&str>, content: &Markup) -> Markup {
    html! {
        @match level {
            1 => h1 id=[id] { (content) },
            2 => h2 id=[id] { (content) },
            3 => h3 id=[id] { (content) },
            _ => h4 id=[id] { (content) },
        }
    }
}

/// In a query, as RFC 3986 has it; forms of browsers encode spaces otherwise and read this too.
pub(super) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, UNRESERVED_KEPT).to_string()
}

const UNRESERVED_KEPT: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
