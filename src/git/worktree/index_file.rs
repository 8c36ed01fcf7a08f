//! The index file of a fresh worktree: version 2, with true stat data and the tree cache, so that
//! the first `git status` neither hashes a file nor reads a tree.
//!
//! libgit2 would write it too, but without the tree cache and three times slower.

use super::super::tree::{ID_LEN, Listing};
use super::sha1;
use git2::Oid;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

const SIGNATURE: &[u8; 4] = b"DIRC";
const VERSION: u32 = 2;
const HEADER: usize = 12;
/// Ten stat words, the id, the flags.
const FIXED: usize = 10 * 4 + ID_LEN + 2;
/// The length of a path in the flags; longer ones say this and end at their NUL.
const NAME_MASK: u16 = 0x0fff;

/// What git compares to know that a file is as it was written. Cut to 32 bits as the format is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::git) struct Stat {
    ctime: (u32, u32),
    mtime: (u32, u32),
    dev: u32,
    ino: u32,
    uid: u32,
    gid: u32,
    size: u32,
}

impl Stat {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as git does")]
    pub fn of(meta: &Metadata) -> Self {
        Self {
            ctime: (meta.ctime() as u32, meta.ctime_nsec() as u32),
            mtime: (meta.mtime() as u32, meta.mtime_nsec() as u32),
            dev: meta.dev() as u32,
            ino: meta.ino() as u32,
            uid: meta.uid(),
            gid: meta.gid(),
            size: meta.size() as u32,
        }
    }
}

impl Stat {
    /// Bytes, up to four gibibytes.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Whether nothing happened to the file since. The device is left out, as git does: its number
    /// may change when a file system is mounted again.
    pub fn same_file(&self, other: &Self) -> bool {
        Self { dev: 0, ..*self } == Self { dev: 0, ..*other }
    }

    /// As [`Stat::same_file`], against an entry that git or libgit2 wrote.
    pub fn matches(&self, entry: &git2::IndexEntry) -> bool {
        let time = |time: git2::IndexTime| (time.seconds().cast_unsigned(), time.nanoseconds());
        self.same_file(&Self {
            ctime: time(entry.ctime),
            mtime: time(entry.mtime),
            dev: 0,
            ino: entry.ino,
            uid: entry.uid,
            gid: entry.gid,
            size: entry.file_size,
        })
    }

    /// Whether the file was last written in an earlier second.
    pub fn is_older_than(&self, other: &Self) -> bool {
        self.mtime.0 < other.mtime.0
    }
}

/// One entry of an index that was read.
#[derive(Clone, Copy, Debug)]
pub(in crate::git) struct Cached<'a> {
    pub path: &'a [u8],
    pub mode: u32,
    pub oid: Oid,
    pub stat: Stat,
}

/// The bytes of an index that holds exactly `listing`, with one `Stat` for each file.
pub(in crate::git) fn encode(listing: &Listing, stats: &[Stat]) -> Vec<u8> {
    let paths: usize = listing.files.iter().map(|f| listing.path(f).len() + 8).sum();
    let mut out = Vec::with_capacity(HEADER + paths + listing.files.len() * FIXED + (1 << 16));
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&word(listing.files.len()).to_be_bytes());
    for (file, stat) in listing.files.iter().zip(stats) {
        let path = listing.path(file);
        let begin = out.len();
        let words = [
            stat.ctime.0,
            stat.ctime.1,
            stat.mtime.0,
            stat.mtime.1,
            stat.dev,
            stat.ino,
            file.mode,
            stat.uid,
            stat.gid,
            stat.size,
        ];
        for value in words {
            out.extend_from_slice(&value.to_be_bytes());
        }
        out.extend_from_slice(file.oid.as_bytes());
        let flags = u16::try_from(path.len()).unwrap_or(NAME_MASK).min(NAME_MASK);
        out.extend_from_slice(&flags.to_be_bytes());
        out.extend_from_slice(path);
        // One to eight NULs, so that every entry is a multiple of eight long.
        out.resize(begin + ((out.len() - begin) / 8 + 1) * 8, 0);
    }
    tree_cache(listing, &mut out);
    let sum = sha1::digest(&out);
    out.extend_from_slice(&sum);
    out
}

/// The `TREE` extension: for each folder its name, how many entries and folders it holds, its id.
fn tree_cache(listing: &Listing, out: &mut Vec<u8>) {
    // An empty folder can be in a tree, but not in an index: then the cache would not be true.
    if listing.dirs.iter().skip(1).any(|dir| dir.files == 0) {
        return;
    }
    out.extend_from_slice(b"TREE");
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    let mut children = vec![Vec::new(); listing.dirs.len()];
    for (i, dir) in listing.dirs.iter().enumerate().skip(1) {
        children[dir.parent as usize].push(i);
    }
    let mut stack = vec![0];
    while let Some(i) = stack.pop() {
        let dir = &listing.dirs[i];
        out.extend_from_slice(listing.dir_name(dir));
        out.extend_from_slice(format!("\0{} {}\n", dir.files, dir.subdirs).as_bytes());
        out.extend_from_slice(dir.oid.as_bytes());
        // Git keeps them by length, then by bytes.
        let key = |child: &usize| {
            let name = listing.dir_name(&listing.dirs[*child]);
            (name.len(), name)
        };
        children[i].sort_by(|a, b| key(b).cmp(&key(a)));
        stack.append(&mut children[i]);
    }
    let length = word(out.len() - length_at - 4).to_be_bytes();
    out[length_at..length_at + 4].copy_from_slice(&length);
}

/// The entries of an index as [`encode`] writes it; `None` for anything that is more than that,
/// such as a conflict, a sparse entry or a later version.
pub(in crate::git) fn decode(data: &[u8]) -> Option<Vec<Cached<'_>>> {
    if data.get(..4)? != SIGNATURE || be32(data, 4)? != VERSION {
        return None;
    }
    let total = be32(data, 8)? as usize;
    let mut entries = Vec::with_capacity(total.min(data.len() / FIXED));
    let mut at = HEADER;
    for _ in 0..total {
        let value = |n: usize| be32(data, at + 4 * n);
        let id_at = at + 40;
        let oid = Oid::from_bytes(data.get(id_at..id_at + ID_LEN)?).ok()?;
        let flags = u16::from_be_bytes(data.get(at + 60..at + 62)?.try_into().ok()?);
        // Any flag beside the length is a promise about the entry that this room never makes.
        if flags & !NAME_MASK != 0 {
            return None;
        }
        let name_at = at + FIXED;
        let len = match flags {
            NAME_MASK => data.get(name_at..)?.iter().position(|b| *b == 0)?,
            short => short as usize,
        };
        entries.push(Cached {
            path: data.get(name_at..name_at + len)?,
            mode: value(6)?,
            oid,
            stat: Stat {
                ctime: (value(0)?, value(1)?),
                mtime: (value(2)?, value(3)?),
                dev: value(4)?,
                ino: value(5)?,
                uid: value(7)?,
                gid: value(8)?,
                size: value(9)?,
            },
        });
        at += ((FIXED + len) / 8 + 1) * 8;
    }
    // Cut short by a full disk or a crash, the checksum would be missing.
    (data.len() >= at + ID_LEN).then_some(entries)
}

fn be32(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

/// The format counts in 32 bits.
fn word(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
