//! Walks through a tar file as it comes in, as Python's `tarfile` writes it: headers of ustar, with PAX
//! records before those whose path or size they do not hold.
//!
//! Holds one header and one set of PAX records. Whatever is no such file is damage: barman writes no
//! other.

use std::fmt;

/// What feeding bytes led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A member begins; its content follows.
    Member(Member),
    Content(&'a [u8]),
    /// All content of the member was shown.
    End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub path: String,
    pub kind: MemberKind,
    pub size: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    File,
    Directory,
    /// Links, devices and what else there is.
    Other(u8),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TarError {
    #[error("the header at byte {0} has a wrong checksum")]
    Checksum(u64),
    #[error("the header at byte {0} is not one of ustar")]
    Header(u64),
    #[error("the PAX records at byte {0} cannot be understood")]
    Records(u64),
    #[error("members follow the end at byte {0}")]
    Trailing(u64),
}

/// How the bytes end if no more come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TarEnding {
    /// With an empty block: what follows is not read (`TarFile.next` in Python's `tarfile.py`).
    Closed,
    /// Behind a member, or before the first one.
    Between,
    /// Inside of one.
    Inside,
}

const BLOCK: usize = 512;

/// More than any path and time of a data directory needs.
const RECORDS_MAX: u64 = 64 << 10;

/// Reads one tar file, fed from its first byte.
#[derive(Clone, Debug)]
pub struct TarReader {
    state: State,
    /// The header or the records, as far as they have come in.
    pending: Vec<u8>,
    at: u64,
    next: Overrides,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    /// So many bytes of records, and of padding behind them; `false` are those for all members.
    Records {
        left: u64,
        padding: u64,
        is_next: bool,
    },
    Content {
        left: u64,
        padding: u64,
    },
    Padding(u64),
    /// Behind the first empty block.
    Closed,
}

/// What PAX records say of the member that follows them.
#[derive(Clone, Debug, Default)]
struct Overrides {
    is_any: bool,
    path: Option<String>,
    size: Option<u64>,
}

impl Default for TarReader {
    fn default() -> Self {
        let pending = Vec::with_capacity(BLOCK);
        Self { state: State::Header, pending, at: 0, next: Overrides::default() }
    }
}

impl TarReader {
    /// Takes bytes off the front of `input` up to the next event; `None` needs more of them.
    pub fn step<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Event<'i>>, TarError> {
        loop {
            match self.state {
                State::Header => {
                    let Some(block) = self.block(input) else { return Ok(None) };
                    if let Some(member) = self.header(&block)? {
                        return Ok(Some(Event::Member(member)));
                    }
                }
                State::Records { left: 0, padding, is_next } => {
                    let records = std::mem::take(&mut self.pending);
                    if is_next {
                        self.next = Overrides::parse(&records).ok_or(TarError::Records(self.at))?;
                    }
                    self.state = State::Padding(padding);
                }
                State::Records { left, padding, is_next } => {
                    let taken = self.take(input, left);
                    if taken.is_empty() {
                        return Ok(None);
                    }
                    self.pending.extend_from_slice(taken);
                    let left = left.saturating_sub(taken.len() as u64);
                    self.state = State::Records { left, padding, is_next };
                }
                State::Content { left: 0, padding } => {
                    self.state = State::Padding(padding);
                    return Ok(Some(Event::End));
                }
                State::Content { left, padding } => {
                    let taken = self.take(input, left);
                    if taken.is_empty() {
                        return Ok(None);
                    }
                    let left = left.saturating_sub(taken.len() as u64);
                    self.state = State::Content { left, padding };
                    return Ok(Some(Event::Content(taken)));
                }
                State::Padding(0) => self.state = State::Header,
                State::Padding(left) => {
                    let taken = self.take(input, left);
                    if taken.is_empty() {
                        return Ok(None);
                    }
                    self.state = State::Padding(left.saturating_sub(taken.len() as u64));
                }
                State::Closed => {
                    let Some(block) = self.block(input) else { return Ok(None) };
                    // A stretch of zeros may lie where members were.
                    if Header(&block).is_any() {
                        return Err(TarError::Trailing(self.at.saturating_sub(BLOCK as u64)));
                    }
                }
            }
        }
    }

    pub const fn ending(&self) -> TarEnding {
        match self.state {
            State::Closed => TarEnding::Closed,
            State::Header if !self.next.is_any => TarEnding::Between,
            State::Header | State::Records { .. } | State::Content { .. } | State::Padding(_) => {
                TarEnding::Inside
            }
        }
    }

    fn take<'i>(&mut self, input: &mut &'i [u8], wanted: u64) -> &'i [u8] {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).min(input.len());
        let (taken, rest) = input.split_at(wanted);
        *input = rest;
        self.at = self.at.saturating_add(taken.len() as u64);
        taken
    }

    fn block(&mut self, input: &mut &[u8]) -> Option<[u8; BLOCK]> {
        let missing = BLOCK.saturating_sub(self.pending.len()) as u64;
        let taken = self.take(input, missing);
        self.pending.extend_from_slice(taken);
        let block = <[u8; BLOCK]>::try_from(self.pending.as_slice()).ok()?;
        self.pending.clear();
        Some(block)
    }

    fn header(&mut self, block: &[u8; BLOCK]) -> Result<Option<Member>, TarError> {
        let at = self.at.saturating_sub(BLOCK as u64);
        if block.iter().all(|byte| *byte == 0) {
            self.state = State::Closed;
            return Ok(None);
        }
        let header = Header(block);
        if !header.is_sound() {
            return Err(TarError::Checksum(at));
        }
        if !header.is_ustar() {
            return Err(TarError::Header(at));
        }
        let size = header.size().ok_or(TarError::Header(at))?;
        let kind = block[156];
        if matches!(kind, b'x' | b'g') {
            if RECORDS_MAX < size {
                return Err(TarError::Records(at));
            }
            self.state =
                State::Records { left: size, padding: padding(size), is_next: kind == b'x' };
            return Ok(None);
        }
        let next = std::mem::take(&mut self.next);
        let size = next.size.unwrap_or(size);
        let kind = match kind {
            b'0' | 0 | b'7' => MemberKind::File,
            b'5' => MemberKind::Directory,
            other => MemberKind::Other(other),
        };
        // Only files have content, whatever the size of others says.
        let stored = if kind == MemberKind::File { size } else { 0 };
        self.state = State::Content { left: stored, padding: padding(stored) };
        Ok(Some(Member { path: next.path.unwrap_or_else(|| header.path()), kind, size: stored }))
    }
}

const fn padding(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}

struct Header<'a>(&'a [u8; BLOCK]);

impl Header<'_> {
    fn field(&self, at: usize, length: usize) -> &[u8] {
        self.0.get(at..at.saturating_add(length)).unwrap_or_default()
    }

    fn text(&self, at: usize, length: usize) -> String {
        let field = self.field(at, length);
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
        String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
    }

    fn octal(&self, at: usize, length: usize) -> Option<u64> {
        let text = str::from_utf8(self.field(at, length)).ok()?;
        let text = text.trim_matches(|it: char| it == '\0' || it == ' ');
        if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
    }

    /// Octal, or, in GNU's way, a number of eight bytes behind a mark.
    fn size(&self) -> Option<u64> {
        let field = self.field(124, 12);
        if field.first() == Some(&0x80) {
            let low = field.get(4..)?.try_into().ok()?;
            return field.get(1..4)?.iter().all(|it| *it == 0).then(|| u64::from_be_bytes(low));
        }
        self.octal(124, 12)
    }

    fn is_any(&self) -> bool {
        self.is_ustar() && self.is_sound()
    }

    fn is_ustar(&self) -> bool {
        self.field(257, 5) == b"ustar"
    }

    fn is_sound(&self) -> bool {
        self.octal(148, 8) == Some(self.checksum())
    }

    /// As if the checksum's own field were blank.
    fn checksum(&self) -> u64 {
        let own = 148..156;
        let bytes = self.0.iter().enumerate();
        bytes.map(|(at, byte)| if own.contains(&at) { 32 } else { u64::from(*byte) }).sum()
    }

    fn path(&self) -> String {
        let (prefix, name) = (self.text(345, 155), self.text(0, 100));
        if prefix.is_empty() { name } else { format!("{prefix}/{name}") }
    }
}

impl Overrides {
    /// `LENGTH KEY=VALUE\n`, again and again.
    fn parse(mut records: &[u8]) -> Option<Self> {
        let mut found = Self { is_any: true, ..Self::default() };
        while !records.is_empty() {
            let blank = records.iter().position(|byte| *byte == b' ')?;
            let length: usize = str::from_utf8(records.get(..blank)?).ok()?.parse().ok()?;
            let record = records.get(blank.checked_add(1)?..length)?.strip_suffix(b"\n")?;
            let equals = record.iter().position(|byte| *byte == b'=')?;
            let (key, value) = (record.get(..equals)?, record.get(equals.checked_add(1)?..)?);
            match key {
                b"path" => found.path = Some(String::from_utf8_lossy(value).into_owned()),
                b"size" => found.size = Some(str::from_utf8(value).ok()?.parse().ok()?),
                _ => {}
            }
            records = records.get(length..)?;
        }
        Some(found)
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn header(path: &str, kind: u8, size: u64) -> Vec<u8> {
        let mut block = [0; BLOCK];
        block[..path.len()].copy_from_slice(path.as_bytes());
        block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        block[156] = kind;
        block[257..263].copy_from_slice(b"ustar\0");
        let sum = Header(&block).checksum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block.to_vec()
    }

    pub(crate) fn file(path: &str, content: &[u8]) -> Vec<u8> {
        let mut bytes = header(path, b'0', content.len() as u64);
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    fn records(text: &str) -> Vec<u8> {
        let mut bytes = header("pax", b'x', text.len() as u64);
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    pub(crate) fn closed(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.resize((bytes.len() + 2 * BLOCK).next_multiple_of(20 * BLOCK), 0);
        bytes
    }

    type Walk = (Vec<(String, Vec<u8>)>, Result<TarEnding, TarError>);

    fn walk(bytes: &[u8], piece: usize) -> Walk {
        let (mut reader, mut found) = (TarReader::default(), Vec::new());
        for mut piece in bytes.chunks(piece) {
            loop {
                match reader.step(&mut piece) {
                    Ok(None) => break,
                    Ok(Some(Event::Member(member))) => found.push((member.path, Vec::new())),
                    Ok(Some(Event::Content(bytes))) => found.last_mut().unwrap().1.extend(bytes),
                    Ok(Some(Event::End)) => {}
                    Err(error) => return (found, Err(error)),
                }
            }
        }
        (found, Ok(reader.ending()))
    }

    #[test]
    fn members_come_with_their_content_however_the_bytes_are_cut() {
        let long = "pg_tblspc/".repeat(20);
        let mut bytes = file("./PG_VERSION", b"15\n");
        bytes.extend(header("base", b'5', 0));
        let pax = format!(" path={long}\n");
        let length = pax.len() + 3;
        bytes.extend(records(&format!("{length}{pax}30 mtime=1764417600.123456789\n")));
        bytes.extend(file("short", &[7; 1000]));
        bytes.extend(file("empty", b""));
        let bytes = closed(bytes);
        let expected = vec![
            ("./PG_VERSION".to_owned(), b"15\n".to_vec()),
            ("base".to_owned(), Vec::new()),
            (long, vec![7; 1000]),
            ("empty".to_owned(), Vec::new()),
        ];
        for piece in [1, 7, 511, 512, 513, bytes.len()] {
            assert_eq!(walk(&bytes, piece), (expected.clone(), Ok(TarEnding::Closed)), "{piece}");
        }
    }

    #[test]
    fn what_is_cut_is_open() {
        let bytes = closed(file("a", &[1; 600]));
        for length in [512, 700, 1111, 1112, 1535] {
            assert_eq!(walk(&bytes[..length], 64).1, Ok(TarEnding::Inside), "{length}");
        }
        for length in [0, 100, 1536, 2047] {
            assert_eq!(walk(&bytes[..length], 64).1, Ok(TarEnding::Between), "{length}");
        }
        assert_eq!(walk(&bytes[..1536 + 512], 64).1, Ok(TarEnding::Closed));
        // Without the member that it tells of.
        assert_eq!(walk(&records("9 path=a\n"), 64).1, Ok(TarEnding::Inside));
    }

    #[test]
    fn what_is_no_tar_is_refused() {
        let good = closed(file("a", &[1; 600]));
        let mut flipped = good.clone();
        flipped[3] ^= 1;
        assert_eq!(walk(&flipped, 512).1, Err(TarError::Checksum(0)));
        let mut trailing = good.clone();
        *trailing.last_mut().unwrap() = 1;
        trailing.extend([7; 700]);
        assert_eq!(walk(&trailing, 512).1, Ok(TarEnding::Closed));
        let hidden = [good.clone(), good.clone()].concat();
        for piece in [1, 512, 100_000] {
            assert_eq!(walk(&hidden, piece).1, Err(TarError::Trailing(good.len() as u64)));
        }
        assert!(matches!(walk(&closed(records("5 a=b\nx")), 512).1, Err(TarError::Records(_))));
        let huge = header("pax", b'x', 1 << 32);
        assert_eq!(walk(&huge, 512).1, Err(TarError::Records(0)));
        assert!(matches!(walk(&[b'x'; 1024], 512).1, Err(TarError::Checksum(0))));
    }

    #[test]
    fn a_link_has_no_content_whatever_its_size_says() {
        let mut bytes = header("link", b'2', 10_000);
        bytes.extend(file("after", b"x"));
        let (found, end) = walk(&closed(bytes), 512);
        assert_eq!(end, Ok(TarEnding::Closed));
        assert_eq!(found[1], ("after".to_owned(), b"x".to_vec()));
    }
}
