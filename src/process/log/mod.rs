//! An attempt's output on disk.
//!
//! `log` holds the bytes as they arrived, both streams, so that `cat log` shows what a terminal
//! would have shown; once it holds half of the cap it is left alone, and the tail goes to segments
//! `log.tail.N` of which the oldest are removed. Beside each file an index says which stream every
//! byte came from, when, and what was not kept.
//!
//! An index is a header (magic, position of the file's first byte in the whole output) and records
//! of 16 bytes: kind and length in one number, then milliseconds since 1970. A record is written
//! before its bytes and only the last one is ever changed; a reader believes a record only as far
//! as the bytes are there. So a file cut off at any point can be read.

mod follow;
mod read;
mod write;

pub use follow::Follower;
pub use read::{Entry, LogReader, LogStat, StreamReader};
pub(super) use write::LogWriter;

use serde::{Deserialize, Serialize};

/// Which of its outputs a process wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Header and records have the same size, so that no record straddles a page.
const RECORD: u64 = 16;

/// The first half of an index's header: a name and a version.
const MAGIC: [u8; 8] = *b"orchlog\x01";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Output(Stream),
    /// Bytes that could not be written.
    Dropped,
}

/// A run of bytes of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    kind: Kind,
    len: u64,
    /// Milliseconds since 1970, when the first of the bytes arrived.
    at: i64,
}

impl Record {
    /// The kind is in the top byte; no attempt writes 2^56 bytes.
    const LEN_BITS: u32 = 56;

    fn encode(self) -> [u8; 16] {
        let kind: u64 = match self.kind {
            Kind::Output(Stream::Stdout) => 0,
            Kind::Output(Stream::Stderr) => 1,
            Kind::Dropped => 2,
        };
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(kind << Self::LEN_BITS | self.len).to_le_bytes());
        bytes[8..].copy_from_slice(&self.at.to_le_bytes());
        bytes
    }

    /// `None` for bytes that no version of this program wrote.
    fn decode(bytes: [u8; 16]) -> Option<Self> {
        let (first, second) = bytes.split_at(8);
        let head = u64::from_le_bytes(first.try_into().ok()?);
        let kind = match head >> Self::LEN_BITS {
            0 => Kind::Output(Stream::Stdout),
            1 => Kind::Output(Stream::Stderr),
            2 => Kind::Dropped,
            _ => return None,
        };
        let len = head & ((1 << Self::LEN_BITS) - 1);
        Some(Self { kind, len, at: i64::from_le_bytes(second.try_into().ok()?) })
    }
}

#[cfg(test)]
mod tests;
