use super::*;
use crate::model::{Access, Evidence, Factor};
use proptest::prelude::*;

fn tree() -> Tree {
    let files = [
        "Cargo.toml",
        "Makefile",
        "README.md",
        "docs/設計.md",
        "docs/my guide.md",
        "src/cli.rs",
        "src/main.rs",
        "src/net/client.rs",
        "src/net/mod.rs",
        "src/net/server.rs",
        "src/tui/mod.rs",
        "src/tui/render.rs",
        "tests/cli.rs",
        "web/app.js",
    ];
    Tree::new(files.iter().map(|&p| p.to_owned()).collect())
}

const NOTHING: Request<'static> = Request {
    name: "p",
    title: "",
    body: "",
    body_line: 1,
    files: &[],
    files_line: None,
    reads: &[],
    reads_line: None,
};

fn one(tree: &Tree, request: &Request<'_>) -> Result<Analysis, AnalysisError> {
    analyse(Sources::new(tree), &[*request]).map(|mut all| all.remove(0))
}

fn analysed(body: &str, files: &[&str], reads: &[&str]) -> Result<Analysis, AnalysisError> {
    let own = |globs: &[&str]| globs.iter().map(|&g| g.to_owned()).collect::<Vec<_>>();
    let (files, reads) = (own(files), own(reads));
    let request = Request {
        body,
        body_line: 5,
        files: &files,
        files_line: Some(2),
        reads: &reads,
        reads_line: Some(3),
        ..NOTHING
    };
    one(&tree(), &request)
}

fn in_text(body: &str) -> Vec<Target> {
    analysed(body, &[], &[]).unwrap().targets
}

fn paths(targets: &[Target], access: Access) -> Vec<&str> {
    targets.iter().filter(|t| t.access == access).map(|t| t.path.as_str()).collect()
}

fn written(body: &str) -> Vec<String> {
    paths(&in_text(body), Access::Write).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_path_is_found_wherever_markdown_can_hold_it() {
    for body in [
        "Fix src/net/server.rs.",
        "- [ ] fix `./src/net/server.rs:12`",
        "| Fix | src/net/server.rs |",
        "Fix [the server](src/net/server.rs#L10)",
        "[s]: ../src/net/server.rs \"title\"\n\nFix the server.",
        "Fix:\n\n```\nsrc/net/server.rs\n```",
        "```sh\nsed -i 's/a/b/' src/net/server.rs\n```",
        "> Fix **src/net/server.rs**",
        "server.rs を直す",
        "次に「src/net/server.rs」と、",
        "修改src/net/server.rs。",
        "Fix src\\net\\server.rs",
        "Fix `crate::net::server::Server`",
        "<!-- src/net/server.rs -->",
        "1. server.rs: 変更",
    ] {
        assert_eq!(written(body), ["src/net/server.rs"], "{body}");
    }
}

#[test]
fn names_beyond_ascii_and_with_spaces_are_found() {
    assert_eq!(written("docs/設計.mdを直す"), ["docs/設計.md"]);
    assert_eq!(written("`docs/設計.md`を更新し、src/cli.rsも更新"), ["docs/設計.md", "src/cli.rs"]);
    assert_eq!(written("Update \"docs/my guide.md\" now"), ["docs/my guide.md"]);
    assert_eq!(written("Update [guide](docs/my%20guide.md)"), ["docs/my guide.md"]);
}

#[test]
fn urls_and_words_are_not_files() {
    for body in [
        "See https://github.com/x/y/blob/main/src/cli.rs and fix it",
        "Fix www.example.org/src/cli.rs?f=src/main.rs",
        "make the build and test the docs",
        "e.g. Node.js 1.2/3.4, and/or v1.2.3",
        "",
    ] {
        assert!(in_text(body).is_empty(), "{body}: {:?}", in_text(body));
    }
}

#[test]
fn globs_and_directories() {
    assert_eq!(
        written("Rename the field in src/net/*.rs"),
        ["src/net/client.rs", "src/net/mod.rs", "src/net/server.rs"]
    );
    // The files of a small directory are likely enough to be listed themselves.
    assert_eq!(written("Refactor `src/tui/`"), ["src/tui/", "src/tui/mod.rs", "src/tui/render.rs"]);
    let place = analysed("The code lives in src/tui", &[], &[]).unwrap();
    assert_eq!(paths(&place.targets, Access::Read), ["src/tui/"]);
    assert!(place.scopes.is_empty(), "{place:?}");
}

#[test]
fn a_new_file_lies_with_those_of_its_kind() {
    let new = "Fix `src/tui/render.rs`, and create a new `panel.rs` beside it. See docs/guide.md.";
    assert!(written(new).contains(&"src/tui/panel.rs".to_owned()), "{:?}", written(new));
    let other = "Fix `src/tui/render.rs` and create a new `panel.css`";
    assert!(written(other).contains(&"panel.css".to_owned()), "{:?}", written(other));
}

#[test]
fn a_glob_or_directory_that_is_a_list_item_is_what_its_lead_in_says() {
    let net = ["src/net/client.rs", "src/net/mod.rs", "src/net/server.rs"];
    let one_line = analysed("Edit src/net/*.rs.", &[], &[]).unwrap();
    assert_eq!(paths(&one_line.targets, Access::Write), net);
    for body in [
        "Files to modify:\n- src/net/*.rs",
        "Edit:\n- src/net/*.rs",
        "Files to change:\n- `src/net/**`",
        "Edit:\n1. [ ] src/net/*.rs",
        "変更するファイル:\n- `src/net/*.rs`",
    ] {
        let analysis = analysed(body, &[], &[]).unwrap();
        assert_eq!(paths(&analysis.targets, Access::Write), net, "{body}");
        let confidences = |a: &Analysis| a.targets.iter().map(|t| t.confidence).collect::<Vec<_>>();
        assert_eq!(confidences(&analysis), confidences(&one_line), "{body}");
        assert_eq!(paths(&analysis.scopes, Access::Write).len(), 1, "{body}");
    }
    // With a remark it is where the work lies, and each of its files is less likely changed.
    let remark = analysed("## Files to modify\n\n* src/net/*.rs: the field", &[], &[]).unwrap();
    assert_eq!(paths(&remark.targets, Access::Write), net);
    assert!(remark.targets[0].confidence < one_line.targets[0].confidence, "{remark:?}");
    assert_eq!(written("Edit:\n- src/net/"), ["src/net/"]);
    for body in ["See:\n- src/net/*.rs", "Edit:\n- the rows that src/net/*.rs hold"] {
        assert!(written(body).is_empty(), "{body}");
    }
}

#[test]
fn what_is_to_be_left_alone_is_not_written() {
    for body in [
        "Leave src/cli.rs alone.",
        "Leave src/cli.rs as it is.",
        "Keep src/cli.rs as is.",
        "Avoid src/cli.rs.",
        "src/cli.rs is off limits.",
        "src/cli.rs must stay the same.",
        "For context, src/cli.rs has the parser.",
        "Based on src/cli.rs.",
        "src/cli.rs は読むだけ",
        "README.mdは参照のみ",
        "src/cli.rsは触らないこと",
        "src/cli.rsには手を加えないでください",
    ] {
        assert!(written(body).is_empty(), "{body}");
    }
}

#[test]
fn the_only_file_a_fix_points_to_is_written_perhaps() {
    for body in
        ["Fix the off-by-one in paging, see `src/cli.rs`", "fix the bug in paging (see src/cli.rs)"]
    {
        let targets = in_text(body);
        assert_eq!(paths(&targets, Access::Write), ["src/cli.rs"], "{body}");
        let told = in_text("Fix the off-by-one in `src/cli.rs`");
        assert!(targets[0].confidence < told[0].confidence, "{targets:?}");
    }
    assert_eq!(written("Fix src/main.rs, see `src/cli.rs`"), ["src/main.rs"]);
}

#[test]
fn what_does_not_exist_is_a_target_when_it_is_to_be_made() {
    assert_eq!(written("Create `src/net/pool.rs` for it"), ["src/net/pool.rs"]);
    assert_eq!(written("src/net/pool.rs を新規作成"), ["src/net/pool.rs"]);
    assert_eq!(written("- `src/net/pool.rs` (new)"), ["src/net/pool.rs"]);
    assert_eq!(written("```sh\necho hi > NOTES\n```"), ["NOTES"]);
    assert!(in_text("The log said src/net/pool.rs").is_empty());
    assert!(in_text("```sh\necho hi > /dev/null\n```").is_empty());
}

#[test]
fn a_new_name_with_a_space_is_one_name() {
    assert_eq!(written("Create the file `docs/new notes.md`."), ["docs/new notes.md"]);
    assert_eq!(written("Run `scripts/fix new.md` to see it."), Vec::<String>::new());
}

#[test]
fn what_a_copy_or_a_rename_makes_is_created() {
    assert_eq!(written("Copy src/cli.rs to src/copy.rs"), ["src/copy.rs"]);
    assert_eq!(written("Rename src/cli.rs to src/flags.rs"), ["src/cli.rs", "src/flags.rs"]);
}

#[test]
fn a_file_is_made_wherever_it_is_asked_for() {
    for (body, path) in [
        ("Create a file called NEWS.txt", "NEWS.txt"),
        ("Add `src/newpkg/newmod.py` with a class Foo.", "src/newpkg/newmod.py"),
        ("Write findings to notes/findings.md", "notes/findings.md"),
        ("Lege die Datei py/neu.py an", "py/neu.py"),
        ("Add a Dockerfile.", "Dockerfile"),
    ] {
        assert_eq!(written(body), [path], "{body}");
    }
    assert_eq!(written("Create Dockerfile and docker/entry.sh"), ["Dockerfile", "docker/entry.sh"]);
    assert!(written("Do not create new/x.py").is_empty());
}

#[test]
fn tests_that_are_asked_for_are_written() {
    let tree = Tree::new(["src/config.py", "tests/test_config.py"].map(str::to_owned).into());
    let said = |body: &str| {
        let targets = one(&tree, &Request { body, ..NOTHING }).unwrap().targets;
        paths(&targets, Access::Write).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    for body in ["Write tests for src/config.py", "Update the tests of `src/config.py`."] {
        assert_eq!(said(body), ["tests/test_config.py"], "{body}");
    }
    for body in ["Fix src/config.py and its tests", "Passe src/config.py und die Tests an"] {
        assert_eq!(said(body), ["src/config.py", "tests/test_config.py"], "{body}");
    }
    assert_eq!(said("Fix src/config.py"), ["src/config.py"]);
}

#[test]
fn the_words_around_decide_between_reading_and_writing() {
    let targets =
        in_text("Change `src/cli.rs`; for the style see `src/main.rs`. Do not touch README.md.");
    assert_eq!(paths(&targets, Access::Write), ["src/cli.rs"]);
    assert_eq!(paths(&targets, Access::Read), ["README.md", "src/main.rs"]);
    let targets =
        in_text("Please update these:\n- src/cli.rs\n\n## Out of scope\n- Changing src/main.rs");
    assert_eq!(paths(&targets, Access::Write), ["src/cli.rs"]);
    assert_eq!(paths(&targets, Access::Read), ["src/main.rs"]);
    let bare = in_text("src/cli.rs")[0].clone();
    let told = in_text("Fix src/cli.rs")[0].clone();
    assert!(bare.access == Access::Write && bare.confidence < told.confidence);
}

#[test]
fn what_chinese_names_to_write_is_written() {
    let found = in_text("修改 src/net/server.rs，参考 src/net/client.rs 的实现");
    assert_eq!(paths(&found, Access::Write), ["src/net/server.rs"]);
    assert!(paths(&found, Access::Read).contains(&"src/net/client.rs"));
    assert_eq!(written("修改 src/cli.rs，不要修改 README.md"), ["src/cli.rs"]);
    assert_eq!(written("参考 src/cli.rs，修改 web/app.js"), ["web/app.js"]);
    assert_eq!(written("新建文件 web/neu.js，不要修改 README.md"), ["web/neu.js"]);
}

#[test]
fn evidence_is_the_line_of_the_file_and_short() {
    let long = format!("a\n\n  {} fix src/cli.rs {}\n", "x ".repeat(300), "y ".repeat(300));
    let target = &in_text(&long)[0];
    assert_eq!(target.evidence[0].line, 7);
    let text = &target.evidence[0].text;
    assert!(text.chars().count() <= 120 && text.contains("src/cli.rs"), "{text}");
    let often = in_text(&"src/cli.rs\n".repeat(50));
    let named = |e: &&Evidence| e.factor == Some(Factor::Named);
    assert_eq!(often[0].evidence.iter().filter(named).count(), 3);
    let telling = in_text("src/cli.rs\nsrc/cli.rs\nsrc/cli.rs\nfix src/cli.rs");
    assert!(telling[0].evidence.iter().any(|e| e.text.starts_with("fix")), "{telling:?}");
}

#[test]
fn front_matter_is_certain() {
    let analysis = analysed(
        "see src/main.rs",
        &["src/net/*.rs", "new/x.rs", "./src/cli.rs"],
        &["src/main.rs", "web/"],
    )
    .unwrap();
    assert_eq!(
        paths(&analysis.targets, Access::Write),
        ["new/x.rs", "src/cli.rs", "src/net/client.rs", "src/net/mod.rs", "src/net/server.rs"]
    );
    assert_eq!(paths(&analysis.targets, Access::Read), ["src/main.rs", "web/app.js"]);
    assert!(analysis.targets.iter().all(|t| (t.confidence - 1.0).abs() < f64::EPSILON));
    assert_eq!(paths(&analysis.scopes, Access::Write), ["src/net/*.rs"]);
    assert_eq!(analysis.targets[0].evidence[0].text, "files: new/x.rs");
    let line =
        |path: &str| analysis.targets.iter().find(|t| t.path == path).unwrap().evidence[0].line;
    assert_eq!((line("new/x.rs"), line("src/net/mod.rs"), line("web/app.js")), (2, 2, 3));
    let unknown = ["src/cli.rs".to_owned()];
    let analysis = one(&tree(), &Request { files: &unknown, ..NOTHING }).unwrap();
    assert_eq!(analysis.targets[0].evidence[0].line, 1);
}

#[test]
fn a_glob_that_matches_nothing_stays() {
    let analysis = analysed("", &["new/**/*.rs"], &[]).unwrap();
    assert_eq!(paths(&analysis.targets, Access::Write), ["new/**/*.rs"]);
    assert_eq!(paths(&analysis.scopes, Access::Write), ["new/**/*.rs"]);
}

#[test]
fn a_bad_glob_is_named() {
    let wrong = analysed("", &["src/[a"], &[]).unwrap_err().to_string();
    assert!(wrong.starts_with("p: 'src/[a' under 'files' is not a valid glob: "), "{wrong}");
    let outside = analysed("", &[], &["../x"]).unwrap_err().to_string();
    assert!(outside.starts_with("p: '../x' under 'reads' points outside"), "{outside}");
    assert!(analysed("", &["/etc/passwd"], &[]).is_err() && analysed("", &[" "], &[]).is_err());
}

#[test]
fn a_glob_too_long_to_compile_is_refused_or_passed_over() {
    let long = "*a/".repeat(100_000);
    assert!(in_text(&long).is_empty());
    let refused = analysed("", &[&long], &[]).unwrap_err().to_string();
    assert!(refused.contains("it is longer than"), "{}", &refused[refused.len() - 80..]);
}

#[test]
fn an_ambiguous_name_means_the_one_that_is_known() {
    let targets = in_text("Fix `src/tui/mod.rs`. In mod.rs, rename x.");
    assert_eq!(paths(&targets, Access::Write), ["src/tui/mod.rs"]);
    assert_eq!(targets.len(), 1);
    assert!(paths(&in_text("Fix mod.rs"), Access::Write).is_empty());
}

#[test]
fn the_type_and_size_come_with_it() {
    let request = Request { title: "Fix the crash", ..NOTHING };
    let analysis = one(&tree(), &request).unwrap();
    assert_eq!(
        (analysis.judgement.work_type, analysis.judgement.complexity),
        (WorkType::Bugfix, Complexity::Low)
    );
}

fn tricky() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "src/",
        "cli.rs",
        "`",
        "**",
        "*",
        "::",
        ":",
        "://",
        "\\",
        "を直す",
        "参照",
        "。",
        "\n",
        "\r\n",
        " ",
        "```sh\n",
        "```\n",
        "# ",
        "- ",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        "../",
        "./",
        "C:\\",
        "~/",
        "$",
        "%20",
        "<",
        ">",
        "\"",
        "'",
        "create ",
        "do not change ",
        "設",
        "計",
        "docs/",
        ".md",
        "\u{feff}",
        "é",
        "👩‍👩‍👧",
        "#L3",
        "www.",
        "new",
        "crate::",
        "?",
        "/",
        "//",
        "@",
        "mod.rs",
        "for reference",
        "し",
        "\0",
    ]);
    prop::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(title in ".{0,40}", body in tricky(), other in "\\PC{0,200}") {
        let tree = tree();
        for body in [&body, &other] {
            let request = Request { title: &title, body, body_line: u32::MAX, ..NOTHING };
            let analysis = one(&tree, &request).unwrap();
            for target in &analysis.targets {
                prop_assert!((0.0..=1.0).contains(&target.confidence));
                prop_assert!(!target.path.is_empty() && !target.path.starts_with('/'));
                prop_assert!((1..=10).contains(&target.evidence.len()));
                prop_assert!(target.evidence.iter().all(|e| e.text.chars().count() <= 120));
            }
        }
    }

    #[test]
    fn no_front_matter_makes_it_panic(glob in tricky()) {
        let files = [glob];
        let request = Request { files: &files, reads: &files, ..NOTHING };
        // Refused or read, but never a crash.
        if let Ok(analysis) = one(&tree(), &request) {
            prop_assert!(!analysis.targets.is_empty());
        }
    }
}
