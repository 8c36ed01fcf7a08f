//! What a shell command does to its arguments: enough of the usual ones to read a script of a few lines.

use super::cue::Cue::{self, Create, Read, Write};

/// How far around its argument a command is read, in bytes.
const REACH: usize = 1_000;

/// What a shell command does to `line[start..end]`, an argument of it.
pub(super) fn access(line: &str, start: usize, end: usize) -> Cue {
    let before = line[line.floor_char_boundary(start.saturating_sub(REACH))..start]
        .trim_end_matches(['"', '\'', ' ', '\t']);
    if before.ends_with('>') {
        return Create;
    }
    let command = before.rsplit(['|', ';', '&', '(']).next().unwrap_or(before);
    let mut words = command.split_whitespace().skip_while(|w| {
        matches!(*w, "$" | "sudo" | "git" | "then" | "do" | "else" | "!" | "time")
            || w.contains('=')
    });
    let edits = |flag: &str| command.split_whitespace().any(|w| w.starts_with(flag));
    let after = &line[end..line.ceil_char_boundary(end.saturating_add(REACH))];
    let is_last = || {
        let rest = after.trim_start_matches(['"', '\'', '/']).trim_start();
        rest.is_empty() || rest.starts_with([';', '&', '|', '>', '#'])
    };
    match words.next().unwrap_or("") {
        "touch" | "tee" => Create,
        "cp" | "install" | "ln" | "mv" if is_last() => Create,
        "sed" if edits("-i") || edits("--in-place") => Write,
        "perl" | "ruby" if edits("-i") || edits("-pi") => Write,
        // A loop over files, or a search whose finds are handed to an editor.
        "for" => Write,
        "find" | "grep" | "rg" | "ls" if EDITORS.iter().any(|e| after.contains(e)) => Write,
        word if WRITERS.contains(&word) => Write,
        _ => Read,
    }
}

/// Commands that change the files they are given.
const WRITERS: &[&str] = &[
    "rm",
    "mv",
    "patch",
    "truncate",
    "chmod",
    "apply",
    "dd",
    "prettier",
    "black",
    "rustfmt",
    "gofmt",
    "clang-format",
    "eslint",
];
/// What a pipeline ends in that changes the files it was fed.
const EDITORS: &[&str] = &["sed -i", "perl -pi", "perl -i", "-delete", "xargs rm"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_commands_are_known() {
        for (line, cue) in [
            ("cat x.rs", Read),
            ("cat a > x.rs", Create),
            ("echo hi >>x.rs", Create),
            ("sed -i s/a/b/ x.rs", Write),
            ("sed s/a/b/ x.rs", Read),
            ("git rm x.rs", Write),
            ("A=1 touch x.rs", Create),
            ("true && rm x.rs", Write),
            ("cargo test x.rs", Read),
            ("mv x.rs b", Write),
            ("mv b x.rs", Create),
            ("for f in x.rs; do", Write),
            ("grep -l a x.rs | xargs sed -i s/a/b/", Write),
            ("grep -l a x.rs", Read),
            ("mkdir -p x.rs", Read),
            ("cp x.rs b && true", Read),
            ("cp b \"x.rs\" && true", Create),
            ("echo \"a\" | tee \"x.rs\"", Create),
        ] {
            let start = line.find("x.rs").unwrap();
            assert_eq!(access(line, start, start + 4), cue, "{line}");
        }
    }
}
