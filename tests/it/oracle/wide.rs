//! Archives of many hands: several servers, backups that fail or end late, deletions, `.partial`s, every
//! compression. All that the program asks of them is answered; then each word is held against recovery.

mod answers;
mod harm;
mod life;
mod recovery;
mod scenario;
mod world;

pub(super) use crate::oracle::wide::answers::disagreement;
pub(super) use crate::oracle::wide::world::World;
