//! Whole files, good and bad. What a message says is part of what is tested.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Loads every prompt of a folder of fixtures, named from there.
fn load_fixtures(folder: &str) -> Result<Vec<Prompt>, PromptErrors> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/prompts").join(folder);
    let files = scan(&dir).unwrap();
    let files: Vec<_> = files.iter().map(|f| f.strip_prefix(&dir).unwrap().to_owned()).collect();
    load(&files, &dir)
}

/// One prompt from a text.
fn prompt(text: &str) -> Result<Prompt, String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("p.md"), text).unwrap();
    let mut prompts = load(&["p.md".into()], dir.path()).map_err(|error| error.to_string())?;
    Ok(prompts.remove(0))
}

#[test]
fn everything_wrong_is_named_at_once() {
    insta::assert_snapshot!(load_fixtures("bad").unwrap_err(), @r##"
    blank.md:1: the prompt is empty
      hint: say what the agent is to do, or leave the file out
    bomb.md:6: the front matter is not valid YAML: too large, too deeply nested or too many aliases
      hint: write the values out, or move text below the front matter
    empty.md:1: the prompt is empty
      hint: say what the agent is to do, or leave the file out
    latin1.md:2: the file is not UTF-8: invalid byte 0xff at offset 14
      hint: save it as UTF-8, or convert it with iconv
    nul.md:2: the file contains a NUL byte at offset 5
      hint: a prompt is text; is this the right file?
    only-front.md:4: there is nothing below the front matter
      hint: say what the agent is to do, or leave the file out
    shell-bash.md:4: this code block is not marked as `sh`
      hint: the agent `shell` runs code blocks that begin with ```sh, and there is none
    shell-open.md:4: the code block that begins here is never closed
      hint: everything below it would be run; put a line ``` where it ends
    syntax-colon.md:3: the front matter is not valid YAML: mapping values are not allowed in this context
      hint: put a value that contains `: ` in quotes
    syntax-flow.md:3: the front matter is not valid YAML: unclosed bracket '['
      hint: close what is opened here
    syntax-no-colon.md:2: the front matter is not valid YAML: a line has no `: ` between key and value
      hint: for example: agent: claude
    syntax-quote.md:3: the front matter is not valid YAML: invalid indentation in multiline quoted scalar
      hint: is a closing quote missing, here or on the line above?
    syntax-tab.md:3: the front matter is not valid YAML: while scanning a plain scalar, found a tab
      hint: indent with spaces
    twice.md:4: `agent` is set twice, first on line 2
      hint: keep one of them
    types.md:2: `title` must be one line of text, not a list
      hint: for example: title: Cache the parser's tables
    types.md:4: `agent` must be one line of text, not a mapping
      hint: for example: agent: claude
    types.md:5: `depends_on` must be a list of texts, not a mapping
      hint: for example: depends_on: [parser, printer]
    types.md:6: every entry of `files` must be a text, not a mapping
      hint: for example: files: [src/parser.rs, "tests/**/*.rs"]
    types.md:6: `/etc/passwd` in `files` is absolute; write it from the repository's root
      hint: for example: files: [src/parser.rs, "tests/**/*.rs"]
    types.md:6: `../up.rs` in `files` leaves the repository; write it from the repository's root
      hint: for example: files: [src/parser.rs, "tests/**/*.rs"]
    types.md:6: `a[` in `files` is not a glob: unclosed character class; missing ']'
      hint: for example: files: [src/parser.rs, "tests/**/*.rs"]
    types.md:7: every entry of `verify` must be a text, not a list
      hint: for example: verify: [cargo test, cargo fmt --check]
    types.md:8: `timeout` must be a duration above zero, not `soon`
      hint: for example: timeout: 90s (or 10m, 1h30m, 600)
    types.md:9: `retries` must be a number from 0 to 100, not `many`
      hint: for example: retries: 2
    types.md:10: `priority` must be a number (higher goes first) or low, normal, high or critical, not `urgent`
      hint: for example: priority: 10
    types.md:11: `env` must be names and values, not a list
      hint: for example: env: {RUST_LOG: debug}
    types.md:12: `reads` must be a list, not `a.rs, b.rs`
      hint: for example: reads: [src/parser.rs, "tests/**/*.rs"]
    unclosed.md:1: the front matter that `---` opens here is never closed
      hint: put a line `---` below its last key
    unknown-key.md:3: unknown key `depend-on` in the front matter
      hint: did you mean `depends_on`?
    unknown-key.md:4: unknown key `Agent` in the front matter
      hint: did you mean `agent`?
    unknown-key.md:5: unknown key `banana` in the front matter
      hint: known keys are id, title, agent, model, role, workflow, depends_on, files, reads, verify, timeout, retries, priority, env, status, domain, phase
    utf16-no-bom.md:1: the file is UTF-16LE, not UTF-8
      hint: convert it: iconv -f UTF-16LE -t UTF-8
    utf16.md:1: the file is UTF-16, not UTF-8
      hint: convert it: iconv -f UTF-16 -t UTF-8
    values.md:2: the id `a/b` contains a slash
      hint: for example: id: parser-cache
    values.md:3: `timeout` must be a duration above zero, not `0`
      hint: for example: timeout: 90s (or 10m, 1h30m, 600)
    values.md:4: `retries` must be a number from 0 to 100, not `-1`
      hint: for example: retries: 2
    values.md:6: `1X` is not the name of a variable
      hint: letters, digits and `_`, not beginning with a digit: env: {RUST_LOG: debug}
    values.md:7: `ORCH_RUN_ID` is set by orch itself
      hint: use another name
    values.md:8: `env` must be names and single values, not a list
      hint: for example: env: {RUST_LOG: debug}
    values.md:10: `TWICE` is set twice in `env`
      hint: keep one of them
    values.md:11: `depends_on` must be a list, not `a, b`
      hint: for example: depends_on: [parser, printer]
    values.md:12: `model` must be one line of text, not `a\u{1b}b`
      hint: for example: model: opus
    values.md:13: `verify` must be a list of texts, not ``
      hint: for example: verify: [cargo test, cargo fmt --check]
    "##);
}

#[test]
fn every_key_is_read() {
    let prompts = load_fixtures("good").unwrap();
    let full = prompts.iter().find(|p| p.path == Path::new("full.md")).unwrap();
    let front = &full.front;
    assert_eq!(full.name, "parser-cache");
    assert_eq!(full.title, "Cache the parser's tables");
    assert_eq!((full.body_line, full.body.as_str()), (23, "\n# Another heading\n\nDo it.\n"));
    assert_eq!(front.agent.as_deref(), Some("codex"));
    assert_eq!(front.model.as_deref(), Some("4.10"));
    assert_eq!(front.role.as_deref(), Some("implementer"));
    assert_eq!(front.workflow.as_deref(), Some("default"));
    assert_eq!(front.depends_on, ["lexer", "007"]);
    assert_eq!(front.files, ["src/parser.rs", "tests/**/*.rs"]);
    assert_eq!(front.reads, ["docs/*.md"]);
    assert_eq!(front.verify, ["cargo test", "cargo fmt --check"]);
    assert_eq!(front.timeout, Some(Duration::from_mins(90)));
    assert_eq!((front.retries, front.priority), (Some(2), 10));
    let env = [("EMPTY", ""), ("FLAG", "true"), ("RUST_LOG", "debug"), ("VERSION", "1.10")];
    assert_eq!(front.env, env.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    assert_eq!(front.status.as_deref(), Some("TODO"));
    assert_eq!((front.domain.as_deref(), front.phase.as_deref()), (Some("parser"), Some("2")));
    assert_eq!(full.done, None);
    // The fixture has every key, so that none can be listed and not read.
    for key in KEYS {
        assert!(front.line(key).is_some(), "{key}");
    }
    assert_eq!(front.line("verify"), Some(12));
}

#[test]
fn each_key_alone_changes_something() {
    let plain = prompt("x").unwrap().front;
    for key in KEYS {
        let value = match *key {
            "timeout" | "retries" | "priority" => "3",
            "env" => "{A: b}",
            _ => "word",
        };
        let read = prompt(&format!("---\n{key}: {value}\n---\nx")).unwrap().front;
        let told = format!("{read:?}").replace(&format!("lines: {{\"{key}\": 2}}"), "lines: {}");
        assert_ne!(told, format!("{plain:?}"), "{key}");
        assert_eq!(prompt(&format!("---\n{key}:\n---\nx")).unwrap().front.line(key), Some(2));
    }
}

#[test]
fn the_front_matter_of_another_tool_is_text() {
    let front = "---\nchange_type: fix\npriority: high\ndependencies: [x]\nreferences:\n  - src/a.rs\n---\n";
    let theirs = prompt(&format!("{front}# Mend it\n\nText.\n")).unwrap();
    assert!(theirs.foreign);
    assert_eq!((theirs.title.as_str(), theirs.body_line), ("Mend it", 1));
    assert!(theirs.body.starts_with(front));
    assert_eq!(theirs.front, FrontMatter::default());

    // One slip, a key or two that are nobody's, or as many of ours: those are mistakes.
    for keys in [
        "agnt: a\nbanana: b\ncherry: c\ndate: d",
        "banana: b\ncherry: c",
        "agent: a\nid: b\nrole: c\nbanana: b\ncherry: c\ndate: d",
    ] {
        let refused = prompt(&format!("---\n{keys}\n---\n# A\n")).unwrap_err();
        assert!(refused.contains("unknown key `banana`"), "{refused}");
    }
}

#[test]
fn titles() {
    for (text, title) in [
        (
            "Some text above.\n\n## Make `parse` **faster** in [it](src/a.rs)\n",
            "Make parse faster in it",
        ),
        ("---\ntitle: From above\n---\n# From below", "From above"),
        ("---\ntitle: >\n  Folded\n  twice\n---\nx", "Folded twice"),
        ("---\n\nA rule.\n\n---\n\n# After it", "After it"),
        ("Two words\nand more", "Two words"),
        ("- an item\n- another", "an item"),
        ("```sh\nls -la\n```", "```sh"),
        ("Two\nlines\n====", "Two lines"),
        ("#\n\ntext", "text"),
        ("# a\u{1b}[31mb", "a[31mb"),
    ] {
        assert_eq!(prompt(text).unwrap().title, title.replace('`', ""), "{text:?}");
    }
    let long = prompt(&format!("# {}", "wörd ".repeat(100))).unwrap().title;
    assert!(long.ends_with("...") && long.chars().count() <= 120, "{long}");
}

#[test]
fn shell_blocks_have_their_lines() {
    let prompts = load_fixtures("good").unwrap();
    let shell = prompts.iter().find(|p| p.name == "shell").unwrap();
    let blocks: Vec<_> = shell.sh_blocks().map(|b| (b.line, b.text.as_str())).collect();
    assert_eq!(blocks, [(6, "sed -i s/a/b/ file\n"), (12, "if true; then\n  echo \"two\"\nfi\n")]);
    assert_eq!(shell.blocks.len(), 3);
    for (info, is_shell) in [
        ("sh", true),
        ("SH title=x", true),
        ("{.sh}", true),
        ("shell", true),
        ("", false),
        ("bash", false),
        ("shx", false),
    ] {
        let read = prompt(&format!("~~~{info}\nls\n~~~\n")).unwrap();
        assert_eq!(read.sh_blocks().count(), usize::from(is_shell), "{info}");
    }
}

#[test]
fn fences_with_and_without_an_end() {
    for (text, closed) in [
        ("```sh\nls\n```", true),
        ("```sh\nls\n`````  \n\nx", true),
        ("```sh\n```", true),
        ("> ```sh\n> ls\n> ```\n", true),
        ("- ```sh\n  ls\n  ```\n", true),
        ("```sh\nls\n", false),
        ("````sh\nls\n```\n", false),
        ("```sh\nls\n~~~\n", false),
        ("```sh", false),
        ("> ```sh\n> ls\n\ntext", false),
    ] {
        assert_eq!(prompt(text).unwrap().blocks[0].closed, closed, "{text:?}");
    }
}

#[test]
fn line_ends_and_byte_order_marks_make_no_difference() {
    let unix = "---\nagent: claude\nverify: |\n  a\n  b\n---\n# T\n\n```sh\na\nb\n```\n";
    let expected = prompt(unix).unwrap();
    for text in [
        unix.replace('\n', "\r\n"),
        format!("\u{feff}{unix}"),
        format!("\u{feff}{}", unix.replace('\n', "\r\n")),
    ] {
        assert_eq!(
            prompt(&text).unwrap(),
            Prompt { path: expected.path.clone(), ..expected.clone() }
        );
    }
    assert_eq!(expected.blocks[0].text, "a\nb\n");
    let error = prompt("---\r\nagent: a\r\nbanana: b\r\n---\r\nx").unwrap_err();
    assert!(error.starts_with("p.md:3: unknown key `banana`"), "{error}");
}

#[test]
fn a_done_prompt_may_be_empty() {
    assert!(prompt("---\nstatus: completed\n---\n").unwrap().done.is_some());
    assert!(prompt("---\nstatus: completed\nagent: shell\n---\nx").unwrap().done.is_some());
}

#[test]
fn paths_that_are_no_prompts() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("folder.md")).unwrap();
    let large = fs::File::create(dir.path().join("large.md")).unwrap();
    large.set_len(MAX_BYTES + 1).unwrap();
    let paths = ["missing.md", "lagre.md", "folder.md", "large.md", ".."].map(PathBuf::from);
    insta::assert_snapshot!(load(&paths, dir.path()).unwrap_err(), @r##"
    missing.md: there is no such file
      hint: paths are relative to where orch was started
    lagre.md: there is no such file
      hint: did you mean large.md?
    folder.md: this is a folder, not a prompt file
      hint: name the files in it, or use --all-prompts for the whole prompt folder
    large.md: the file is larger than 64 MiB, and no agent takes such a prompt
      hint: name the data's path in the prompt instead of including it
    ..: this is a folder, not a prompt file
      hint: name the files in it, or use --all-prompts for the whole prompt folder
    "##);
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_refused_and_links_followed() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe.md");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::write(dir.path().join("real.md"), "x").unwrap();
    std::os::unix::fs::symlink("real.md", dir.path().join("link.md")).unwrap();
    std::os::unix::fs::symlink("nowhere", dir.path().join("lost.md")).unwrap();
    let load = |path: &str| load(&[PathBuf::from(path)], dir.path()).map_err(|e| e.to_string());
    for path in ["pipe.md", "/dev/zero"] {
        let error = load(path).unwrap_err();
        assert!(error.contains("this is not a regular file"), "{error}");
    }
    assert!(load("lost.md").unwrap_err().contains("there is no such file"));
    assert_eq!(load("link.md").unwrap()[0].name, "link");
}

#[test]
fn names_come_from_the_file_or_the_id_and_are_unique() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    for (file, text) in [
        ("a.md", "x"),
        ("sub/a.md", "x"),
        ("b.md", "---\nid: a\n---\nx"),
        ("c.MD", "x"),
        ("notes.txt", "x"),
        ("v1.2.md", "x"),
        ("-x.md", "x"),
        (".md", "x"),
    ] {
        fs::write(dir.path().join(file), text).unwrap();
    }
    let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
    let good = load(&paths(&["c.MD", "notes.txt", "v1.2.md", "./sub/a.md"]), dir.path()).unwrap();
    let names: Vec<_> = good.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["c", "notes.txt", "v1.2", "a"]);
    assert_eq!(good[3].path, Path::new("./sub/a.md"));
    let bad = paths(&["a.md", "sub/a.md", "b.md", "a.md", "-x.md", ".md"]);
    insta::assert_snapshot!(load(&bad, dir.path()).unwrap_err(), @r##"
    -x.md: the file's name `-x.md` begins with `-`, like an option
      hint: a task is named like its file: rename it, or give it an `id` in its front matter
    .md: the file's name `.md` is empty
      hint: a task is named like its file: rename it, or give it an `id` in its front matter
    sub/a.md: the name `a` is taken by a.md
      hint: rename one of them, or give one an `id` in its front matter
    b.md:2: the name `a` is taken by a.md
      hint: rename one of them, or give one an `id` in its front matter
    a.md: this prompt is given twice
      hint: name every prompt once
    "##);
}

#[test]
fn ids_that_cannot_be_typed() {
    for id in ["''", "' '", "a/b", "a\\b", "-a", ".", "..", "\"a\\nb\"", "[a]", "{a: b}"] {
        let error = prompt(&format!("---\nid: {id}\n---\nx")).unwrap_err();
        assert!(error.starts_with("p.md:2: "), "{id}: {error}");
    }
    for (id, name) in
        [("a b", "a b"), ("007", "007"), ("1.10", "1.10"), ("日本", "日本"), ("\"x\"", "x")]
    {
        assert_eq!(prompt(&format!("---\nid: {id}\n---\nx")).unwrap().name, name);
    }
    assert!(prompt(&format!("---\nid: {}\n---\nx", "a".repeat(256))).is_err());
}

#[test]
fn a_file_name_that_is_not_text_needs_an_id() {
    use std::os::unix::ffi::OsStrExt as _;
    if std::env::consts::OS != "linux" {
        // Other file systems refuse such a name.
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(b"\xff.md"));
    fs::write(dir.path().join(&path), "x").unwrap();
    let error = load(std::slice::from_ref(&path), dir.path()).unwrap_err().to_string();
    assert!(error.contains("is not UTF-8"), "{error}");
    fs::write(dir.path().join(&path), "---\nid: a\n---\nx").unwrap();
    assert_eq!(load(&[path], dir.path()).unwrap()[0].name, "a");
}

#[test]
fn scanning_finds_prompts_in_sub_folders_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for folder in ["sub/deep", ".hidden", "folder.md"] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    let files = [
        "b.md",
        "a.md",
        "README.md",
        "sub/Readme.MD",
        "sub/c.MD",
        "sub/deep/d.md",
        "e.txt",
        ".f.md",
        ".hidden/g.md",
        "folder.md/h.md",
    ];
    for file in files {
        fs::write(at(file), "x").unwrap();
    }
    let found = scan(dir.path()).unwrap();
    assert_eq!(found, ["a.md", "b.md", "folder.md/h.md", "sub/c.MD", "sub/deep/d.md"].map(at));
    let error = scan(&at("missing")).unwrap_err().to_string();
    assert!(error.contains("missing: cannot list the prompt folder"), "{error}");
}

#[cfg(unix)]
#[test]
fn scanning_ends_where_links_go_in_circles() {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
    fs::write(dir.path().join("a.md"), "x").unwrap();
    std::os::unix::fs::symlink("a.md", dir.path().join("b.md")).unwrap();
    assert_eq!(scan(dir.path()).unwrap(), ["a.md", "b.md"].map(|name| dir.path().join(name)));
}

/// What is true of whatever could be read.
fn check(text: &str, prompt: &Prompt) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let above = text.strip_suffix(&prompt.body).expect("the body is the end of the file");
    assert_eq!(prompt.body_line as usize, above.matches('\n').count() + 1);
    let lines: BTreeMap<u32, &str> = (1..).zip(text.split('\n')).collect();
    for block in &prompt.blocks {
        assert!(
            lines[&block.line].contains("```") || lines[&block.line].contains("~~~"),
            "{block:?}"
        );
    }
    assert!(!prompt.title.chars().any(char::is_control), "{:?}", prompt.title);
}

#[test]
fn dots_in_a_path_are_followed_and_an_exclusion_is_refused() {
    let read = |glob: &str| prompt(&format!("---\nfiles: [\"{glob}\"]\n---\nx"));
    for (glob, path) in [
        ("py/../README.md", "README.md"),
        ("./a/b/../../c/*.rs", "c/*.rs"),
        ("py/..", "."),
        ("./!x", "!x"),
    ] {
        assert_eq!(read(glob).unwrap().front.files, [path], "{glob}");
    }
    for glob in ["../x", "a/../../x", "**/../x"] {
        let error = read(glob).unwrap_err();
        assert!(error.contains(" in `files` leaves the repository"), "{error}");
    }
    let error = read("!README.md").unwrap_err();
    assert!(error.contains(":2: `!README.md` in `files` begins with `!`"), "{error}");
}

#[test]
fn globs_that_could_not_be_compiled_are_refused() {
    let nested = format!("{}a{}", "{a,".repeat(300), "}".repeat(300));
    for glob in [nested.clone(), nested[..600].to_owned(), "x".repeat(2000)] {
        let error = prompt(&format!("---\nfiles: [\"{glob}\"]\n---\nx")).unwrap_err();
        assert!(error.contains(" in `files` is "), "{error}");
    }
}

#[test]
fn of_very_many_problems_the_first_are_shown() {
    let keys: Vec<String> = (1..200).map(|i| format!("banana{i}: 1")).collect();
    let error = prompt(&format!("---\nagnt: 1\n{}\n---\nx", keys.join("\n"))).unwrap_err();
    assert!(error.ends_with("\n... and 150 more problems"), "{error}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read::text(Path::new("p.md"), bytes);
    }

    #[test]
    fn any_text_is_understood_or_refused(text in "(\u{feff})?(---\r?\n)?([a-z]{2,6}: |[-#>*`~\"'\\[\\]{}&!|%@:, \t\r\n\\\\]|title|files|env|agent: |depends_on|Status: COMPLETED|\n---\n|```sh\n|[0-9a-zé]){0,60}") {
        let mut problems = Vec::new();
        let file = Path::new("p.md");
        if let Ok(read) = read::text(file, text.clone().into_bytes())
            && let Some(prompt) = load::understand(file, &read, &mut problems)
        {
            check(&text, &prompt);
        }
        let lines = u32::try_from(text.matches('\n').count()).unwrap() + 1;
        for problem in problems {
            prop_assert!(problem.line.unwrap_or(1) <= lines, "{problem}");
            prop_assert!(!problem.message.chars().any(char::is_control), "{problem:?}");
        }
    }
}
