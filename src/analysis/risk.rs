//! What may go wrong with a task, read from its targets and its words.
//!
//! A risk is said where there is something to point at; it decides nothing.

use super::score::WRITE_FROM;
use super::tree::{Tree, extension, file_name};
use crate::model::{Access, Target, WorkType};

/// Something that a person should know before the task runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Risk {
    /// `deletes`, `dependencies`, `huge_scope`, `migration`, `no_tests`, `pipeline`, `public_api`,
    /// `security` or `unknown_files`.
    pub kind: &'static str,
    /// One line.
    pub reason: String,
}

/// Files written from which a review is work of its own.
const HUGE: usize = 20;
/// Extensions of source code, for which tests are to be expected.
const CODE: &[&str] = &[
    "rs", "py", "js", "jsx", "ts", "tsx", "go", "java", "kt", "rb", "php", "c", "cc", "cpp", "h",
    "hpp", "cs", "swift", "scala", "ex", "exs", "clj", "lua", "sh",
];
/// Parts of paths that tell what a file is for.
const MIGRATIONS: &[&str] =
    &["migration", "migrations", "migrate", "alembic", "flyway", "liquibase"];
const SECURE: &[&str] = &[
    "auth",
    "login",
    "session",
    "sessions",
    "crypto",
    "security",
    "permission",
    "permissions",
    "password",
    "passwords",
    "token",
    "tokens",
    "secret",
    "secrets",
    "oauth",
    "jwt",
    "acl",
    "tls",
    "ssl",
];
const PIPELINES: &[&str] =
    &[".github", ".gitlab", ".circleci", "jenkinsfile", "dockerfile", "terraform", "helm"];
const MANIFESTS: &[&str] = &[
    "cargo.toml",
    "package.json",
    "go.mod",
    "pyproject.toml",
    "requirements.txt",
    "pom.xml",
    "build.gradle",
    "gemfile",
    "composer.json",
    "mix.exs",
];
const API: &[&str] = &[
    "api", "openapi", "proto", "protos", "public", "schema", "schemas", "graphql", "include",
    "lib.rs",
];
/// Beginnings of words that ask for something to go. Ours and other languages'.
const DELETES: &[&str] = &[
    "delete", "drop ", "purge", "wipe", "truncate", "rm -rf", "lösche", "entferne", "supprim",
    "elimina", "削除", "删除",
];

/// The risks of a task; at most one of each kind.
pub(super) fn find(
    tree: &Tree,
    title: &str,
    body: &str,
    work_type: WorkType,
    targets: &[Target],
    reach: usize,
) -> Vec<Risk> {
    let written: Vec<&str> = targets
        .iter()
        .filter(|t| t.access == Access::Write && t.confidence >= WRITE_FROM)
        .map(|t| t.path.as_str())
        .collect();
    let mut risks = Vec::new();
    let mut say =
        |kind, reason: Option<String>| risks.extend(reason.map(|reason| Risk { kind, reason }));
    let named = |names: &[&str]| written.iter().find(|path| has_part(path, names)).copied();
    let text = format!("{title}\n{body}").to_lowercase();
    let deletes = text.lines().find(|line| DELETES.iter().any(|word| line.contains(word)));
    say("deletes", deletes.map(|line| format!("asks to remove something: {}", short(line))));
    let manifest =
        written.iter().find(|path| MANIFESTS.contains(&file_name(path).to_lowercase().as_str()));
    say("dependencies", manifest.map(|path| format!("writes {path}: dependencies may change")));
    let all = written.len().saturating_add(reach);
    say("huge_scope", (all >= HUGE).then(|| format!("writes about {all} files")));
    say(
        "migration",
        named(MIGRATIONS).map(|path| format!("writes {path}: data may have to be converted")),
    );
    let untested =
        written.iter().find(|path| is_code(path) && !is_test(path) && !has_tests(tree, path));
    let untested = untested.filter(|_| work_type != WorkType::Test);
    say("no_tests", untested.map(|path| format!("no tests were found for {path}")));
    say("pipeline", named(PIPELINES).map(|path| format!("writes {path}: builds and deployments")));
    say("public_api", named(API).map(|path| format!("writes {path}: others may rely on it")));
    let secure = named(SECURE).map(|path| format!("writes {path}"));
    let secure = secure.or_else(|| {
        (work_type == WorkType::Security).then(|| "its words are about security".to_owned())
    });
    say("security", secure);
    let unknown = written.is_empty() && work_type != WorkType::Research;
    say("unknown_files", unknown.then(|| "nothing says which files it will write".to_owned()));
    risks
}

/// Why somebody should find out more before the work starts, if so.
pub(super) fn research(
    title: &str,
    body: &str,
    work_type: WorkType,
    targets: &[Target],
) -> Option<String> {
    if work_type == WorkType::Research {
        return Some("it asks to find out".to_owned());
    }
    let text = format!("{title}\n{body}").to_lowercase();
    let open = text.lines().find(|line| {
        let asks = [
            "tbd",
            "to be decided",
            "not sure",
            "unclear",
            "figure out",
            "find out",
            "root cause",
            "open question",
            "unklar",
            "à définir",
            "por definir",
            "未定",
            "要調査",
            "待定",
        ];
        asks.iter().any(|word| contains_word(line, word))
    });
    if let Some(line) = open {
        return Some(format!("something is open: {}", short(line)));
    }
    // A file that is named to look at is a place too.
    let known = targets.iter().any(|target| target.confidence >= WRITE_FROM);
    (!known && body.chars().count() < 200 && work_type == WorkType::Bugfix)
        .then(|| "a defect without a place: no file is likely enough to begin with".to_owned())
}

fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric());
        let after =
            line[at + word.len()..].chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        !before && !after
    })
}

fn short(line: &str) -> String {
    const LONGEST: usize = 80;
    let line = line.trim().trim_start_matches(['-', '*', '#', ' ']);
    let cut: String = line.chars().take(LONGEST).collect();
    if cut.len() < line.len() { format!("{cut}…") } else { cut }
}

/// Whether a directory, the file's name or its stem is one of these.
fn has_part(path: &str, names: &[&str]) -> bool {
    path.to_lowercase().split('/').any(|part| {
        let stem = part.split('.').find(|stem| !stem.is_empty()).unwrap_or(part);
        names.contains(&part) || stem.split(['_', '-']).any(|word| names.contains(&word))
    })
}

fn is_code(path: &str) -> bool {
    extension(path).is_some_and(|extension| CODE.contains(&extension.to_lowercase().as_str()))
}

fn is_test(path: &str) -> bool {
    has_part(path, &["test", "tests", "spec", "specs", "__tests__", "testing", "e2e", "fixtures"])
}

/// Whether some test is called after the file, or the file's own directory has tests.
fn has_tests(tree: &Tree, path: &str) -> bool {
    let name = file_name(path);
    let stem = name.split('.').next().unwrap_or(name);
    let Some(extension) = extension(path) else { return true };
    let beside = [
        format!("test_{stem}.{extension}"),
        format!("{stem}_test.{extension}"),
        format!("{stem}_tests.{extension}"),
        format!("{stem}.test.{extension}"),
        format!("{stem}.spec.{extension}"),
        format!("{stem}_spec.{extension}"),
        format!("{stem}Test.{extension}"),
    ];
    if beside.iter().any(|name| tree.named(name).next().is_some()) {
        return true;
    }
    if tree.named(name).any(is_test) {
        return true;
    }
    // Rust's unit tests are in the file itself.
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    extension == "rs"
        || ["tests", "test", "__tests__"].iter().any(|folder| {
            let folder =
                if parent.is_empty() { (*folder).to_owned() } else { format!("{parent}/{folder}") };
            !parent.is_empty() && tree.has_directory(&folder)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn risks(paths: &[&str], title: &str) -> Vec<&'static str> {
        let tree = Tree::new(
            ["src/a.py", "tests/test_a.py", "src/b.py", "db/migrations/1.sql"]
                .map(str::to_owned)
                .into(),
        );
        let target = |path: &&str| Target {
            path: (*path).into(),
            access: Access::Write,
            confidence: 0.9,
            evidence: vec![],
        };
        let targets: Vec<Target> = paths.iter().map(target).collect();
        find(&tree, title, "", WorkType::Feature, &targets, 0)
            .iter()
            .map(|risk| risk.kind)
            .collect()
    }

    #[test]
    fn risks_have_something_to_point_at() {
        assert_eq!(risks(&["src/a.py"], "Add a thing"), Vec::<&str>::new());
        assert_eq!(risks(&["src/b.py"], "Add a thing"), ["no_tests"]);
        assert_eq!(
            risks(&["db/migrations/2.sql", "Cargo.toml"], "x"),
            ["dependencies", "migration"]
        );
        assert_eq!(risks(&["src/auth/a.py"], "x"), ["security"]);
        assert_eq!(risks(&[".github/workflows/ci.yml"], "x"), ["pipeline"]);
        assert_eq!(risks(&["api/v1.yaml"], "Delete the old users"), ["deletes", "public_api"]);
        assert_eq!(risks(&[], "x"), ["unknown_files"]);
        let many: Vec<String> = (0..25).map(|i| format!("doc/{i}.md")).collect();
        assert_eq!(
            risks(&many.iter().map(String::as_str).collect::<Vec<_>>(), "x"),
            ["huge_scope"]
        );
    }

    #[test]
    fn what_is_open_needs_research() {
        let asked = |title, body, work_type| research(title, body, work_type, &[]);
        assert!(asked("Compare", "", WorkType::Research).is_some());
        assert!(asked("Add x", "The format is TBD.", WorkType::Feature).unwrap().contains("tbd"));
        assert!(asked("Crash at night", "It crashes.", WorkType::Bugfix).is_some());
        assert_eq!(asked("Add x", "To src.", WorkType::Feature), None);
        let seen = Target {
            path: "src/a.py".into(),
            access: Access::Read,
            confidence: 0.8,
            evidence: vec![],
        };
        assert_eq!(research("Crash", "See src/a.py.", WorkType::Bugfix, &[seen]), None);
    }
}
