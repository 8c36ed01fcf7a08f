//! Writing the log. Never fails and never grows: what cannot be kept is counted.

use super::{Kind, MAGIC, RECORD, Record, Stream};
use crate::process::layout;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The least a log keeps; below that, head and tail would say nothing.
const LEAST_CAP: u64 = 4096;

/// The tail is kept in this many segments, so between three and four quarters of its share are.
const SEGMENTS: u64 = 4;

/// Bytes of one stream that arrive within this time share a record: an agent that writes single
/// characters would otherwise fill its index sixteen times as fast as its log.
const COALESCE_MS: i64 = 100;

/// An index may grow as large as its log, or to this size: streams that alternate byte by byte
/// must not get round the cap.
const LEAST_INDEX: u64 = 64 << 10;

/// The writer of one attempt's log.
pub(in crate::process) struct LogWriter {
    dir: PathBuf,
    current: Segment,
    /// Capacity of each tail segment.
    tail_capacity: u64,
    /// Number of the current tail segment; 0 while the head is written.
    number: u64,
    /// Full tail segments still on disk, oldest first: number and bytes.
    full: VecDeque<(u64, u64)>,
    received: u64,
    dropped: u64,
    /// Dropped bytes that the index does not mention yet.
    unrecorded: u64,
}

impl LogWriter {
    /// Creates the log's first files.
    pub(in crate::process) fn create(dir: &Path, cap: u64) -> io::Result<Self> {
        let cap = cap.max(LEAST_CAP);
        let head = cap / 2;
        Ok(Self {
            dir: dir.to_owned(),
            current: Segment::create(&layout::log(dir), 0, head)?,
            tail_capacity: (cap - head) / SEGMENTS,
            number: 0,
            full: VecDeque::new(),
            received: 0,
            dropped: 0,
            unrecorded: 0,
        })
    }

    /// Bytes received so far.
    pub(in crate::process) fn received(&self) -> u64 {
        self.received
    }

    /// Bytes received and not kept.
    pub(in crate::process) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes `bytes` that arrived at `at` (milliseconds since 1970).
    pub(in crate::process) fn write(&mut self, stream: Stream, mut bytes: &[u8], at: i64) {
        while !bytes.is_empty() {
            if self.current.is_full() && self.rotate().is_err() {
                self.drop_bytes(bytes.len() as u64);
                return;
            }
            let room = usize::try_from(self.current.room()).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            let written = self.record_gap(at).and_then(|()| self.current.append(stream, now, at));
            let written = written.unwrap_or(0);
            self.received += written as u64;
            if written < now.len() {
                self.drop_bytes((now.len() - written) as u64);
            }
            bytes = later;
        }
    }

    fn drop_bytes(&mut self, count: u64) {
        self.received += count;
        self.dropped += count;
        self.unrecorded += count;
    }

    fn record_gap(&mut self, at: i64) -> io::Result<()> {
        if self.unrecorded > 0 {
            self.current.put(Record { kind: Kind::Dropped, len: self.unrecorded, at })?;
            self.unrecorded = 0;
        }
        Ok(())
    }

    /// Goes on to the next tail segment, removing the oldest where the tail's share is used up.
    fn rotate(&mut self) -> io::Result<()> {
        let number = self.number + 1;
        let place = layout::tail(&self.dir, number);
        // Only now is room needed: a segment is full, and one may go.
        let mut finished = self.full.clone();
        if self.number > 0 {
            finished.push_back((self.number, self.current.len));
        }
        while finished.len() as u64 >= SEGMENTS {
            if let Some((oldest, bytes)) = finished.pop_front() {
                let path = layout::tail(&self.dir, oldest);
                let _ = fs::remove_file(layout::index(&path));
                let _ = fs::remove_file(path);
                self.dropped += bytes;
                self.full.retain(|(number, _)| *number != oldest);
            }
        }
        self.current = Segment::create(&place, self.received, self.tail_capacity)?;
        // The new segment's position says what is missing before it.
        self.unrecorded = 0;
        self.full = finished;
        self.number = number;
        Ok(())
    }
}

/// A file of the log and its index.
struct Segment {
    data: File,
    index: File,
    capacity: u64,
    len: u64,
    records: u64,
    last: Option<Record>,
}

impl Segment {
    fn create(path: &Path, start: u64, capacity: u64) -> io::Result<Self> {
        let index = File::create(layout::index(path))?;
        let mut header = [0; 16];
        header[..8].copy_from_slice(&MAGIC);
        header[8..].copy_from_slice(&start.to_le_bytes());
        index.write_all_at(&header, 0)?;
        // Last, because a reader looks for this one.
        let data = File::create(path)?;
        Ok(Self { data, index, capacity, len: 0, records: 0, last: None })
    }

    fn room(&self) -> u64 {
        self.capacity - self.len
    }

    fn is_full(&self) -> bool {
        self.len >= self.capacity || self.records * RECORD >= self.capacity.max(LEAST_INDEX)
    }

    /// Writes as much as the disk takes and says how much that was.
    fn append(&mut self, stream: Stream, bytes: &[u8], at: i64) -> io::Result<usize> {
        let kind = Kind::Output(stream);
        let before = self.last.filter(|last| {
            last.kind == kind && last.len > 0 && (0..COALESCE_MS).contains(&(at - last.at))
        });
        let mut record = Record {
            kind,
            len: before.map_or(0, |last| last.len) + bytes.len() as u64,
            at: before.map_or(at, |last| last.at),
        };
        if before.is_some() {
            self.replace(record)?;
        } else {
            self.put(record)?;
        }
        let written = write_what_fits(&self.data, bytes, self.len);
        self.len += written as u64;
        if written < bytes.len() {
            record.len -= (bytes.len() - written) as u64;
            // In place, so a full disk does not refuse it.
            self.replace(record)?;
        }
        Ok(written)
    }

    /// Adds a record. An empty one, left by a full disk, is written over.
    fn put(&mut self, record: Record) -> io::Result<()> {
        if self.last.is_some_and(|last| last.len == 0) {
            return self.replace(record);
        }
        self.index.write_all_at(&record.encode(), RECORD * (1 + self.records))?;
        self.records += 1;
        self.last = Some(record);
        Ok(())
    }

    fn replace(&mut self, record: Record) -> io::Result<()> {
        self.index.write_all_at(&record.encode(), RECORD * self.records)?;
        self.last = Some(record);
        Ok(())
    }
}

fn write_what_fits(file: &File, bytes: &[u8], offset: u64) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        match file.write_at(&bytes[written..], offset + written as u64) {
            Ok(0) => break,
            Ok(count) => written += count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    written
}
