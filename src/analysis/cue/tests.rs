//! What the words around a path say, language by language.

use super::*;

fn said(line: &str) -> Option<Cue> {
    let start = line.find("x.rs").unwrap();
    around(line, start, start + 4)
}

#[test]
fn a_verb_changes_what_is_nearest() {
    for line in [
        "Update `x.rs` to look like `b.rs`",
        "see `b.rs`, then change `x.rs`",
        "fixes x.rs",
        "x.rsを修正する",
        "b.rsを参考にx.rsを直す",
        "- `x.rs`: 表示の調整",
        "modify: a.rs, b.rs and x.rs",
        "`x.rs` needs updating",
        "修改 x.rs",
        "Look at b.rs. Remove x.rs",
        "x.rs ändern",
        "Remove the old helper from x.rs",
        "Change x.rs, leave b.rs as is",
        "Change x.rs and keep its tests as is",
        "Change x.rs but leave b.rs alone",
        "Based on b.rs, change x.rs",
        "b.rsは触らずにx.rsを修正する",
        "x.rs needs fixing as it is",
        "Refactor x.rs as it is too long",
        "Move x.rs as is to b",
        "Passe x.rs an, ohne b.rs zu ändern",
        "Ändere x.rs, aber b.rs nicht ändern",
        "x.rs anpassen",
        "Ändere x.rs nicht nur in der Doku",
        "Исправь ошибку в x.rs, b.rs не трогать",
        "Añade un método a x.rs como en b.rs",
        "No modifiques src/b.rs; arregla x.rs",
        "Mira src/b.rs y cambia x.rs",
        "Sin tocar src/a/b.rs, mejora x.rs",
        "Lis src/b.rs puis réécris x.rs",
        "Voir b.rs ; mets à jour x.rs",
        "Ajoute des commentaires à x.rs",
        "x.rs를 고쳐 주세요",
        "b.rs를 참고하여 x.rs를 구현하세요",
        "b.rs를 보고 x.rs를 개선해줘",
        "x.rsをb.rsと同じように直してください",
        "x.rsを確認して修正する",
        "b.rsを確認してx.rsを修正",
        "Update x.rs from b.rs",
        "Like a/b.rs, make x.rs log its steps",
        "Copy the helper from b.rs to x.rs",
        "Replace the use of x.rs in b.rs",
        "Run black on b.rs and fix x.rs",
        "Siehe a/b.rs für das Muster und ändere x.rs",
        "Look at b.rs, fix x.rs",
        "Remove b.load from x.rs",
        "Create b.rs and move the helper from x.rs",
    ] {
        assert_eq!(said(line), Some(Write), "{line}");
    }
}

#[test]
fn what_is_looked_at_is_read() {
    for line in [
        "see x.rs",
        "Update `b.rs` to look like `x.rs`",
        "same style as / similar to x.rs",
        "use x.rs as an example",
        "x.rsを参照",
        "参考: x.rs",
        "Read the table in x.rs",
        "for details refer to `x.rs`",
        "For context, x.rs has the old code",
        "Based on x.rs, change b.rs",
        "x.rs は読むだけ",
        "x.rsは参照のみ",
        "Mach es wie in x.rs",
        "Ändere b.rs wie in der Datei x.rs",
        "Schau dir x.rs an",
        "Lies x.rs und ändere b.rs",
        "Lies zuerst x.rs",
        "Añade un método a b.rs como en x.rs",
        "Revisa x.rs y actualiza b.rs",
        "Mira x.rs y cambia b.rs",
        "Ajoute une méthode à b.rs, comme dans x.rs",
        "Lis x.rs puis réécris b.rs",
        "x.rs를 읽고 b.rs를 리팩터링",
        "x.rs를 보고 b.rs를 개선해줘",
        "b.rs를 x.rs처럼 수정",
        "b.rsをx.rsと同じように直してください",
        "x.rsを確認してb.rsを修正",
        "Update b.rs from x.rs",
        "Copy x.rs to b.rs",
        "Use x.rs as a template for a new b.rs",
        "Verwende x.rs als Vorlage für b.rs",
        "Import LiveBot from x.rs in b.rs",
        "b.rs should use the helper from x.rs",
        "In b.rs call `start` of x.rs",
        "Run pytest x.rs and fix b.rs until it passes",
        "Explain how x.rs works",
        "Fix the bug described in x.rs, in b.rs",
        "See b.rs, c.rs and x.rs",
        "Generate `b.rs` from `x.rs`",
        "смотри x.rs",
        "Исправь b.rs, см. x.rs",
        "Сделай как в x.rs",
    ] {
        assert_eq!(said(line), Some(Read), "{line}");
    }
}

#[test]
fn what_is_refused_is_left_alone() {
    for line in [
        "do not modify x.rs",
        "without changing x.rs",
        "x.rsは変更しない",
        "Change everything except x.rs",
        "leave x.rs unchanged",
        "不要修改 x.rs",
        "Don't ever touch x.rs",
        "Leave x.rs alone",
        "Leave x.rs as it is.",
        "Keep `x.rs` as is",
        "Change b.rs and leave x.rs as is",
        "Edit b.rs but x.rs must stay the same",
        "Avoid x.rs.",
        "Avoid b.rs and x.rs",
        "x.rs is off limits",
        "x.rsは触らないこと",
        "x.rsには手を加えないでください",
        "b.rsを修正し、x.rsはそのまま",
        "不要动 x.rs",
        "x.rs nicht anfassen",
        "`x.rs` nicht ändern.",
        "Ändere b.rs, aber x.rs nicht ändern",
        "Ändere b.rs, aber nicht x.rs",
        "Passe b.rs an, ohne x.rs zu ändern",
        "Keine Änderungen an x.rs",
        "Fasse x.rs nicht an",
        "Ändere b.rs und lass x.rs in Ruhe",
        "Change b.rs, not x.rs",
        "Nur b.rs anpassen, x.rs bleibt unverändert",
        "No modifiques x.rs",
        "Sin tocar x.rs, mejora b.rs",
        "Ne modifie pas x.rs, corrige b.rs",
        "Ne touche pas à x.rs",
        "N'ajoute rien à x.rs",
        "Sans modifier x.rs, améliore b.rs",
        "x.rs는 수정하지 마세요",
        "x.rs를 건드리지 말고 b.rs를 수정",
        "не трогай x.rs",
        "Измени b.rs, x.rs не трогать",
        "Измени b.rs, не меняя x.rs",
    ] {
        assert_eq!(said(line), Some(Cue::Not), "{line}");
    }
}

#[test]
fn what_is_made_is_new() {
    for line in [
        "create x.rs",
        "x.rsを新規作成",
        "a new module x.rs",
        "erstelle x.rs",
        "crée x.rs",
        "x.rs 파일을 만들어 주세요",
    ] {
        assert_eq!(said(line), Some(Create), "{line}");
    }
}

#[test]
fn no_verb_says_nothing() {
    for line in [
        "x.rs",
        "the bug is in x.rs",
        "the bug lies in x.rs",
        "see b.rs. Then x.rs",
        "Everything except b.rs in x.rs should be typed",
        "`serial_run_service.rs` and `x.rs`",
        "`add_user` x.rs",
    ] {
        assert_eq!(said(line), None, "{line}");
    }
}

#[test]
fn the_only_name_of_a_fix_is_where_the_bug_is() {
    let is_place = |line: &str| {
        let start = line.find("x.").unwrap();
        let end =
            start + line[start..].find(|c: char| !(c == '.' || c.is_ascii_alphabetic())).unwrap();
        is_place_of_fix(line, start, end)
    };
    for line in [
        "Fix the bug in paging (see `x.rs`)",
        "fix paging, see x.rs .",
        "Please look at x.rs where it crashes with a KeyError",
        "Fix the crash; look at b. Then fix the hang, look at x.rs ",
        "ページングのバグを修正（`x.rs`を参照）",
    ] {
        assert!(is_place(line), "{line}");
    }
    for line in [
        "Fix src/b.rs (see `x.rs`)",
        "fix paging in b.py, see x.rs ",
        "Add paging (see `x.rs`)",
        "Fix paging as written (see `x.md`)",
        "Fix paging like `x.rs`",
        "Fix paging. For the style see `x.rs`",
        "Do not fix paging (see `x.rs`)",
        "fix paging (see `x.rs` and `b.rs`)",
    ] {
        assert!(!is_place(line), "{line}");
    }
}

#[test]
fn what_is_to_be_changed_is_not_taken_for_what_is_looked_at() {
    for line in [
        "Clean up the imports from x.rs",
        "Drop the unused imports from x.rs",
        "Remove calls and imports from x.rs",
        "Move all imports from x.rs to b.rs",
        "x.rs should still work when the server is offline; add a fallback",
        "x.rs must not break on empty input",
        "When running x.rs on port 80 it crashes",
        "Run isort on b.rs and x.rs",
        "Fix the steps documented in x.rs",
        "Add the flags listed in b.rs to x.rs",
        "Implement what is described in b.rs in x.rs",
        "Update the copy in x.rs",
        "Verbessere die Prüfung der Eingaben in x.rs",
    ] {
        let at = line.find("x.rs").unwrap();
        let cue = around(line, at, at + 4);
        assert!(!matches!(cue, Some(Cue::Read | Cue::Not)), "{line}: {cue:?}");
    }
}
