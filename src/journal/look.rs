//! Looking at the journal without touching it: what a person does who asks for the status.

use super::{Journal, JournalError, schema};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A file changed more recently than this may change again within the same tick of its file system's clock,
/// which then would not show it (the coarsest, FAT's, ticks every 2 s).
const SETTLED: Duration = Duration::from_secs(3);

impl Journal {
    /// What `read` finds in the journal at `path`, `None` where there is none. While nobody has it open,
    /// nothing is locked, made or written for that; `read` is called again where that changes meanwhile.
    ///
    /// # Errors
    /// As [`Journal::open`], and whatever `read` refuses.
    pub fn look<T, E: From<JournalError>>(
        path: &Path,
        read: impl Fn(&Self) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        if let Some(before) = Quiet::of(path)
            && let Ok(connection) = schema::open_quiet(path)
            && let Ok(found) = read(&Self::of(connection, path))
            && Quiet::of(path).is_some_and(|after| after == before)
        {
            return Ok(Some(found));
        }
        Self::open_existing(path)?.map(|journal| read(&journal)).transpose()
    }
}

/// A journal that nobody has open: all of it is in the one file, which was not written for a while.
#[derive(PartialEq, Eq)]
struct Quiet {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Quiet {
    fn of(path: &Path) -> Option<Self> {
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            fs::symlink_metadata(Path::new(&name)).is_ok()
        };
        let file = fs::metadata(path).ok()?;
        let age = SystemTime::now().duration_since(file.modified().ok()?).ok()?;
        let quiet = age > SETTLED && !beside("-wal") && !beside("-journal");
        quiet.then(|| Self {
            inode: file.ino(),
            size: file.size(),
            changed: (file.mtime(), file.mtime_nsec()),
        })
    }
}
