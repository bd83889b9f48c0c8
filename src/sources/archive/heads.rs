//! Whether what HEADs tell of an archive is worth anything: they are only believed as long as
//! listings show the same.

use crate::observation::HeadTrouble;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentId;
use crate::sources::store::error::StoreErrorKind;

#[derive(Debug, Default)]
pub(super) struct Heads {
    /// Once and for all: nobody asks any more.
    trouble: Option<HeadTrouble>,
    /// Whether one has ever said that something is not there.
    says_no: bool,
    /// Whether a listing has ever shown what they found.
    is_proven: bool,
    /// Looks in a row at which they failed and listings did not.
    failures: u8,
    claim: Option<Claim>,
}

/// What HEADs found since the last listing.
#[derive(Debug)]
struct Claim {
    newest: SegmentId,
    /// Without that.
    listed: Inventory,
}

/// So many looks in a row are no hiccup of the store, whose other answers were good meanwhile.
const FAILURES_MAX: u8 = 3;

impl Heads {
    pub(super) const fn trouble(&self) -> Option<HeadTrouble> {
        self.trouble
    }

    /// Whether a yes means something, because there has been a no.
    pub(super) const fn can_say_no(&self) -> bool {
        self.says_no && self.trouble.is_none()
    }

    pub(super) const fn is_proven(&self) -> bool {
        self.is_proven
    }

    pub(super) const fn note_no(&mut self) {
        self.says_no = true;
        self.failures = 0;
    }

    /// Notes what was found beyond what is known; the next listing shows whether it is there.
    pub(super) fn claim(&mut self, newest: SegmentId, known: &Inventory) {
        match &mut self.claim {
            Some(claim) => claim.newest = newest,
            None => self.claim = Some(Claim { newest, listed: known.clone() }),
        }
    }

    /// What listings have shown, where HEADs went beyond it.
    pub(super) fn listed(&self) -> Option<&Inventory> {
        self.claim.as_ref().map(|claim| &claim.listed)
    }

    /// The same, to be told of what another listing has shown.
    pub(super) fn listed_mut(&mut self) -> Option<&mut Inventory> {
        self.claim.as_mut().map(|claim| &mut claim.listed)
    }

    /// Notes that a listing shows nothing of what one found. Says whether that is the end of asking.
    pub(super) fn note_invented(&mut self) -> bool {
        self.trouble.replace(HeadTrouble::Invents).is_none()
    }

    /// Holds what was found against a listing of the same segments. Says whether that is the end
    /// of asking.
    pub(super) fn settle(&mut self, listed: &Inventory) -> bool {
        let Some(Claim { newest, .. }) = self.claim.take() else { return false };
        let archive = listed.timeline(newest.timeline);
        if archive.is_some_and(|it| it.segments().contains(newest.number)) {
            self.is_proven = true;
            return false;
        }
        self.note_invented()
    }

    /// Forgets what was found, where numbers have come to mean something else.
    pub(super) fn forget_claim(&mut self) {
        self.claim = None;
    }

    /// Notes that one failed where a listing did not. Says whether that is the end of asking.
    pub(super) fn note_failure(&mut self, kind: StoreErrorKind) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.trouble.is_some() || !is_refusal(kind) && self.failures < FAILURES_MAX {
            return false;
        }
        self.trouble = Some(HeadTrouble::Refused);
        true
    }
}

/// Whether the next one will be answered in the same way.
const fn is_refusal(kind: StoreErrorKind) -> bool {
    match kind {
        StoreErrorKind::Denied
        | StoreErrorKind::Malformed
        | StoreErrorKind::NoSuchBucket
        | StoreErrorKind::NotAllowed => true,
        StoreErrorKind::NoSuchKey
        | StoreErrorKind::Changed
        | StoreErrorKind::TooLarge
        | StoreErrorKind::OtherListing
        | StoreErrorKind::Throttled
        | StoreErrorKind::TimedOut
        | StoreErrorKind::NoSuchHost
        | StoreErrorKind::ConnectionRefused
        | StoreErrorKind::Untrusted
        | StoreErrorKind::Unavailable => false,
    }
}
