//! The files of a commit, flat, without a checkout.

use super::executable::git;
use super::{GitError, Repo};
use git2::Oid;

/// A regular file that may be executed; the other modes of a tree entry follow.
pub(super) const EXECUTABLE: u32 = 0o100_755;
pub(super) const REGULAR: u32 = 0o100_644;
pub(super) const SYMLINK: u32 = 0o120_000;
pub(super) const GITLINK: u32 = 0o160_000;
pub(super) const DIRECTORY: u32 = 0o40_000;
/// The bits that say what an entry is.
const KIND: u32 = 0o170_000;

/// Bytes of a SHA-1 id in a tree object.
pub(super) const ID_LEN: usize = 20;

/// One entry that is not a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    start: u32,
    len: u32,
    /// Index into [`Listing::dirs`].
    pub dir: u32,
    /// One of the four modes above.
    pub mode: u32,
    pub oid: Oid,
}

/// One folder; the root is the first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dir {
    start: u32,
    len: u32,
    pub parent: u32,
    pub oid: Oid,
    /// Entries below, at any depth, that are not folders.
    pub files: u32,
    /// Folders directly below.
    pub subdirs: u32,
}

/// All files of a tree in the order of git's index, all its folders in pre-order. Paths share one
/// buffer: a hundred thousand small strings would cost more than reading the trees.
#[derive(Debug, Default)]
pub(super) struct Listing {
    names: Vec<u8>,
    pub files: Vec<File>,
    pub dirs: Vec<Dir>,
}

impl Listing {
    /// Reads the tree of a commit or of a tree.
    pub fn read(repo: &git2::Repository, oid: &str) -> Result<Self, GitError> {
        let root = find_tree(repo, oid)?.id();
        let odb = repo.odb().map_err(GitError::lib("open the object database"))?;
        let mut listing = Self::default();
        listing.add_dir(&[], 0, root);
        // An explicit stack: the depth of a tree is whatever its author chose.
        let mut stack = vec![(odb.read(root).map_err(unreadable(root))?, 0_usize, 0_u32)];
        while let Some((object, offset, dir)) = stack.last_mut() {
            let dir = *dir;
            let Some((mode, name, oid, next)) = entry(object.data(), *offset)? else {
                stack.pop();
                if let Some((_, _, parent)) = stack.last() {
                    let below = listing.dirs[dir as usize].files;
                    listing.dirs[*parent as usize].files += below;
                }
                continue;
            };
            *offset = next;
            if mode & KIND == DIRECTORY {
                let child = listing.add_dir(name, dir, oid);
                listing.dirs[dir as usize].subdirs += 1;
                stack.push((odb.read(oid).map_err(unreadable(oid))?, 0, child));
            } else {
                listing.add_file(name, dir, canonical(mode), oid);
                listing.dirs[dir as usize].files += 1;
            }
        }
        Ok(listing)
    }

    pub fn path(&self, file: &File) -> &[u8] {
        &self.names[file.start as usize..(file.start + file.len) as usize]
    }

    pub fn dir_path(&self, dir: &Dir) -> &[u8] {
        &self.names[dir.start as usize..(dir.start + dir.len) as usize]
    }

    /// The last component of a folder's path.
    pub fn dir_name(&self, dir: &Dir) -> &[u8] {
        last_component(self.dir_path(dir))
    }

    fn add_dir(&mut self, name: &[u8], parent: u32, oid: Oid) -> u32 {
        let (start, len) = if self.dirs.is_empty() { (0, 0) } else { self.add_name(name, parent) };
        self.dirs.push(Dir { start, len, parent, oid, files: 0, subdirs: 0 });
        count(self.dirs.len() - 1)
    }

    fn add_file(&mut self, name: &[u8], dir: u32, mode: u32, oid: Oid) {
        let (start, len) = self.add_name(name, dir);
        self.files.push(File { start, len, dir, mode, oid });
    }

    fn add_name(&mut self, name: &[u8], dir: u32) -> (u32, u32) {
        let Dir { start, len, .. } = self.dirs[dir as usize];
        let begin = self.names.len();
        if len > 0 {
            self.names.extend_from_within(start as usize..(start + len) as usize);
            self.names.push(b'/');
        }
        self.names.extend_from_slice(name);
        (count(begin), count(self.names.len() - begin))
    }
}

impl Repo {
    /// The paths of all files (and symbolic links) in the tree of a commit, in git's order. A name
    /// that is not UTF-8 has its odd bytes replaced.
    ///
    /// # Errors
    /// Whatever git refuses.
    pub fn tree_paths(&self, oid: &str) -> Result<Vec<String>, GitError> {
        if self.refused_by_libgit2().is_some() {
            let args = ["ls-tree", "-r", "-z", "--format=%(objecttype) %(path)", oid];
            let output = git(&self.common_dir, &args)?;
            let names = output.stdout.split(|b| *b == 0);
            return Ok(names.filter_map(|l| l.strip_prefix(b"blob ")).map(text).collect());
        }
        let listing = Listing::read(&self.open()?, oid)?;
        let files = listing.files.iter().filter(|f| f.mode != GITLINK);
        Ok(files.map(|f| text(listing.path(f))).collect())
    }
}

/// The tree of a commit, or the tree itself.
pub(super) fn find_tree<'r>(
    repo: &'r git2::Repository,
    oid: &str,
) -> Result<git2::Tree<'r>, GitError> {
    let object = Oid::from_str(oid)
        .and_then(|id| repo.find_object(id, None))
        .map_err(|_| GitError::UnknownRevision(oid.to_owned()))?;
    object.peel_to_tree().map_err(GitError::lib(format!("read the tree of {oid}")))
}

pub(super) fn last_component(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or(path)
}

pub(super) type Entry<'a> = (u32, &'a [u8], Oid, usize);

/// The entry of a tree object at `offset`: octal mode, space, name, NUL, id.
pub(super) fn entry(data: &[u8], offset: usize) -> Result<Option<Entry<'_>>, GitError> {
    let rest = &data[offset..];
    if rest.is_empty() {
        return Ok(None);
    }
    let parsed = || {
        let space = rest.iter().position(|b| *b == b' ')?;
        let nul = space + rest[space..].iter().position(|b| *b == 0)?;
        let mode = std::str::from_utf8(&rest[..space]).ok()?;
        let mode = u32::from_str_radix(mode, 8).ok()?;
        let oid = Oid::from_bytes(rest.get(nul + 1..nul + 1 + ID_LEN)?).ok()?;
        Some((mode, &rest[space + 1..nul], oid, offset + nul + 1 + ID_LEN))
    };
    parsed().map(Some).ok_or_else(|| {
        GitError::Refused("a tree object of the repository is damaged; run: git fsck".to_owned())
    })
}

/// Trees made by old tools hold modes such as 100664; the index knows four.
fn canonical(mode: u32) -> u32 {
    match mode & KIND {
        SYMLINK => SYMLINK,
        GITLINK => GITLINK,
        _ if mode & 0o100 != 0 => EXECUTABLE,
        _ => REGULAR,
    }
}

fn unreadable(oid: Oid) -> impl FnOnce(git2::Error) -> GitError {
    move |e| GitError::lib(format!("read tree {oid}"))(e)
}

/// Positions and counts fit: git's own index counts entries in 32 bits.
fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
