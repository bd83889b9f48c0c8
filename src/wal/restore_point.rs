//! Restore points: names that somebody gave to positions in the log.

use crate::domain::lsn::Lsn;
use crate::wal::fields::LittleEndian;
use crate::wal::record::Record;

/// What `pg_create_restore_point` leaves in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestorePoint<'a> {
    /// Where its record starts.
    pub lsn: Lsn,
    /// Bytes of any encoding, at most 63 of them.
    pub name: &'a [u8],
}

/// `MAXFNAMELEN` of `xlog_internal.h`, with the zero that ends a name.
const NAME_BYTES: usize = 64;

impl<'a> RestorePoint<'a> {
    /// `None` for every other record. The name follows a time (`xl_restore_point` in
    /// `xlog_internal.h`).
    #[inline]
    pub fn of(record: &Record<'a>) -> Option<Self> {
        if !record.header.is_restore_point() {
            return None;
        }
        let mut fields = LittleEndian(record.main_data()?);
        fields.i64()?;
        let name = fields.0.get(..NAME_BYTES)?;
        let end = name.iter().position(|byte| *byte == 0)?;
        Some(Self { lsn: record.start, name: name.get(..end)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lsn::Lsn;
    use crate::wal::generator::Generator;
    use crate::wal::page_rules::SegmentIdentity;
    use crate::wal::reader::RecordReader;
    use crate::wal::reader::Step;

    fn points(bytes: &[u8]) -> Vec<(Lsn, Vec<u8>)> {
        let mut reader = RecordReader::new(SegmentIdentity::default());
        let (mut bytes, mut points) = (bytes, Vec::new());
        while let Ok(Step::Record(record)) = reader.step(&mut bytes) {
            points.extend(RestorePoint::of(&record).map(|it| (it.lsn, it.name.to_vec())));
        }
        points
    }

    fn stored(name: &[u8]) -> Vec<u8> {
        let mut data = vec![7; 8];
        data.extend(name);
        data.resize(8 + NAME_BYTES, 0);
        data
    }

    #[test]
    fn a_name_is_read_up_to_its_end() {
        let mut log = Generator::new();
        log.record(0, 0x60, &stored(b"no_record_of_its_kind"));
        let first = log.record(0, 0x70, &stored(b"before_migration"));
        let second = log.record(0, 0x70, &stored(&[b'a'; 63]));
        let expected = [(first, b"before_migration".to_vec()), (second, vec![b'a'; 63])];
        assert_eq!(points(&log.finish()), expected);
    }

    #[test]
    fn what_has_no_end_or_is_cut_is_no_name() {
        let mut log = Generator::new();
        log.record(0, 0x70, &stored(&[b'a'; 64]));
        log.record(0, 0x70, b"1234567");
        log.record(0, 0x70, b"12345678short\0");
        assert_eq!(points(&log.finish()), []);
    }
}
