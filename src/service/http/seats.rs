//! Which connections are open, and which one makes way for a new one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The open connections. A new one always finds a seat: where all are taken, the connection that
/// has gone longest without a complete request gives up its own, so that no number of clients that
/// say or read nothing keeps a probe out.
#[derive(Debug, Default)]
pub(super) struct Seats {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    by_number: BTreeMap<u64, Holder>,
}

#[derive(Debug)]
struct Holder {
    peer: IpAddr,
    /// When its last complete request came, or it connected.
    asked_at: Instant,
    displaced: Arc<Notify>,
}

/// One connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    displaced: Arc<Notify>,
}

/// Two Prometheus servers, a kubelet and some browsers need a tenth of it.
const SEATS_MAX: usize = 128;

/// An ingress is one peer, and so is a node whose pods are masked; nobody gets more than half.
const SEATS_OF_A_PEER_MAX: usize = SEATS_MAX / 2;

impl Seats {
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr) -> Seat {
        let displaced = Arc::new(Notify::new());
        let mut taken = self.lock();
        let of_peer = taken.by_number.values().filter(|holder| holder.peer == peer).count();
        if SEATS_OF_A_PEER_MAX <= of_peer {
            taken.displace(|holder| holder.peer == peer);
        } else if SEATS_MAX <= taken.by_number.len() {
            taken.displace(|_| true);
        }
        let number = taken.next;
        taken.next = taken.next.wrapping_add(1);
        let holder = Holder { peer, asked_at: Instant::now(), displaced: Arc::clone(&displaced) };
        taken.by_number.insert(number, holder);
        Seat { seats: Arc::clone(self), number, displaced }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Of some connections, the one longest without a request loses its seat at once.
    fn displace(&mut self, is_meant: impl Fn(&Holder) -> bool) {
        let meant = self.by_number.iter().filter(|(_, holder)| is_meant(holder));
        let Some(number) = meant.min_by_key(|(_, it)| it.asked_at).map(|(number, _)| *number)
        else {
            return;
        };
        if let Some(holder) = self.by_number.remove(&number) {
            holder.displaced.notify_one();
        }
    }
}

impl Seat {
    /// A complete request came.
    pub(super) fn note_request(&self) {
        if let Some(holder) = self.seats.lock().by_number.get_mut(&self.number) {
            holder.asked_at = Instant::now();
        }
    }

    /// Waits until another connection needs the seat.
    pub(super) async fn displaced(&self) {
        self.displaced.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.lock().by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use futures::FutureExt;
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn peer(number: usize) -> IpAddr {
        Ipv4Addr::from(0x7F00_0000 + u32::try_from(number).unwrap()).into()
    }

    fn is_displaced(seat: &Seat) -> bool {
        seat.displaced().now_or_never().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn who_asked_longest_ago_makes_way_where_all_seats_are_taken() {
        let seats = Arc::new(Seats::default());
        let mut held = Vec::new();
        for number in 0..SEATS_MAX {
            held.push(seats.take(peer(number)));
            advance(SECOND).await;
        }
        held[0].note_request();
        let newest = seats.take(peer(SEATS_MAX));
        let displaced: Vec<usize> = (0..SEATS_MAX).filter(|it| is_displaced(&held[*it])).collect();
        assert_eq!(displaced, [1]);
        assert!(!is_displaced(&newest));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_with_half_of_the_seats_makes_way_for_itself() {
        let seats = Arc::new(Seats::default());
        let stranger = seats.take(peer(1));
        advance(SECOND).await;
        let held: Vec<Seat> = (0..=SEATS_OF_A_PEER_MAX).map(|_| seats.take(peer(2))).collect();
        assert!(is_displaced(&held[0]) && !is_displaced(&held[1]) && !is_displaced(&stranger));
    }

    #[tokio::test]
    async fn a_seat_that_is_left_is_free_again() {
        let seats = Arc::new(Seats::default());
        drop(seats.take(peer(1)));
        assert!(seats.lock().by_number.is_empty());
    }
}
