//! Settings of capabilities that are not built yet: checked, so that a file stays valid, but
//! without any effect.

use crate::config::format;
use crate::config::reader::Section;
use crate::domain::format::Flaw;
use crate::domain::format::Format;
use crate::domain::format::IS_TRUE;

/// Reads `content`. Content verification is not built yet.
pub(super) fn read_content(section: &mut Section<'_>) {
    section.word("wal", &IS_TRUE);
    section.text("base_backups", &BASE_BACKUPS);
    section.text("ledger", &format::DIRECTORY);
    section.text("bytes_per_second_max", &format::BYTE_RATE);
}

const BASE_BACKUPS: Format<()> = Format {
    expected: "never, daily, weekly or monthly",
    parse: |text| match text {
        "never" | "daily" | "weekly" | "monthly" => Ok(()),
        _ => Err(Flaw::Mismatch),
    },
};
