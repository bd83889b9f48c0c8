//! What segments ask of a server that replays them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use rusqlite::Transaction;
use rusqlite::params;

use crate::domain::segment::SegmentNumber;
use crate::domain::timeline::TimelineId;
use crate::ledger::Ledger;
use crate::ledger::number_of;
use crate::observation::probe::SegmentId;
use crate::wal::Demands;
use crate::wal::RequiredParameters;

impl Ledger {
    /// Of an archive's segments those that ask for something; `None` where that cannot be read or is not
    /// understood.
    pub fn demands(&self, archive: &str) -> Option<BTreeMap<SegmentId, Demands>> {
        let read = self.read(|connection| {
            let Some(archive) = number_of(connection, archive)? else {
                return Ok(Some(BTreeMap::new()));
            };
            let mut find = connection.prepare_cached(
                "SELECT timeline, number, parameters, tablespaces FROM demands WHERE archive = ?1",
            )?;
            let rows = find.query_map([archive], |row| {
                let timeline = TimelineId::new(row.get(0)?);
                let number = SegmentNumber::new(row.get(1)?);
                let (parameters, tablespaces): (Option<String>, String) =
                    (row.get(2)?, row.get(3)?);
                let demands = understood(parameters.as_deref(), &tablespaces);
                let id = timeline.map(|timeline| SegmentId { timeline, number });
                Ok(id.zip(demands))
            })?;
            rows.collect()
        });
        read.flatten()
    }
}

/// Takes the place of what was known of the segment.
pub(super) fn note_demands(
    transaction: &Transaction<'_>,
    archive: i64,
    id: SegmentId,
    demands: &Demands,
) -> rusqlite::Result<()> {
    let key = (archive, id.timeline.value(), id.number.value());
    if demands.is_empty() {
        let mut forget = transaction.prepare_cached(
            "DELETE FROM demands WHERE archive = ?1 AND timeline = ?2 AND number = ?3",
        )?;
        return forget.execute(key).map(drop);
    }
    let parameters = demands.parameters.map(|it| list(it.settings().map(|(_, value)| value)));
    let tablespaces = list(demands.tablespaces.iter());
    let mut note =
        transaction.prepare_cached("INSERT OR REPLACE INTO demands VALUES (?1, ?2, ?3, ?4, ?5)")?;
    note.execute(params![key.0, key.1, key.2, parameters, tablespaces]).map(drop)
}

fn list(numbers: impl IntoIterator<Item: Display>) -> String {
    numbers.into_iter().map(|it| it.to_string()).collect::<Vec<_>>().join(",")
}

fn understood(parameters: Option<&str>, tablespaces: &str) -> Option<Demands> {
    let parameters = match parameters {
        Some(list) => Some(parameters_of(list)?),
        None => None,
    };
    Some(Demands { parameters, tablespaces: numbers(tablespaces)?.into_iter().collect() })
}

fn numbers(list: &str) -> Option<Vec<u32>> {
    let parts = list.split(',').filter(|part| !part.is_empty());
    parts.map(|number| u32::from_str(number).ok()).collect()
}

fn parameters_of(list: &str) -> Option<RequiredParameters> {
    let mut numbers = numbers(list)?.into_iter();
    Some(RequiredParameters {
        max_connections: numbers.next()?,
        max_worker_processes: numbers.next()?,
        max_wal_senders: numbers.next()?,
        max_prepared_transactions: numbers.next()?,
        max_locks_per_transaction: numbers.next()?,
    })
}
