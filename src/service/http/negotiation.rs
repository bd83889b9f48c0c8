//! Which metrics format a scraper asks for.

use axum::http::HeaderMap;
use axum::http::header;

use crate::publication::metrics::Format;

/// OpenMetrics where it is named and not liked less than text; text for everybody else, such as a
/// person with curl.
pub(super) fn accepted_format(headers: &HeaderMap) -> Format {
    let mut open_metrics = Quality::default();
    let mut text = Quality::default();
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in values.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let mut quality = Quality::BEST;
        let mut is_our_version = true;
        for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => quality = Quality::parse(value),
                "version" => is_our_version = value.trim().trim_matches('"') == "1.0.0",
                _ => {}
            }
        }
        match kind.as_str() {
            "application/openmetrics-text" if is_our_version => {
                open_metrics = open_metrics.max(quality);
            }
            "text/plain" | "text/*" => text = text.max(quality),
            _ => {}
        }
    }
    if Quality::default() < open_metrics && text <= open_metrics {
        Format::OpenMetrics
    } else {
        Format::Text
    }
}

/// The weight of RFC 9110, in thousandths; 0 is "not acceptable".
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Quality(u16);

impl Quality {
    const BEST: Self = Self(1_000);

    /// What is no number counts as not acceptable.
    fn parse(text: &str) -> Self {
        let text = text.trim();
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let thousandths = format!("{fraction:0<3}").get(..3).and_then(|text| text.parse().ok());
        match (whole, thousandths) {
            ("0" | "", Some(thousandths)) => Self(thousandths),
            ("1", Some(0)) => Self::BEST,
            _ => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(accept: &str, format: Format) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        assert_eq!(accepted_format(&headers), format, "{accept}");
    }

    #[test]
    fn what_prometheus_2_and_3_send_gets_open_metrics() {
        check(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
             version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            Format::OpenMetrics,
        );
        check(
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;\
             escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            Format::OpenMetrics,
        );
    }

    #[test]
    fn people_and_browsers_get_text() {
        check("*/*", Format::Text);
        check("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text);
        check("", Format::Text);
        assert_eq!(accepted_format(&HeaderMap::new()), Format::Text);
    }

    #[test]
    fn the_format_that_is_liked_more_wins() {
        check("application/openmetrics-text; q=0.2, text/plain; q=0.9", Format::Text);
        check("Application/OpenMetrics-Text; Q=0.900, text/plain;q=0.9", Format::OpenMetrics);
        check("application/openmetrics-text;q=0", Format::Text);
        check("application/openmetrics-text;version=0.0.1", Format::Text);
        check("application/openmetrics-text;q=much", Format::Text);
    }
}
