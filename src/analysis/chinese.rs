//! Chinese, whose verbs stand before what they act on, as in English and unlike in Japanese.
//!
//! A clause ends at a comma: `修改 a.py，参考 b.py` changes the one and reads the other. Where the clause of a path
//! has no verb (`修改 a.py、b.py`), the one of the sentence before it counts.

use super::cue::{self, Cue};

/// Whether a line is written in Chinese as far as one can see: with a Chinese verb, and without the letters that
/// every Japanese or Korean sentence has.
pub(super) fn is_chinese(line: &str) -> bool {
    let is_other = |c: char| matches!(c, '\u{3041}'..='\u{30FF}' | '\u{AC00}'..='\u{D7AF}');
    !line.is_ascii()
        && VERBS.iter().any(|(verb, _)| line.contains(verb))
        && !line.contains(is_other)
}

/// What the words say between which a path stands in a sentence.
pub(super) fn around(left: &str, right: &str) -> Option<Cue> {
    let clause = &left[left.rfind(ends_clause).map_or(0, |at| at + first_len(&left[at..]))..];
    let behind = &right[..right.find(ends_clause).unwrap_or(right.len())];
    beside(clause, behind)
        .or_else(|| last(clause))
        .or_else(|| first(behind))
        .or_else(|| last(left))
        .or_else(|| first(right))
}

/// Whether the last verb before a path makes or changes it.
pub(super) fn acts_on(left: &str) -> bool {
    matches!(last(left), Some(Cue::Create | Cue::Write))
}

fn ends_clause(c: char) -> bool {
    matches!(c, '，' | '、' | '；' | '：' | '（' | '）' | ',' | ';' | '(' | ')')
}

fn first_len(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// What is said of a path from both sides: `与 x 保持一致`, `保持 x 不变`.
fn beside(left: &str, right: &str) -> Option<Cue> {
    let any = |text: &str, of: &[&str]| of.iter().any(|w| text.contains(w));
    if any(right, &["不变", "不动", "不改", "除外"]) || any(left, &["除了", "除去"]) {
        return Some(Cue::Not);
    }
    let before = left.trim_end_matches([' ', '`', '"', '「', '“']);
    let compared = ["与", "和", "跟", "像", "同"].iter().any(|w| before.ends_with(w));
    (compared && any(right, &["一致", "相同", "类似", "一样"])).then_some(Cue::Read)
}

/// The verb nearest to the end, of Chinese or with letters.
fn last(left: &str) -> Option<Cue> {
    let verb = VERBS
        .iter()
        .filter_map(|(verb, cue)| Some((left.rfind(verb)?, *verb, *cue)))
        .max_by_key(|(at, verb, _)| (at + verb.len(), verb.len()));
    let chinese =
        verb.map(|(at, verb, cue)| (left.len() - at - verb.len(), negated(left, at, cue)));
    chinese.into_iter().chain(cue::last_word(left)).min_by_key(|(far, _)| *far).map(|(_, cue)| cue)
}

/// The first verb, unless it acts on what follows it.
fn first(right: &str) -> Option<Cue> {
    let acts_on_another = |end: usize| {
        let rest = right[end..].trim_start_matches([' ', '`', '"', '「', '“']);
        let name = &rest[..rest.find(|c: char| !c.is_ascii() || c == ' ').unwrap_or(rest.len())];
        name.trim_end_matches('.').contains(['/', '.'])
    };
    VERBS
        .iter()
        .filter_map(|(verb, cue)| Some((right.find(verb)?, *verb, *cue)))
        .filter(|(at, verb, _)| !acts_on_another(at + verb.len()))
        .min_by_key(|(at, verb, _)| (*at, std::cmp::Reverse(verb.len())))
        .map(|(at, _, cue)| negated(right, at, cue))
}

fn negated(text: &str, at: usize, cue: Cue) -> Cue {
    let before = text[..at]
        .trim_end_matches(['要', '得', '能', '可', '许', '应', '需', '用', '必', '去', '再', ' ']);
    let not = ["不", "勿", "别", "無", "无", "未", "禁止", "避免", "没有"];
    if cue != Cue::Read && not.iter().any(|n| before.ends_with(n)) { Cue::Not } else { cue }
}

/// What is done with a file.
const VERBS: &[(&str, Cue)] = &[
    ("新建", Cue::Create),
    ("创建", Cue::Create),
    ("新增", Cue::Create),
    ("生成", Cue::Create),
    ("修改", Cue::Write),
    ("修复", Cue::Write),
    ("更新", Cue::Write),
    ("删除", Cue::Write),
    ("添加", Cue::Write),
    ("增加", Cue::Write),
    ("编辑", Cue::Write),
    ("重构", Cue::Write),
    ("重写", Cue::Write),
    ("重命名", Cue::Write),
    ("实现", Cue::Write),
    ("优化", Cue::Write),
    ("调整", Cue::Write),
    ("改进", Cue::Write),
    ("更改", Cue::Write),
    ("替换", Cue::Write),
    ("移动", Cue::Write),
    ("写入", Cue::Write),
    ("参考", Cue::Read),
    ("参照", Cue::Read),
    ("参见", Cue::Read),
    ("参阅", Cue::Read),
    ("仿照", Cue::Read),
    ("按照", Cue::Read),
    ("依照", Cue::Read),
    ("根据", Cue::Read),
    ("基于", Cue::Read),
    ("查看", Cue::Read),
    ("阅读", Cue::Read),
    ("读取", Cue::Read),
    ("只读", Cue::Read),
    ("不要动", Cue::Not),
    ("不要碰", Cue::Not),
    ("别动", Cue::Not),
    ("别碰", Cue::Not),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Option<Cue> {
        let start = line.find("x.py").unwrap();
        cue::around(line, start, start + 4)
    }

    #[test]
    fn a_verb_acts_on_what_follows_it_in_its_clause() {
        for (cue, lines) in [
            (
                Cue::Write,
                &[
                    "修改 x.py，参考 b.py 的实现",
                    "修改 x.py，不要修改 b.py",
                    "参考 b.py，修改 x.py",
                    "修改 b.py、x.py",
                    "请修改 b.py 和 `x.py`，参考 c.py",
                    "按照 b.py 的样子重构 x.py",
                    "在 x.py 中添加一个函数，参考 b.py",
                    "修改x.py（参考b.py）",
                    "把 x.py 重命名为 b",
                    "x.py 参考 b.py，更新",
                    "fix x.py，参考 b.py",
                ][..],
            ),
            (
                Cue::Read,
                &[
                    "修改 b.py，参考 x.py 的实现",
                    "参考 x.py，修改 b.py",
                    "参考 b.py、x.py，修改 c.py",
                    "根据 x.py 修改 b.py",
                    "修改 b.py（参考 x.py）",
                    "修改 b.py 使其与 x.py 一致",
                    "查看 x.py；删除 b.py",
                ],
            ),
            (
                Cue::Not,
                &[
                    "修改 b.py，不要修改 x.py",
                    "新建文件 b.py，不要修改 x.py",
                    "请勿删除 x.py，更新 b.py",
                    "修改 b.py，保持 x.py 不变",
                    "更新 b.py，别动 x.py",
                ],
            ),
            (Cue::Create, &["新建文件 x.py，不要修改 b.py", "创建 x.py，参考 b.py"]),
        ] {
            for line in lines {
                assert_eq!(said(line), Some(cue), "{line}");
            }
        }
    }

    #[test]
    fn japanese_is_not_chinese() {
        for line in ["b.pyを参考にx.pyを更新する", "x.py 修正", "x.py 수정"] {
            assert!(!is_chinese(line), "{line}");
        }
        assert_eq!(said("x.py 更新、b.py 参考"), Some(Cue::Write));
        assert_eq!(said("参照: x.py"), Some(Cue::Read));
    }
}
