//! What a repository uses that decides how its worktrees are made.
//!
//! Promise: whatever would make a worktree written here differ from one made by `git worktree add`
//! is found beforehand, with a reason a person can read. In doubt the answer is git.

use super::tree::{GITLINK, Listing, SYMLINK, last_component};
use super::{GitError, Repo};
use git2::Config;
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// One thing the repository uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// A short name: `filter`, `sparse checkout`, `submodules`.
    pub name: &'static str,
    /// One line: what was found, and where.
    pub reason: String,
    /// Whether worktrees go through the git executable because of it.
    pub through_git: bool,
}

/// All that was found for one commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// In a fixed order; empty for most repositories.
    pub found: Vec<Feature>,
}

/// System-wide attribute files of the usual installations; git keeps the place to itself.
const SYSTEM_ATTRIBUTES: &[&str] =
    &["/etc/gitattributes", "/usr/local/etc/gitattributes", "/opt/homebrew/etc/gitattributes"];

impl Features {
    /// Looks at the settings, the hooks, and the tree and attributes of the commit.
    ///
    /// # Errors
    /// When the commit or the settings cannot be read.
    pub fn detect(repo: &Repo, oid: &str) -> Result<Self, GitError> {
        if let Some(reason) = repo.refused_by_libgit2() {
            return Ok(Self::of_refused(repo, reason));
        }
        let handle = repo.open_checkout()?;
        let listing = Listing::read(&handle, oid)?;
        let traits = TreeTraits::read(&handle, &listing);
        Self::detect_in(repo, &handle, &traits)
    }

    /// Whether worktrees go through the git executable.
    pub fn through_git(&self) -> bool {
        self.found.iter().any(|f| f.through_git)
    }

    /// As [`Features::detect`], on a handle and with what is known of the tree.
    pub(super) fn detect_in(
        repo: &Repo,
        handle: &git2::Repository,
        tree: &TreeTraits,
    ) -> Result<Self, GitError> {
        let mut config = handle.config().map_err(GitError::lib("read the settings of git"))?;
        let config = config.snapshot().map_err(GitError::lib("read the settings of git"))?;
        let mut found = Self::default();
        found.add_attributes(repo, &config, tree);
        found.add_settings(&config);
        found.add_hooks(repo, &config);
        if has_replacements(&repo.common_dir) {
            found.add("replace refs", "refs/replace/ is not empty");
        }
        if let Some(path) = &tree.odd_path {
            found.add("odd path", format!("only git may judge the path {path}"));
        }
        if tree.submodules > 0 {
            found.found.push(Feature {
                name: "submodules",
                reason: format!(
                    "{} in the tree; left as empty folders, as git does: a set-up step must run git submodule update --init",
                    tree.submodules
                ),
                through_git: false,
            });
        }
        Ok(found)
    }

    fn of_refused(repo: &Repo, reason: &str) -> Self {
        let mut found = Self::default();
        let config = Config::open(&repo.common_dir.join("config")).ok();
        let setting = |key: &str| config.as_ref().and_then(|c| c.get_string(key).ok());
        for (key, name) in [
            ("extensions.objectformat", "object format"),
            ("extensions.refstorage", "ref storage"),
            ("extensions.partialclone", "partial clone"),
        ] {
            if let Some(value) = setting(key) {
                found.add(name, format!("{key} = {value}"));
            }
        }
        found.add("beyond libgit2", format!("libgit2 does not open the repository: {reason}"));
        found
    }

    fn add_attributes(&mut self, repo: &Repo, config: &Config, tree: &TreeTraits) {
        let mut tokens = tree.attributes.clone();
        for file in outer_attribute_files(repo, config) {
            collect_tokens(&std::fs::read(file).unwrap_or_default(), &mut tokens);
        }
        for token in &tokens {
            if let Some(name) = token.strip_prefix("filter=") {
                if has_driver(config, name) {
                    self.add(
                        "filter",
                        format!("attribute {token}, and filter.{name} is configured"),
                    );
                }
            } else if token == "ident"
                || token == "eol=crlf"
                || token.starts_with("working-tree-encoding=")
            {
                self.add("conversion", format!("attribute {token}"));
            }
        }
    }

    fn add_settings(&mut self, config: &Config) {
        let is = |key: &str| config.get_bool(key).unwrap_or(false);
        let text = |key: &str| config.get_string(key).unwrap_or_default().to_ascii_lowercase();
        for (key, name) in [
            ("core.autocrlf", "conversion"),
            ("core.sparsecheckout", "sparse checkout"),
            ("core.ignorecase", "case-insensitive paths"),
            ("core.precomposeunicode", "composed unicode paths"),
            ("extensions.worktreeconfig", "settings per worktree"),
            ("extensions.relativeworktrees", "relative worktrees"),
            ("worktree.userelativepaths", "relative worktrees"),
        ] {
            if is(key) {
                self.add(name, format!("{key} is set"));
            }
        }
        if text("core.eol") == "crlf" {
            self.add("conversion", "core.eol is crlf");
        }
        if !config.get_bool("core.symlinks").unwrap_or(true) {
            self.add("no symbolic links", "core.symlinks is false");
        }
        if !matches!(text("core.sharedrepository").as_str(), "" | "umask" | "false" | "0") {
            self.add("shared repository", "core.sharedrepository is set");
        }
        if let Some(remote) = promisor(config) {
            self.add("partial clone", format!("objects are fetched from {remote} when needed"));
        }
    }

    fn add_hooks(&mut self, repo: &Repo, config: &Config) {
        if let Some(hook) = hook(repo, config, "post-checkout") {
            self.add("hook", format!("{} runs for every new worktree", hook.display()));
        }
    }

    fn add(&mut self, name: &'static str, reason: impl Into<String>) {
        self.found.push(Feature { name, reason: reason.into(), through_git: true });
    }
}

/// Where a hook is that git would run.
pub(super) fn hook(repo: &Repo, config: &Config, name: &str) -> Option<PathBuf> {
    // Relative to the top of the checkout in which git is started.
    let dir = config
        .get_path("core.hookspath")
        .map_or_else(|_| repo.common_dir.join("hooks"), |path| repo.place().join(path));
    let hook = dir.join(name);
    let executable = std::fs::metadata(&hook)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    executable.then_some(hook)
}

/// What the tree of a commit says, which never changes and may be kept.
#[derive(Clone, Debug, Default)]
pub(super) struct TreeTraits {
    /// Every attribute set in any `.gitattributes`, without the patterns.
    attributes: BTreeSet<String>,
    submodules: usize,
    odd_path: Option<String>,
}

impl TreeTraits {
    pub fn read(repo: &git2::Repository, listing: &Listing) -> Self {
        let mut traits = Self::default();
        let mut odd = None;
        for file in &listing.files {
            let name = last_component(listing.path(file));
            if file.mode == GITLINK {
                traits.submodules += 1;
            }
            if name == b".gitattributes"
                && file.mode != SYMLINK
                && let Ok(blob) = repo.find_blob(file.oid)
            {
                collect_tokens(blob.content(), &mut traits.attributes);
            }
            if is_odd(name) || (name == b".gitmodules" && file.mode == SYMLINK) {
                odd = Some(listing.path(file));
            }
        }
        for dir in &listing.dirs[1..] {
            if is_odd(listing.dir_name(dir)) {
                odd = Some(listing.dir_path(dir));
            }
        }
        traits.odd_path = odd.map(|path| String::from_utf8_lossy(path).into_owned());
        traits
    }
}

/// Whether a component is one git refuses on some system, or that would leave the worktree.
/// Wider than git's own rule on purpose: what is odd goes through git, which decides.
fn is_odd(name: &[u8]) -> bool {
    let lower = |n: usize| name.get(..n).map(<[u8]>::to_ascii_lowercase);
    let dot_git = lower(4).is_some_and(|head| head == b".git")
        && name.get(4).is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_' && *b != b'-');
    dot_git
        || lower(4).is_some_and(|head| head == b"git~")
        || name.is_empty()
        || name == b"."
        || name == b".."
        || name.contains(&b'/')
}

/// The attributes of every line, without its pattern. `-ident` and `!ident` stay as they are.
fn collect_tokens(content: &[u8], tokens: &mut BTreeSet<String>) {
    for line in String::from_utf8_lossy(content).lines() {
        if !line.trim_start().starts_with('#') {
            tokens.extend(line.split_ascii_whitespace().skip(1).map(str::to_owned));
        }
    }
}

fn outer_attribute_files(repo: &Repo, config: &Config) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = SYSTEM_ATTRIBUTES.iter().map(PathBuf::from).collect();
    files.push(repo.common_dir.join("info/attributes"));
    let user = config.get_path("core.attributesfile").ok().or_else(|| {
        let home = || std::env::home_dir().map(|home| home.join(".config"));
        let config = std::env::var_os("XDG_CONFIG_HOME").filter(|v| !v.as_bytes().is_empty());
        Some(config.map(PathBuf::from).or_else(home)?.join("git/attributes"))
    });
    files.extend(user);
    files
}

fn has_driver(config: &Config, name: &str) -> bool {
    ["smudge", "process", "clean", "required"]
        .iter()
        .any(|key| config.get_string(&format!("filter.{name}.{key}")).is_ok_and(|v| !v.is_empty()))
}

fn promisor(config: &Config) -> Option<String> {
    let mut entries = config.entries(Some("^remote\\..*\\.promisor$")).ok()?;
    while let Some(entry) = entries.next() {
        let Some(name) = entry.ok().and_then(|e| e.name().ok().map(str::to_owned)) else {
            continue;
        };
        if config.get_bool(&name).unwrap_or(false) {
            return Some(
                name.trim_end_matches(".promisor").trim_start_matches("remote.").to_owned(),
            );
        }
    }
    None
}

/// Looked up in the files: libgit2 would read every ref of the repository for it.
fn has_replacements(common_dir: &Path) -> bool {
    let loose = std::fs::read_dir(common_dir.join("refs/replace"));
    let packed = std::fs::read(common_dir.join("packed-refs")).unwrap_or_default();
    let name = b" refs/replace/";
    loose.is_ok_and(|mut files| files.next().is_some())
        || packed.windows(name.len()).any(|window| window == name)
}

#[cfg(test)]
mod tests {
    use super::super::worktree::fixture::Fixture;
    use super::*;

    fn names(fixture: &Fixture) -> Vec<&'static str> {
        let repo = fixture.repo();
        let head = repo.head().unwrap().oid;
        Features::detect(&repo, &head).unwrap().found.iter().map(|f| f.name).collect()
    }

    #[test]
    fn an_ordinary_repository_has_none() {
        assert_eq!(names(&Fixture::varied()), Vec::<&str>::new());
    }

    #[test]
    fn each_setting_is_found() {
        for (key, value, expected) in [
            ("core.autocrlf", "true", "conversion"),
            ("core.eol", "crlf", "conversion"),
            ("core.ignorecase", "true", "case-insensitive paths"),
            ("core.symlinks", "false", "no symbolic links"),
            ("core.sharedrepository", "group", "shared repository"),
            ("core.sparsecheckout", "true", "sparse checkout"),
            ("worktree.userelativepaths", "true", "relative worktrees"),
            ("extensions.worktreeconfig", "true", "settings per worktree"),
            ("remote.origin.promisor", "true", "partial clone"),
        ] {
            let fixture = Fixture::varied();
            fixture.git(&["config", key, value]);
            assert_eq!(names(&fixture), [expected], "{key}");
        }
    }

    #[test]
    fn settings_that_change_no_checkout_are_not_features() {
        let fixture = Fixture::varied();
        for (key, value) in [
            ("core.autocrlf", "input"),
            ("core.eol", "lf"),
            ("core.filemode", "false"),
            ("filter.lfs.smudge", "git-lfs smudge -- %f"),
            ("remote.origin.promisor", "false"),
        ] {
            fixture.git(&["config", key, value]);
        }
        assert_eq!(names(&fixture), Vec::<&str>::new());
    }

    #[test]
    fn attributes_count_wherever_they_are() {
        for line in ["*.x ident", "*.x eol=crlf", "*.x working-tree-encoding=UTF-16"] {
            let fixture = Fixture::varied();
            fixture.write("deep/down/.gitattributes", &format!("# ident\n{line}\n"));
            fixture.commit("attributes");
            assert_eq!(names(&fixture), ["conversion"], "{line}");
        }
        let fixture = Fixture::varied();
        fixture.write(".git/info/attributes", "*.bin filter=ours diff=ours -text\n");
        assert_eq!(names(&fixture), Vec::<&str>::new());
        fixture.git(&["config", "filter.ours.process", "cat"]);
        assert_eq!(names(&fixture), ["filter"]);
    }

    #[test]
    fn a_hook_counts_only_if_it_would_run() {
        let fixture = Fixture::varied();
        let hook = fixture.root().join("hooks of ours/post-checkout");
        std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
        std::fs::write(&hook, "#!/bin/sh\n").unwrap();
        fixture.git(&["config", "core.hooksPath", "hooks of ours"]);
        assert_eq!(names(&fixture), Vec::<&str>::new());
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(names(&fixture), ["hook"]);
    }

    #[test]
    fn replaced_objects_count_loose_and_packed() {
        let fixture = Fixture::varied();
        fixture.write("other", "");
        fixture.commit("other");
        fixture.git(&["replace", "HEAD", "HEAD~1"]);
        assert_eq!(names(&fixture), ["replace refs"]);
        fixture.git(&["pack-refs", "--all"]);
        assert_eq!(names(&fixture), ["replace refs"]);
    }

    #[test]
    fn odd_names_are_left_to_git() {
        for name in [".git", ".GIT", ".git.", ".git ", "git~1", ".git::$INDEX", ".", "..", "a/b"] {
            assert!(is_odd(name.as_bytes()), "{name}");
        }
        for name in [".gitignore", ".github", ".git-blame-ignore-revs", "git", "digit~1", ".gi"] {
            assert!(!is_odd(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn what_libgit2_refuses_is_said_with_its_name() {
        let fixture = Fixture::empty(&["--ref-format=reftable"]);
        fixture.write("a", "a\n");
        fixture.commit("first");
        assert_eq!(names(&fixture), ["ref storage", "beyond libgit2"]);
    }
}
