//! Records that ask something of the server that replays them.

use std::collections::BTreeSet;

use crate::wal::fields::LittleEndian;
use crate::wal::record::Record;

/// Settings that a server must have at least as high as the one that wrote the log
/// (`CheckRequiredParameterValues` in `xlogrecovery.c`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequiredParameters {
    pub max_connections: u32,
    pub max_worker_processes: u32,
    pub max_wal_senders: u32,
    pub max_prepared_transactions: u32,
    pub max_locks_per_transaction: u32,
}

/// What a stretch of log asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// The highest of each, of all changes; `None` if none changed.
    pub parameters: Option<RequiredParameters>,
    /// Tablespaces that are made, by object identifier; of very many the first ones.
    pub tablespaces: BTreeSet<u32>,
}

/// `RM_XLOG_ID` and `RM_TBLSPC_ID` in `rmgrlist.h`.
const RM_XLOG: u8 = 0;
const RM_TBLSPC: u8 = 5;
/// `XLOG_PARAMETER_CHANGE` in `pg_control.h`, `XLOG_TBLSPC_CREATE` in `tablespace.h`.
const PARAMETER_CHANGE: u8 = 0x60;
const TABLESPACE_CREATE: u8 = 0x00;
/// `XLR_RMGR_INFO_MASK` in `xlogrecord.h`.
const OPERATION_MASK: u8 = 0xF0;

/// One new tablespace already means that there must be a newer backup.
const TABLESPACES_MAX: usize = 64;

impl RequiredParameters {
    /// `None` for every other record. The fields lie as in `xl_parameter_change` of `xlog_internal.h`.
    fn of(record: &Record<'_>) -> Option<Self> {
        let mut fields = LittleEndian(record.main_data()?);
        Some(Self {
            max_connections: fields.u32()?,
            max_worker_processes: fields.u32()?,
            max_wal_senders: fields.u32()?,
            max_prepared_transactions: fields.u32()?,
            max_locks_per_transaction: fields.u32()?,
        })
    }

    /// The higher one of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            max_connections: self.max_connections.max(other.max_connections),
            max_worker_processes: self.max_worker_processes.max(other.max_worker_processes),
            max_wal_senders: self.max_wal_senders.max(other.max_wal_senders),
            max_prepared_transactions: self
                .max_prepared_transactions
                .max(other.max_prepared_transactions),
            max_locks_per_transaction: self
                .max_locks_per_transaction
                .max(other.max_locks_per_transaction),
        }
    }

    /// Each with the name of its setting.
    pub const fn settings(&self) -> [(&'static str, u32); 5] {
        [
            ("max_connections", self.max_connections),
            ("max_worker_processes", self.max_worker_processes),
            ("max_wal_senders", self.max_wal_senders),
            ("max_prepared_transactions", self.max_prepared_transactions),
            ("max_locks_per_transaction", self.max_locks_per_transaction),
        ]
    }
}

impl Demands {
    #[inline]
    pub(super) fn note(&mut self, record: &Record<'_>) {
        let operation = record.header.flags & OPERATION_MASK;
        match (record.header.resource_manager, operation) {
            (RM_XLOG, PARAMETER_CHANGE) => {
                if let Some(changed) = RequiredParameters::of(record) {
                    self.parameters = Some(self.parameters.unwrap_or_default().max(changed));
                }
            }
            (RM_TBLSPC, TABLESPACE_CREATE) if self.tablespaces.len() < TABLESPACES_MAX => {
                let made = record.main_data().and_then(|data| LittleEndian(data).u32());
                self.tablespaces.extend(made);
            }
            _ => {}
        }
    }

    /// Asks for what another stretch asks for as well.
    pub fn add(&mut self, other: &Self) {
        if let Some(others) = other.parameters {
            self.parameters = Some(self.parameters.unwrap_or_default().max(others));
        }
        self.tablespaces.extend(&other.tablespaces);
    }

    pub fn is_empty(&self) -> bool {
        self.parameters.is_none() && self.tablespaces.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::generator::Generator;
    use crate::wal::page_rules::SegmentIdentity;
    use crate::wal::survey::Surveyor;

    fn demands(log: Generator) -> Demands {
        let mut surveyor = Surveyor::new(SegmentIdentity::default());
        surveyor.feed(&log.finish());
        surveyor.survey().demands
    }

    fn change(log: &mut Generator, values: [u32; 5]) {
        let mut data: Vec<u8> = values.iter().flat_map(|it| it.to_le_bytes()).collect();
        // wal_level and two switches follow.
        data.extend([1, 0, 0, 0, 0, 0]);
        log.record(RM_XLOG, PARAMETER_CHANGE, &data);
    }

    #[test]
    fn the_highest_of_each_setting_is_required() {
        let mut log = Generator::new();
        change(&mut log, [100, 8, 10, 0, 64]);
        change(&mut log, [50, 16, 10, 5, 64]);
        let highest = demands(log).parameters.unwrap();
        assert_eq!(highest.settings().map(|(_, value)| value), [100, 16, 10, 5, 64]);
    }

    #[test]
    fn new_tablespaces_are_told_and_dropped_ones_are_not() {
        let mut log = Generator::new();
        log.record(RM_TBLSPC, TABLESPACE_CREATE, b"\x00\x40\x00\x00/srv/one\0");
        log.record(RM_TBLSPC, 0x10, &16_385_u32.to_le_bytes());
        assert_eq!(demands(log).tablespaces, [16_384].into());
    }

    #[test]
    fn most_logs_ask_for_nothing() {
        let mut log = Generator::new();
        log.filler(100);
        assert!(demands(log).is_empty());
    }
}
