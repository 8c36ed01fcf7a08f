//! Writing files that others read while we may die.

use super::ProcessError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes `value` so that a reader sees all of it or nothing. Survives the death of this process,
/// not of the machine: for files that mean nothing after a reboot.
pub(super) fn publish(path: &Path, value: &impl Serialize) -> Result<(), ProcessError> {
    let part = part_of(path);
    let write = || {
        fs::write(&part, serde_json::to_vec(value)?)?;
        fs::rename(&part, path)
    };
    write().map_err(ProcessError::io(format!("write {}", path.display())))
}

/// A file whose space is set aside while there is some, so that it can be written when the disk
/// has become full.
pub(super) struct Reserved {
    part: PathBuf,
    path: PathBuf,
    file: File,
}

impl Reserved {
    /// Bytes set aside: a result is a few hundred, and a block is the least a disk gives.
    const SIZE: usize = 4096;

    pub(super) fn new(path: PathBuf) -> Result<Self, ProcessError> {
        let part = part_of(&path);
        let reserve = || {
            let mut file = File::create(&part)?;
            file.write_all(&[b' '; Self::SIZE])?;
            Ok(file)
        };
        let file = reserve().map_err(ProcessError::io(format!("write {}", part.display())))?;
        Ok(Self { part, path, file })
    }

    /// Writes `value` so that it survives a power failure once this returns: write, sync, rename,
    /// sync the directory. May be called again after an error.
    pub(super) fn commit(&self, value: &impl Serialize) -> io::Result<()> {
        use std::os::unix::fs::FileExt;
        let bytes = serde_json::to_vec(value)?;
        self.file.write_all_at(&bytes, 0)?;
        self.file.set_len(bytes.len() as u64)?;
        self.file.sync_all()?;
        fs::rename(&self.part, &self.path)?;
        match self.path.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    }
}

/// Writes `value` in the place of a whole file, through `part`: whatever happens, one of the two is there.
pub(super) fn replace(
    part: &Path,
    path: &Path,
    value: &impl Serialize,
) -> Result<(), ProcessError> {
    let write = || {
        let mut file = File::create(part)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        file.sync_all()?;
        fs::rename(part, path)
    };
    write().map_err(|source| {
        let _ = fs::remove_file(part);
        ProcessError::io(format!("write {}", path.display()))(source)
    })
}

/// Reads what [`publish`] or [`Reserved::commit`] wrote; `None` where there is no such file.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ProcessError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(ProcessError::io(format!("read {}", path.display()))(e)),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|source| ProcessError::Damaged { path: path.to_owned(), source })
}

/// As [`read`], for what is looked at after a crash: a file that a power failure left empty or torn says as
/// much as none.
pub(super) fn read_if_whole<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ProcessError> {
    match read(path) {
        Err(ProcessError::Damaged { path, source }) => {
            tracing::warn!("{} is taken as missing: {source}", path.display());
            Ok(None)
        }
        other => other,
    }
}

fn part_of(path: &Path) -> PathBuf {
    path.with_extension("part")
}
