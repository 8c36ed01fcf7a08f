//! Files that everybody changes, and whether git merges what they do there.
//!
//! A file is hot by its kind (its name says that it is a list to which every change adds) or by its
//! history (a large share of all changes, mostly small insertions). Two tasks that share nothing but hot
//! files are not kept apart where there is reason to believe that their work merges by itself: git was
//! told to (`merge=union`), or it did, again and again, in this very history. Without such a reason a hot
//! file is a file like any other.

use serde::Serialize;

/// What the repository says about a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HotFacts {
    /// `.gitattributes` gives it `merge=union`.
    pub union: bool,
    /// Changes that were looked at, of whatever file.
    pub seen: u32,
    /// Those that changed the file.
    pub changes: u32,
    /// Those that inserted a few lines and removed next to nothing.
    pub small: u32,
    /// Pairs of changes to it that were made, or could have been made, side by side.
    pub pairs: u32,
    /// Those of them that git merges without a conflict.
    pub clean: u32,
}

/// A file that more than one task writes and that everybody changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HotFile {
    /// The file.
    pub path: String,
    /// `lock file`, `change log`, `module list`, `registry`, `route table` or `often changed`.
    pub kind: &'static str,
    /// Whether two tasks may change it side by side.
    pub mergeable: bool,
    /// Why, or why not. One line.
    pub reason: String,
}

/// Names of files to which every change adds, by kind. Lock files are written by tools.
const KINDS: &[(&str, &[&str])] = &[
    (
        "lock file",
        &[
            "cargo.lock",
            "package-lock.json",
            "npm-shrinkwrap.json",
            "yarn.lock",
            "pnpm-lock.yaml",
            "bun.lock",
            "bun.lockb",
            "poetry.lock",
            "uv.lock",
            "pdm.lock",
            "pipfile.lock",
            "gemfile.lock",
            "composer.lock",
            "go.sum",
            "flake.lock",
            "mix.lock",
            "pubspec.lock",
            "package.resolved",
        ],
    ),
    ("change log", &["changelog", "changes", "history", "news", "release_notes", "releasenotes"]),
    (
        "module list",
        &["mod.rs", "lib.rs", "__init__.py", "index.ts", "index.js", "index.tsx", "index.mjs"],
    ),
    ("registry", &["registry", "plugins", "providers", "container", "settings", "installed_apps"]),
    ("route table", &["routes", "urls", "router", "routing"]),
];

/// A share of all changes from which a file is often changed: one change in twenty is the tenth or so
/// most changed file of most repositories.
const OFTEN: f64 = 0.05;
/// Fewer changes than this show no habit.
const HABIT: u32 = 8;
/// The share of small insertions from which a file grows by them.
const MOSTLY: f64 = 0.6;
/// The share of clean pairs from which a conflict is unlikely enough to risk; what fails is told when
/// it is merged, and nothing is lost.
const CLEAN: f64 = 0.9;
/// Pairs that must have been seen; fewer where the name says what to expect.
const PAIRS: u32 = 8;
const PAIRS_OF_KIND: u32 = 4;

/// The kind that a file's name tells.
pub(super) fn kind(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let stem = name.split('.').next().unwrap_or(&name);
    KINDS.iter().find_map(|&(kind, names)| {
        let known = names
            .iter()
            .any(|&known| if known.contains('.') { known == name } else { known == stem });
        known.then_some(kind)
    })
}

/// Whether a file that several tasks write is hot, and what follows.
pub(super) fn judge(path: &str, facts: &HotFacts) -> Option<HotFile> {
    let share = |part: u32, whole: u32| f64::from(part) / f64::from(whole.max(1));
    let often = facts.changes >= HABIT
        && share(facts.changes, facts.seen) >= OFTEN
        && share(facts.small, facts.changes) >= MOSTLY;
    let by_name = kind(path);
    let kind = by_name.or(often.then_some("often changed"));
    if kind.is_none() && !facts.union {
        return None;
    }
    let enough = if by_name.is_some() { PAIRS_OF_KIND } else { PAIRS };
    let (mergeable, reason) = if facts.union {
        (true, "git merges it line by line (merge=union)".to_owned())
    } else if facts.pairs < enough {
        let reason = match facts.pairs {
            0 => "no two of its changes could be tried side by side".to_owned(),
            pairs => format!("only {pairs} pairs of its changes could be tried side by side"),
        };
        (false, reason)
    } else {
        let mergeable = share(facts.clean, facts.pairs) >= CLEAN;
        (
            mergeable,
            format!("{} of {} pairs of its changes merged cleanly", facts.clean, facts.pairs),
        )
    };
    let kind = kind.unwrap_or("often changed");
    Some(HotFile { path: path.to_owned(), kind, mergeable, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: HotFacts =
        HotFacts { union: false, seen: 100, changes: 20, small: 18, pairs: 19, clean: 18 };

    #[test]
    fn a_name_tells_the_kind() {
        for (path, expected) in [
            ("Cargo.lock", Some("lock file")),
            ("web/package-lock.json", Some("lock file")),
            ("CHANGELOG.md", Some("change log")),
            ("docs/CHANGES", Some("change log")),
            ("src/tui/mod.rs", Some("module list")),
            ("app/urls.py", Some("route table")),
            ("src/registry.rs", Some("registry")),
            ("src/model.rs", None),
            ("src/history_view.rs", None),
            ("lock", None),
        ] {
            assert_eq!(kind(path), expected, "{path}");
        }
    }

    #[test]
    fn what_merges_in_practice_is_told_from_what_does_not() {
        let judged = |path, facts| judge(path, &facts).map(|hot| (hot.kind, hot.mergeable));
        assert_eq!(judged("CHANGELOG.md", FACTS), Some(("change log", true)));
        assert_eq!(judged("x.rs", FACTS), Some(("often changed", true)));
        assert_eq!(judged("x.rs", HotFacts { changes: 4, ..FACTS }), None);
        assert_eq!(judged("x.rs", HotFacts { small: 3, ..FACTS }), None);
        let colliding = HotFacts { clean: 9, ..FACTS };
        assert_eq!(judged("CHANGELOG.md", colliding), Some(("change log", false)));
        assert_eq!(judged("CHANGELOG.md", HotFacts::default()), Some(("change log", false)));
        let union = HotFacts { union: true, ..HotFacts::default() };
        assert_eq!(judged("notes.txt", union), Some(("often changed", true)));
        let few = HotFacts { pairs: 5, clean: 5, ..FACTS };
        assert_eq!(judged("mod.rs", few), Some(("module list", true)));
        assert_eq!(judged("x.rs", few), Some(("often changed", false)));
    }
}
