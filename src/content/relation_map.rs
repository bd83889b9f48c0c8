//! `pg_filenode.map`: in which files the catalogues lie that everything else is found by (`relmapper.c`).
//! Without it nobody can connect.

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelationMapError {
    #[error("it has {0} bytes")]
    Length(usize),
    #[error("it does not begin as such a file does")]
    Magic,
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it has room for {max} relations, and says that it has {found}")]
    Count { found: u32, max: usize },
}

/// More than any version writes.
pub const MAP_BYTES_MAX: usize = 1024;

/// `RELMAPPER_FILEMAGIC`.
const MAGIC: [u8; 4] = 0x0059_2717_u32.to_le_bytes();

/// How long it is, and where in it the checksum of what precedes stands: until 15, and from 16 on.
const LAYOUTS: [(usize, usize); 2] = [(512, 504), (524, 520)];

/// The files, by number.
pub fn files(bytes: &[u8]) -> Result<Vec<u32>, RelationMapError> {
    let layout = LAYOUTS.iter().find(|(length, _)| *length == bytes.len());
    let (_, sum_at) = layout.ok_or(RelationMapError::Length(bytes.len()))?;
    if !bytes.starts_with(&MAGIC) {
        return Err(RelationMapError::Magic);
    }
    let (summed, rest) = bytes.split_at(*sum_at);
    let stored = rest.first_chunk().map(|sum| u32::from_le_bytes(*sum));
    if stored != Some(crc32c::crc32c(summed)) {
        return Err(RelationMapError::Checksum);
    }
    let (words, _) = summed.as_chunks::<4>();
    let [_, count, pairs @ ..] = words else { return Err(RelationMapError::Length(bytes.len())) };
    // Of a relation's own number and that of its file.
    let (pairs, _) = pairs.as_chunks::<2>();
    let found = u32::from_le_bytes(*count);
    let used = usize::try_from(found).ok().and_then(|count| pairs.get(..count));
    let used = used.ok_or(RelationMapError::Count { found, max: pairs.len() })?;
    Ok(used.iter().map(|[_, file]| u32::from_le_bytes(*file)).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Of one relation, the catalogue 1259, which lies in the file of that number.
    pub(crate) fn map(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = 1;
        bytes[8..12].copy_from_slice(&1259_u32.to_le_bytes());
        bytes[12..16].copy_from_slice(&1259_u32.to_le_bytes());
        let at = if length == 512 { 504 } else { 520 };
        let sum = crc32c::crc32c(&bytes[..at]);
        bytes[at..at + 4].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    #[test]
    fn a_count_beyond_its_room_is_told() {
        let mut bytes = map(512);
        bytes[4] = 63;
        let sum = crc32c::crc32c(&bytes[..504]);
        bytes[504..508].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(files(&bytes), Err(RelationMapError::Count { found: 63, max: 62 }));
    }

    #[test]
    fn a_map_is_whole_or_not() {
        for length in [512, 524] {
            let whole = map(length);
            assert_eq!(files(&whole), Ok(vec![1259]));
            let mut changed = whole.clone();
            changed[9] ^= 1;
            assert_eq!(files(&changed), Err(RelationMapError::Checksum));
            changed = whole.clone();
            changed[0] ^= 1;
            assert_eq!(files(&changed), Err(RelationMapError::Magic));
            assert_eq!(files(&whole[1..]), Err(RelationMapError::Length(length - 1)));
        }
    }
}
