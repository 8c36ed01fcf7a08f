//! Where chance comes from: bytes that proptest draws, so that a failing schedule shrinks. When they
//! run out every choice is the first one, which is the harmless one, so every schedule ends.

#[derive(Clone)]
pub struct Script<'a> {
    bytes: std::slice::Iter<'a, u8>,
}

impl<'a> Script<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter() }
    }

    pub fn is_over(&self) -> bool {
        self.bytes.len() == 0
    }

    /// One of `0..n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.bytes.next().map_or(0, |byte| usize::from(*byte) % n.max(1))
    }

    /// True in about one of `n` cases, never when the script is over.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }
}
