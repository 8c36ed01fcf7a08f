//! The type of a task: words counted, those in the title three times.
//!
//! First form. A word scores for one type; the type with the highest score wins if it has at least
//! [`ENOUGH`], the earlier in the table on a tie; otherwise the type is `general`.

use crate::model::WorkType;

/// Beginnings of words (ASCII) or substrings (others), and what they weigh.
const TABLE: &[(WorkType, u32, &[&str])] = &[
    (
        WorkType::Security,
        4,
        &[
            "vulnerab",
            "cve-",
            "security",
            "xss",
            "csrf",
            "injection",
            "harden",
            "脆弱性",
            "セキュリティ",
            "漏洞",
        ],
    ),
    (
        WorkType::Bugfix,
        3,
        &[
            "fix",
            "bug",
            "crash",
            "broken",
            "regress",
            "wrong",
            "fails",
            "error:",
            "panic",
            "修正する",
            "不具合",
            "バグ",
            "修复",
            "错误",
            "bugfix",
        ],
    ),
    (
        WorkType::Performance,
        4,
        &[
            "perf",
            "performance",
            "faster",
            "speed",
            "slow",
            "latency",
            "throughput",
            "optimiz",
            "optimis",
            "benchmark",
            "高速",
            "性能",
            "最適化",
        ],
    ),
    (
        WorkType::Refactor,
        3,
        &[
            "refactor",
            "restructur",
            "clean",
            "simplif",
            "extract",
            "rename",
            "dedup",
            "reorganiz",
            "split",
            "unify",
            "リファクタ",
            "整理",
            "共通化",
            "重构",
        ],
    ),
    (WorkType::Test, 2, &["test", "coverage", "テスト", "测试"]),
    (
        WorkType::Docs,
        3,
        &[
            "document",
            "docs",
            "readme",
            "changelog",
            "typo",
            "tutorial",
            "ドキュメント",
            "文書",
            "文档",
        ],
    ),
    (
        WorkType::Devops,
        3,
        &[
            "ci",
            "deploy",
            "docker",
            "kubernetes",
            "pipeline",
            "release",
            "workflow",
            "terraform",
            "helm",
            "デプロイ",
        ],
    ),
    (
        WorkType::Research,
        4,
        &[
            "investigat",
            "research",
            "explore",
            "evaluate",
            "spike",
            "analyze",
            "analyse",
            "feasib",
            "調査",
            "検討",
            "调研",
        ],
    ),
    (
        WorkType::Feature,
        2,
        &[
            "add",
            "implement",
            "introduc",
            "support",
            "feature",
            "new",
            "creat",
            "allow",
            "enable",
            "追加",
            "新規",
            "実装",
            "導入",
            "添加",
            "新增",
        ],
    ),
];

/// Whole words only: `ci` is not the beginning of `circle`.
const WHOLE: &[&str] = &["ci", "add", "new", "fix", "perf", "docs", "xss", "bug", "slow", "clean"];

/// How much of a body is read: what a task is about stands at its beginning.
const READ: usize = 2_000;
/// What a word in the title counts.
const TITLE: u32 = 3;
/// How often one word of the body counts.
const MAX_REPEATS: u32 = 2;
/// The least score that says anything.
const ENOUGH: u32 = 3;

/// The type of a task from its title and the beginning of its body.
pub(super) fn classify(title: &str, body: &str) -> WorkType {
    let title = title.to_lowercase();
    let body = body[..body.floor_char_boundary(READ)].to_lowercase();
    let mut best = (0, WorkType::General);
    for (work_type, weight, words) in TABLE {
        let score: u32 = words
            .iter()
            .map(|word| {
                weight * (TITLE * count(&title, word).min(1) + count(&body, word).min(MAX_REPEATS))
            })
            .sum();
        if score >= ENOUGH && score > best.0 {
            best = (score, *work_type);
        }
    }
    best.1
}

fn count(text: &str, word: &str) -> u32 {
    let at_border = |i: usize| {
        if !word.is_ascii() {
            return true;
        }
        let before = text[..i].chars().next_back().is_some_and(char::is_alphanumeric);
        let after = text[i + word.len()..].chars().next().is_some_and(|c| c.is_ascii_alphabetic());
        let inflected = ["s ", "es ", "ed ", "ing ", "s:", "s,", "s."];
        let ended = !after || inflected.iter().any(|e| text[i + word.len()..].starts_with(e));
        !before && (!WHOLE.contains(&word) || ended)
    };
    let found = text.match_indices(word).filter(|(i, _)| at_border(*i)).count();
    u32::try_from(found).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_tells_the_type() {
        for (title, work_type) in [
            ("Fix the crash on empty input", WorkType::Bugfix),
            ("Add a --json flag", WorkType::Feature),
            ("Refactor the parser", WorkType::Refactor),
            ("Make startup faster", WorkType::Performance),
            ("Add tests for the parser", WorkType::Test),
            ("Write a tutorial", WorkType::Docs),
            ("Investigate the memory use", WorkType::Research),
            ("Run clippy in CI", WorkType::Devops),
            ("Close the SQL injection in search", WorkType::Security),
            ("TUI の不具合を直す", WorkType::Bugfix),
            ("Circle", WorkType::General),
            ("", WorkType::General),
        ] {
            assert_eq!(classify(title, ""), work_type, "{title}");
        }
    }
}
