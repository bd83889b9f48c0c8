//! Settings of capabilities that are not built yet: checked, so that a file stays valid, but
//! without any effect.

use crate::config::format;
use crate::config::reader::Flaw;
use crate::config::reader::Format;
use crate::config::reader::Section;

/// Reads `kubernetes`. Discovery is not built yet, so it cannot be demanded.
pub(super) fn read_kubernetes(section: &mut Section<'_>) {
    section.word("enabled", &ENABLED);
    section.texts("namespaces", &format::NAME);
}

/// Reads `content`. Content verification is not built yet.
pub(super) fn read_content(section: &mut Section<'_>) {
    section.word("wal", &format::IS_TRUE);
    section.text("base_backups", &BASE_BACKUPS);
    section.text("ledger", &format::DIRECTORY);
    section.text("bytes_per_second_max", &format::BYTE_RATE);
}

const ENABLED: Format<()> = Format {
    expected: "auto or false",
    parse: |text| match text {
        "auto" | "false" => Ok(()),
        "true" => Err(Flaw::Because("true, which is not built yet".to_owned())),
        _ => Err(Flaw::Mismatch),
    },
};

const BASE_BACKUPS: Format<()> = Format {
    expected: "never, daily, weekly or monthly",
    parse: |text| match text {
        "never" | "daily" | "weekly" | "monthly" => Ok(()),
        _ => Err(Flaw::Mismatch),
    },
};
