//! Logs on stderr: lines for people on a terminal, JSON in a pipe.

use std::io;
use std::io::IsTerminal;

use tracing::Level;
use tracing::Metadata;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How a log line is written. Its time is UTC as in RFC 3339 in either form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl LogFormat {
    /// Text for people on a terminal, JSON for whoever collects the lines.
    pub fn of_stderr() -> Self {
        if io::stderr().is_terminal() { Self::Text } else { Self::Json }
    }
}

/// Logs from now on; to be called once.
pub fn start(filter: Targets, format: LogFormat) {
    let registry = tracing_subscriber::registry().with(filter).with(filter_fn(tells_no_secret));
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match format {
        LogFormat::Json => {
            let layer = layer.json().flatten_event(true).with_current_span(false);
            registry.with(layer.with_span_list(false)).init();
        }
        LogFormat::Text if io::stderr().is_terminal() => registry.with(layer).init(),
        LogFormat::Text => registry.with(layer.with_ansi(false)).init(),
    }
}

/// Whatever is asked for, the AWS SDK tells nothing but errors. It logs whole requests at its lower
/// levels, signatures included, the access key id of a profile file as information, and lines of
/// such a file that it does not understand as warnings. Why there are no credentials stands in the
/// reading that lacks them.
fn tells_no_secret(metadata: &Metadata<'_>) -> bool {
    !metadata.target().starts_with("aws_") || *metadata.level() <= Level::ERROR
}

/// What is logged unless somebody asks for something else.
///
/// kube logs every attempt that fails, and whole answers that it cannot read. The sources tell each
/// reason once, without the answer.
pub fn default_filter(level: LevelFilter) -> Targets {
    Targets::new().with_default(level).with_targets([
        ("kube_client", LevelFilter::ERROR),
        ("kube_runtime", LevelFilter::ERROR),
        // Its errors are the attempts.
        ("kube_client::client::builder", LevelFilter::OFF),
    ])
}

/// Parses directives as in `RUST_LOG`: `info`, `warn,cnpg_backup_verifier=debug`.
///
/// A word alone must be a level: tracing would take a misspelt one for the name of a module and
/// be silent about all others.
pub fn parse_filter(text: &str) -> Result<Targets, FilterError> {
    for word in text.split(',').map(str::trim).filter(|word| !word.contains('=')) {
        let level = word.parse::<LevelFilter>().ok().filter(|_| !word.is_empty());
        level.ok_or_else(|| FilterError(word.to_owned()))?;
    }
    text.parse().map_err(|_| FilterError(text.to_owned()))
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected error, warn, info, debug, trace, off, or MODULE=LEVEL,..., found {0:?}")]
pub struct FilterError(String);

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_filter_names_levels_and_modules() {
        let filter = parse_filter("warn,cnpg_backup_verifier=debug").unwrap();
        assert!(filter.would_enable("cnpg_backup_verifier::service", &Level::DEBUG));
        assert!(filter.would_enable("hyper", &Level::WARN));
        assert!(!filter.would_enable("hyper", &Level::INFO));
    }

    #[test]
    fn what_is_told_by_the_sources_is_not_told_by_kube_too() {
        let filter = default_filter(LevelFilter::INFO);
        assert!(filter.would_enable("cnpg_backup_verifier::sources::kubernetes", &Level::INFO));
        assert!(!filter.would_enable("kube_client::client::builder", &Level::ERROR));
        for module in ["kube_client::client", "kube_runtime::watcher"] {
            assert!(!filter.would_enable(module, &Level::WARN), "{module}");
            assert!(filter.would_enable(module, &Level::ERROR), "{module}");
        }
        let asked = parse_filter("info").unwrap();
        assert!(asked.would_enable("kube_client::client::builder", &Level::ERROR));
    }

    #[test]
    fn a_misspelt_level_is_refused() {
        for wrong in ["", "debgu", "info,debgu", "hyper=loud"] {
            let filter = parse_filter(wrong);
            assert!(filter.is_err(), "{wrong:?} is {filter:?}");
        }
    }
}
