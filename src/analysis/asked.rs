//! What a sentence asks for beside the file it names: a file that does not exist yet, or the tests of one.

use super::cue::{self, Cue};
use super::tree::file_name;

/// Verbs that make a file when its name follows, lower-case.
const MAKE: [&str; 20] = [
    "create",
    "creates",
    "creating",
    "add",
    "adds",
    "adding",
    "write",
    "writes",
    "generate",
    "make",
    "introduce",
    "erstelle",
    "erzeuge",
    "schreibe",
    "lege",
    "füge",
    "ajoute",
    "crée",
    "создай",
    "добавь",
];
/// Verbs whose result goes into a file: `write the findings to x.md`.
const PUT: [&str; 26] = [
    "write",
    "writes",
    "save",
    "output",
    "record",
    "dump",
    "put",
    "store",
    "export",
    "schreibe",
    "speichere",
    "запиши",
    "copy",
    "copies",
    "rename",
    "renames",
    "move",
    "moves",
    "split",
    "extract",
    "kopiere",
    "verschiebe",
    "benenne",
    "renomme",
    "renombra",
    "переименуй",
];
/// What may stand between verb and name.
const FILLERS: [&str; 30] = [
    "a", "an", "the", "new", "empty", "file", "files", "module", "script", "document", "named",
    "called", "and", "die", "der", "das", "eine", "einen", "ein", "neue", "neuen", "leere",
    "datei", "dateien", "namens", "und", "fichier", "файл", "и", "&",
];
/// What leads to the file that something is put into.
const INTO: [&str; 7] = ["to", "into", "in", "as", "nach", "в", "at"];
/// Words between the verb and [`INTO`].
const MAX_PUT: usize = 5;

/// Files without an extension that projects commonly have.
const BARE: [&str; 24] = [
    "Dockerfile",
    "Containerfile",
    "Makefile",
    "Justfile",
    "justfile",
    "Rakefile",
    "Gemfile",
    "Procfile",
    "Jenkinsfile",
    "Vagrantfile",
    "Brewfile",
    "LICENSE",
    "LICENCE",
    "COPYING",
    "README",
    "CHANGELOG",
    "NEWS",
    "NOTICE",
    "AUTHORS",
    "CONTRIBUTING",
    "CODEOWNERS",
    "VERSION",
    ".gitignore",
    ".editorconfig",
];

/// Whether it is called as files without an extension are.
pub(super) fn is_bare_name(text: &str) -> bool {
    BARE.contains(&file_name(text.trim_end_matches(['.', ',', ';', ':'])))
}

fn bare_word(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '/' | '&'))
        .to_lowercase()
}

/// Whether the sentence makes `line[start..end]`: `create a file called x.txt`, `write the findings to x.md`.
pub(super) fn makes(line: &str, start: usize, end: usize) -> bool {
    let [left, right] = cue::sentence(line, start, end);
    let behind = right.trim_start_matches(['`', '"', '\'', '*', ' ']);
    // A bare name is also a word: `add LICENSE headers`.
    let ends = behind.is_empty()
        || behind.starts_with(['.', ',', ';', ':', ')', '('])
        || ["and ", "with ", "at ", "in ", "for ", "that ", "to ", "file", "und ", "an"]
            .iter()
            .any(|w| behind.starts_with(w));
    if is_bare_name(&line[start..end]) && !ends {
        return false;
    }
    let words =
        left.split_whitespace().rev().filter(|word| word.chars().any(char::is_alphanumeric));
    let mut put = None;
    for word in words {
        let is_name =
            word.trim_end_matches(['.', ',', ':']).contains(['/', '.', '`']) || is_bare_name(word);
        let word = bare_word(word);
        if let Some(left) = put {
            if PUT.contains(&word.as_str()) {
                return true;
            }
            if left == 0_usize {
                return false;
            }
            put = Some(left - 1);
        } else if MAKE.contains(&word.as_str()) {
            // `add x.txt to .gitignore` says that it is there.
            return !(word.starts_with("add") && behind.starts_with("to "));
        } else if INTO.contains(&word.as_str()) {
            put = Some(MAX_PUT);
        } else if !is_name && !FILLERS.contains(&word.as_str()) {
            return false;
        }
    }
    false
}

/// Of which tests a sentence speaks that names a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tests {
    /// `write tests for x.py`: of its tests alone.
    Of,
    /// `fix x.py and its tests`: of both.
    And,
}

/// Words for tests, lower-case.
const TESTS: [&str; 11] = [
    "test",
    "tests",
    "unittests",
    "testcase",
    "testcases",
    "coverage",
    "testfall",
    "testfälle",
    "unit-tests",
    "тест",
    "тесты",
];
/// Words that may stand before them behind the path.
const THEIR: [&str; 24] = [
    "and",
    "with",
    "also",
    "its",
    "their",
    "the",
    "his",
    "matching",
    "corresponding",
    "existing",
    "unit",
    "update",
    "fix",
    "adjust",
    "adapt",
    "extend",
    "und",
    "samt",
    "mit",
    "die",
    "dessen",
    "deren",
    "seine",
    "ihre",
];

/// Whether tests of `line[start..end]` are asked for, where the words around say `cue` of the path itself.
pub(super) fn tests(line: &str, start: usize, end: usize, cue: Option<Cue>) -> Option<Tests> {
    let [left, right] = cue::sentence(line, start, end);
    let writes = matches!(cue, Some(Cue::Create | Cue::Write));
    if of_tests(left) {
        return Some(Tests::Of);
    }
    let behind = right.trim_start_matches(['`', '"', '\'', '*', '」', ' ']);
    if writes {
        if ["のテスト", "的测试", "的单元测试"].iter().any(|w| behind.starts_with(w)) {
            return Some(Tests::Of);
        }
        let near: String = behind.chars().take(16).collect();
        let is_for = ["为", "给"].iter().any(|w| left.trim_end_matches([' ', '`']).ends_with(w));
        if is_for && near.contains("测试") {
            return Some(Tests::Of);
        }
        if ["とそのテスト", "とテスト", "及其测试", "和它的测试", "和测试", "并更新测试"]
            .iter()
            .any(|w| behind.starts_with(w))
        {
            return Some(Tests::And);
        }
    }
    // `, and its tests` is still said of it.
    let words = behind.trim_start_matches([',', ' ']).split_whitespace();
    let mut joined = false;
    for word in words.take(5).map(bare_word) {
        let word = word.trim_end_matches('.');
        if TESTS.contains(&word) {
            return (joined && writes).then_some(Tests::And);
        }
        if !THEIR.contains(&word) && !matches!(word, "и" | "его") {
            return None;
        }
        joined = true;
    }
    None
}

/// Whether what stands before a path is `write tests for`, `update the unit tests of`.
fn of_tests(left: &str) -> bool {
    const OF: [&str; 10] = ["for", "of", "covering", "für", "zu", "von", "des", "der", "для", "к"];
    /// Words between the verb and the word for tests.
    const BETWEEN: usize = 4;
    let mut words = left
        .split_whitespace()
        .rev()
        .map(bare_word)
        .filter(|w| !w.is_empty() && !FILLERS.contains(&w.as_str()))
        .peekable();
    let is_of = words.next().is_some_and(|word| OF.contains(&word.as_str()));
    // `tests for the parser in x.py` is about the parser; only what is right before counts.
    if !is_of || !words.next().is_some_and(|word| TESTS.contains(&word.as_str())) {
        return false;
    }
    let Some(at) = TESTS.iter().filter_map(|w| left.to_lowercase().rfind(w)).min() else {
        return false;
    };
    let before = &left[..left.floor_char_boundary(at)];
    let verb = before
        .split_whitespace()
        .rev()
        .take(BETWEEN)
        .find_map(|word| cue::last_word(word).map(|(_, cue)| cue));
    let whole = cue::last_word(before).map(|(_, cue)| cue);
    matches!(verb, Some(Cue::Create | Cue::Write)) && whole != Some(Cue::Not)
}

#[cfg(test)]
mod tests_of_it {
    use super::*;

    fn at(line: &str) -> (usize, usize) {
        let start = line.find("x.py").or_else(|| line.find("Dockerfile")).unwrap();
        let length = line[start..]
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '.')
            .unwrap_or(line.len() - start);
        (start, start + line[start..start + length].trim_end_matches('.').len())
    }

    #[test]
    fn a_verb_right_before_makes_it() {
        for line in [
            "Create a file called x.py",
            "Add `x.py` with a class",
            "Write findings to x.py",
            "Save the results of the run in x.py.",
            "Lege die Datei x.py an",
            "Create b.sh and x.py",
            "Add a Dockerfile.",
            "Create Dockerfile and b.sh",
        ] {
            let (start, end) = at(line);
            assert!(makes(line, start, end), "{line}");
        }
        for line in [
            "Fix x.py",
            "Add x.py to the list",
            "Add a flag to x.py",
            "Add Dockerfile linting",
            "Change the words in x.py",
            "x.py",
        ] {
            let (start, end) = at(line);
            assert!(!makes(line, start, end), "{line}");
        }
    }

    #[test]
    fn tests_are_asked_for() {
        let said = |line: &str| {
            let (start, end) = at(line);
            tests(line, start, end, cue::around(line, start, end))
        };
        for line in [
            "Write tests for x.py",
            "Add missing unit tests for `x.py`.",
            "Update the tests of x.py",
            "Schreibe Tests für x.py",
            "Ergänze die Tests zu x.py",
            "x.pyのテストを追加する",
            "更新 x.py 的测试",
            "为 x.py 添加测试",
        ] {
            assert_eq!(said(line), Some(Tests::Of), "{line}");
        }
        for line in [
            "Fix x.py and its tests",
            "Update x.py, and update its tests.",
            "Ändere x.py und die Tests",
            "x.pyとそのテストを修正する",
            "修改 x.py 及其测试",
        ] {
            assert_eq!(said(line), Some(Tests::And), "{line}");
        }
        for line in [
            "Fix x.py",
            "Run the tests for x.py",
            "Change x.py and keep its tests as is",
            "Leave x.py and its tests alone",
            "Do not change the tests of x.py",
            "See x.py and its tests",
            "Fix x.py so that tests pass",
        ] {
            assert_eq!(said(line), None, "{line}");
        }
    }
}
