//! The answer in one word.

/// What can be said of an archive, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The newest state can be reached and nothing that was promised is broken.
    Recoverable,
    /// The newest state can be reached, but something is wrong.
    AtRisk,
    /// It could not be read well enough to say.
    Unknown,
    /// The newest state cannot be reached from any usable backup.
    Unrecoverable,
}

impl Verdict {
    pub const ALL: [Self; 4] =
        [Self::Recoverable, Self::AtRisk, Self::Unknown, Self::Unrecoverable];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Recoverable => "recoverable",
            Self::AtRisk => "at_risk",
            Self::Unknown => "unknown",
            Self::Unrecoverable => "unrecoverable",
        }
    }

    /// The verdict over several archives is the worst of them; over none it is unknown, since
    /// whoever asks expects something to be there.
    pub fn worst(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts.into_iter().max().unwrap_or(Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_archive_gives_the_total() {
        let worst = |verdicts: &[Verdict]| Verdict::worst(verdicts.iter().copied());
        assert_eq!(worst(&[Verdict::Recoverable, Verdict::AtRisk]), Verdict::AtRisk);
        assert_eq!(worst(&[Verdict::Unknown, Verdict::Unrecoverable]), Verdict::Unrecoverable);
        assert_eq!(worst(&[]), Verdict::Unknown);
    }
}
