//! Reading a log, finished or growing.

use super::{Kind, MAGIC, RECORD, Record, Stream};
use crate::model::Timestamp;
use crate::process::layout::{self, TAIL_PREFIX};
use std::fs::{self, File};
use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The most bytes of output in one entry.
const MOST: u64 = 64 << 10;

/// A piece of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Bytes of one stream. May end in the middle of a line, or of a character.
    Output {
        /// Where the process wrote them.
        stream: Stream,
        /// When the first of them (or of those just before them) arrived.
        at: Timestamp,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// This many bytes are missing here: beyond the cap, or refused by a full disk.
    Dropped(u64),
}

/// What can be said of a log without reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogStat {
    /// Bytes of output kept.
    pub len: u64,
    /// When the last of them arrived.
    pub last_output: Option<Timestamp>,
}

/// The entries of a log in order of arrival. At the end of a log that grows, `None` is followed by
/// more entries when there are more.
#[derive(Debug)]
pub struct LogReader {
    dir: PathBuf,
    current: Option<Open>,
    /// How much of the whole output was passed, including what was dropped.
    position: u64,
    /// The directory's time of change when it was found to have no later file.
    searched: Option<SystemTime>,
}

#[derive(Debug)]
struct Open {
    /// 0 is the head.
    number: u64,
    data: File,
    index: File,
    /// The record to be read, from 0.
    record: u64,
    /// How much of it was read.
    consumed: u64,
    /// Bytes of the data file passed.
    offset: u64,
}

impl LogReader {
    /// Opens the log in an attempt's directory. There may be none yet.
    #[must_use]
    pub fn open(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), current: None, position: 0, searched: None }
    }

    /// One stream's bytes, without what was dropped.
    #[must_use]
    pub fn stream(self, stream: Stream) -> StreamReader {
        StreamReader { log: self, stream, buffer: Vec::new(), passed: 0 }
    }

    /// Size and age of the log in an attempt's directory; nothing where there is none.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn stat(dir: &Path) -> io::Result<LogStat> {
        let mut stat = LogStat::default();
        let paths = numbers(dir)?.into_iter().map(|number| layout::tail(dir, number));
        for path in std::iter::once(layout::log(dir)).chain(paths) {
            let Ok(metadata) = fs::metadata(path) else { continue };
            if metadata.len() == 0 {
                continue;
            }
            stat.len += metadata.len();
            let since = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH);
            let millis = i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX);
            stat.last_output = stat.last_output.max(Some(Timestamp(millis)));
        }
        Ok(stat)
    }

    /// The last line of the output that is not blank; without escape codes.
    #[must_use]
    pub fn last_line(dir: &Path) -> Option<String> {
        let text = Self::last_lines(dir)?;
        // A carriage return begins a line anew on a terminal.
        let line = text.split(['\n', '\r']).rev().find(|line| !line.trim().is_empty())?;
        Some(line.trim().chars().filter(|c| !c.is_control()).collect())
    }

    /// The last 2 KiB of the output, of both streams.
    #[must_use]
    pub fn last_lines(dir: &Path) -> Option<String> {
        const MOST: u64 = 2048;
        let newest = numbers(dir).ok()?.into_iter().max();
        let path = newest.map_or_else(|| layout::log(dir), |number| layout::tail(dir, number));
        let file = File::open(path).ok()?;
        let len = file.metadata().ok()?.len();
        let mut bytes = vec![0; usize::try_from(len.min(MOST)).unwrap_or(0)];
        let count = read_what_is_there(&file, &mut bytes, len.saturating_sub(MOST)).ok()?;
        Some(String::from_utf8_lossy(&bytes[..count]).into_owned())
    }

    /// Passes over all but about the last `keep` bytes of what the current file has, without reading
    /// them. What was passed over; 0 when there is not that much.
    pub fn skip_to_last(&mut self, keep: u64) -> io::Result<u64> {
        let mut skipped = 0;
        while let Some(open) = &mut self.current {
            let behind = open.data.metadata()?.len().saturating_sub(open.offset);
            // One that is followed by another grows no more, so it is read after that was seen.
            let is_last = open.record_at(open.record + 1)?.is_none();
            let Some(record) = open.record_at(open.record)? else { break };
            let left = record.len.saturating_sub(open.consumed);
            if is_last || behind < keep + left || record.kind == Kind::Dropped {
                break;
            }
            open.record += 1;
            open.consumed = 0;
            open.offset += left;
            self.position += left;
            skipped += left;
        }
        Ok(skipped)
    }

    /// The next entry, `None` where the log ends now.
    pub(super) fn read(&mut self) -> io::Result<Option<Entry>> {
        loop {
            if self.current.is_none() && !self.advance(None)? {
                return Ok(None);
            }
            if let Some(entry) = self.within()? {
                return Ok(Some(entry));
            }
            let number = self.current.as_ref().map(|open| open.number);
            let Some(next) = self.following(number)? else { return Ok(None) };
            // The writer may have added to this file before it went on to the next.
            if let Some(entry) = self.within()? {
                return Ok(Some(entry));
            }
            let before = self.position;
            if !self.advance(Some(next))? {
                return Ok(None);
            }
            if self.position > before {
                return Ok(Some(Entry::Dropped(self.position - before)));
            }
        }
    }

    /// The next entry of the current file.
    fn within(&mut self) -> io::Result<Option<Entry>> {
        let Some(open) = &mut self.current else { return Ok(None) };
        loop {
            let Some(record) = open.record_at(open.record)? else { return Ok(None) };
            let left = record.len.saturating_sub(open.consumed);
            if left == 0 {
                // It may still grow unless another follows it; and it may have grown before that.
                if open.record_at(open.record + 1)?.is_none() {
                    return Ok(None);
                }
                if open.record_at(open.record)?.is_some_and(|again| again.len > record.len) {
                    continue;
                }
                open.record += 1;
                open.consumed = 0;
                continue;
            }
            let stream = match record.kind {
                Kind::Output(stream) => stream,
                Kind::Dropped => {
                    open.consumed += left;
                    self.position += left;
                    return Ok(Some(Entry::Dropped(left)));
                }
            };
            let mut bytes = vec![0; usize::try_from(left.min(MOST)).unwrap_or(0)];
            let count = read_what_is_there(&open.data, &mut bytes, open.offset)?;
            if count == 0 {
                return Ok(None);
            }
            bytes.truncate(count);
            open.consumed += count as u64;
            open.offset += count as u64;
            self.position += count as u64;
            return Ok(Some(Entry::Output { stream, at: Timestamp(record.at), bytes }));
        }
    }

    /// Opens the file `number`, or the first there is; `false` if it is not there (any more).
    fn advance(&mut self, number: Option<u64>) -> io::Result<bool> {
        let number = number.unwrap_or(0);
        let path =
            if number == 0 { layout::log(&self.dir) } else { layout::tail(&self.dir, number) };
        let files =
            File::open(&path).and_then(|data| Ok((data, File::open(layout::index(&path))?)));
        let (data, index) = match files {
            Ok(files) => files,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(e),
        };
        let mut header = [0; 16];
        if read_what_is_there(&index, &mut header, 0)? < header.len() {
            return Ok(false);
        }
        let (magic, start) = header.split_at(8);
        let start = start.try_into().map_or(0, u64::from_le_bytes);
        if magic != MAGIC {
            let what = format!("{}.idx is not the index of a log", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        self.position = self.position.max(start);
        self.current = Some(Open { number, data, index, record: 0, consumed: 0, offset: 0 });
        Ok(true)
    }

    /// The number of the file after `number`. Asked at every look at a log that does not grow, so the
    /// directory is listed only when it has changed.
    fn following(&mut self, number: Option<u64>) -> io::Result<Option<u64>> {
        /// A directory may change again within one tick of the clock that dates it: 10 ms at the most
        /// (a kernel of 100 Hz), with room for file systems that round.
        const TICK: Duration = Duration::from_secs(2);
        let changed = fs::metadata(&self.dir).and_then(|dir| dir.modified()).ok();
        if changed.is_some() && changed == self.searched {
            return Ok(None);
        }
        let next = numbers(&self.dir)?.into_iter().filter(|next| Some(*next) > number).min();
        let is_past = |time: &SystemTime| time.elapsed().is_ok_and(|since| since > TICK);
        self.searched = changed.filter(is_past).filter(|_| next.is_none());
        Ok(next)
    }
}

impl Iterator for LogReader {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl Open {
    fn record_at(&self, number: u64) -> io::Result<Option<Record>> {
        let mut bytes = [0; 16];
        let count = read_what_is_there(&self.index, &mut bytes, RECORD * (1 + number))?;
        // A record cut short was never acted upon.
        Ok(if count < bytes.len() { None } else { Record::decode(bytes) })
    }
}

/// The numbers of the tail segments there are.
fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(TAIL_PREFIX));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    Ok(numbers)
}

fn read_what_is_there(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match file.read_at(&mut buffer[count..], offset + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(count)
}

/// The bytes of one stream of a log, as the process wrote them.
#[derive(Debug)]
pub struct StreamReader {
    log: LogReader,
    stream: Stream,
    buffer: Vec<u8>,
    passed: usize,
}

impl BufRead for StreamReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.passed >= self.buffer.len() {
            match self.log.read()? {
                Some(Entry::Output { stream, bytes, .. }) if stream == self.stream => {
                    self.buffer = bytes;
                    self.passed = 0;
                }
                Some(_) => {}
                None => return Ok(&[]),
            }
        }
        Ok(&self.buffer[self.passed..])
    }

    fn consume(&mut self, count: usize) {
        self.passed += count;
    }
}

impl Read for StreamReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let count = available.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}
