//! What the server of the backup was set to, from the files that the backup holds of it.

use std::fs;
use std::path::Path;

/// How many transactions the server of the backup allowed to be prepared; the log may hold as many.
pub(super) fn prepared_transactions(data: &Path) -> u32 {
    let text = ["postgresql.conf", "custom.conf", "postgresql.auto.conf"]
        .map(|name| fs::read_to_string(data.join(name)).unwrap_or_default());
    let lines = text.iter().flat_map(|text| text.lines());
    let values = lines.filter_map(|line| {
        let value = line.trim().strip_prefix("max_prepared_transactions")?;
        let value = value.trim_start_matches([' ', '=', '\t']).trim_matches(['\'', ' ']);
        value.split(|it: char| !it.is_ascii_digit()).next()?.parse().ok()
    });
    values.max().unwrap_or_default()
}
