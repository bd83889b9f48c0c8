//! The form of the file: lines of a name and a value, as Python writes them.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::NaiveDateTime;
use chrono::Utc;

use crate::domain::backup_info::BackupInfoError;
use crate::domain::backup_info::Tablespace;
use crate::domain::moment::in_calendar;
use crate::domain::python_literal::PythonLiteral;

/// The lines of the file; a field without a value (`None`) is kept as such.
pub(super) struct InfoFields<'a>(BTreeMap<&'a str, Option<&'a str>>);

impl<'a> InfoFields<'a> {
    /// `FieldListFile.load` in `barman/infofile.py`.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, BackupInfoError> {
        let text = std::str::from_utf8(bytes).map_err(|_| BackupInfoError::NotText)?;
        let mut fields = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let (name, value) = line.split_once('=').ok_or(BackupInfoError::Syntax(number))?;
            let value = value.trim();
            fields.insert(name.trim(), (value != "None").then_some(value));
        }
        Ok(Self(fields))
    }

    pub(super) fn value(&self, field: &str) -> Option<&'a str> {
        self.0.get(field).copied().flatten()
    }

    pub(super) fn demand(&self, fields: &[&'static str]) -> Result<(), BackupInfoError> {
        let is_missing = |field: &&&'static str| match **field {
            "tablespaces" => !self.0.contains_key("tablespaces"),
            field => self.value(field).is_none(),
        };
        let missing: Vec<&'static str> = fields.iter().filter(is_missing).copied().collect();
        if missing.is_empty() { Ok(()) } else { Err(BackupInfoError::Missing(missing)) }
    }

    pub(super) fn optional<T>(
        &self,
        field: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, BackupInfoError> {
        let Some(value) = self.value(field) else { return Ok(None) };
        match parse(value) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(BackupInfoError::Invalid { field, value: value.to_owned(), expected }),
        }
    }

    pub(super) fn required<T>(
        &self,
        field: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, BackupInfoError> {
        self.optional(field, expected, parse)?.ok_or(BackupInfoError::Missing(vec![field]))
    }
}

/// Numbers are written bare, the system identifier sometimes as a string.
pub(super) fn parse_number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.trim_matches(['\'', '"']).parse().ok()
}

pub(super) fn parse_text(text: &str) -> Option<String> {
    match PythonLiteral::parse(text)? {
        PythonLiteral::Text(text) => Some(text),
        PythonLiteral::None | PythonLiteral::Integer(_) | PythonLiteral::Sequence(_) => None,
    }
}

/// `str(datetime)`, whose fraction is left out when it is zero; old files have no offset and mean
/// the server's local time, which is UTC in the plugin's sidecar; very old ones are `ctime()`.
pub(super) fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    const WITH_OFFSET: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M:%S%.f%:z"];
    const NAIVE: [&str; 3] =
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%a %b %e %H:%M:%S %Y"];

    let text = text.trim_matches(['\'', '"']);
    let zoned = WITH_OFFSET.iter().find_map(|it| DateTime::parse_from_str(text, it).ok());
    let naive = || NAIVE.iter().find_map(|it| NaiveDateTime::parse_from_str(text, it).ok());
    let time = zoned.map(|time| time.to_utc()).or_else(|| naive().map(|time| time.and_utc()));
    time.and_then(in_calendar)
}

/// `[('name', 16384, '/location')]`
pub(super) fn parse_tablespaces(text: &str) -> Option<Box<[Tablespace]>> {
    let PythonLiteral::Sequence(items) = PythonLiteral::parse(text)? else { return None };
    items
        .into_iter()
        .map(|item| match item {
            PythonLiteral::Sequence(parts) => match parts.as_slice() {
                [PythonLiteral::Text(name), PythonLiteral::Integer(oid), _] => {
                    let oid = u32::try_from(*oid).ok()?;
                    Some(Tablespace { name: name.as_str().into(), oid })
                }
                _ => None,
            },
            PythonLiteral::None | PythonLiteral::Integer(_) | PythonLiteral::Text(_) => None,
        })
        .collect()
}
