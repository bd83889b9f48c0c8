//! Where an archive stands on its page.

#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    /// The rank of its heading.
    pub(super) level: u8,
    /// Nothing else has its address.
    pub(super) is_only_one: bool,
    /// Makes the names inside unique on the page.
    pub(super) number: usize,
    /// The browser is led to the answer here.
    pub(super) is_target: bool,
}
