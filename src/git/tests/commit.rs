use crate::git::GitError;
use crate::git::fixture::{Fixture, git, lines, read, try_git, write};
use std::path::Path;

fn commit(fixture: &Fixture, worktree: &Path, branch: &str) -> crate::git::Committed {
    try_commit(fixture, worktree, branch).unwrap()
}

fn try_commit(
    fixture: &Fixture,
    worktree: &Path,
    branch: &str,
) -> Result<crate::git::Committed, GitError> {
    let base = fixture.oid("main");
    fixture.repo.commit_worktree(worktree, branch, &base, "the message")
}

fn refusal(result: Result<crate::git::Committed, GitError>) -> String {
    match result {
        Err(GitError::Refused(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// After any of these, git sees a clean worktree and a sound repository.
fn is_clean(fixture: &Fixture, worktree: &Path) {
    assert_eq!(git(worktree, &["status", "--porcelain"]), "");
    fixture.is_sound();
}

#[test]
fn everything_uncommitted_is_committed_as_git_would() {
    let f = Fixture::new();
    write(&f.root, ".gitignore", "*.log\nbuild/\n");
    write(&f.root, "gone.txt", "x");
    write(&f.root, "dir/file", "becomes a file");
    write(&f.root, "plain", "becomes a directory");
    f.git(&["add", "-A"]);
    f.git(&["commit", "-qm", "more"]);
    let (ours, theirs) = (f.worktree("ours"), f.worktree("theirs"));
    for w in [&ours, &theirs] {
        write(w, "a.txt", "changed\n");
        write(w, "staged.txt", "staged, then");
        git(w, &["add", "staged.txt"]);
        write(w, "staged.txt", "changed again");
        std::fs::remove_file(w.join("gone.txt")).unwrap();
        std::fs::remove_dir_all(w.join("dir")).unwrap();
        write(w, "dir", "file");
        std::fs::remove_file(w.join("plain")).unwrap();
        write(w, "plain/deep/file", "new");
        write(w, "with space/x.txt", "new");
        write(w, "x.log", "ignored");
        write(w, "build/out", "ignored");
        git(w, &["update-index", "--add", "--cacheinfo", "100644", &f.oid("main:a.txt"), "ghost"]);
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            use std::os::unix::fs::PermissionsExt;
            std::os::unix::fs::symlink("a.txt", w.join("link")).unwrap();
            std::os::unix::fs::symlink("nowhere", w.join("dangling")).unwrap();
            std::fs::write(w.join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "latin").unwrap();
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(w.join("b.txt"), mode).unwrap();
        }
    }
    let done = commit(&f, &ours, "orch/ours");
    git(&theirs, &["add", "-A"]);
    git(&theirs, &["commit", "-qm", "the message"]);
    assert!(done.created);
    assert_eq!(done.head, f.oid("orch/ours"));
    assert_eq!(f.oid("orch/ours^{tree}"), f.oid("orch/theirs^{tree}"));
    let expected = f.git(&["diff", "--name-only", "--no-renames", "main", "orch/theirs"]);
    assert_eq!(done.files.join("\n"), expected);
    assert_eq!(
        f.git(&["log", "-1", "--format=%an <%ae> %cn|%B", "orch/ours"]),
        f.git(&["log", "-1", "--format=%an <%ae> %cn|%B", "orch/theirs"])
    );
    assert_eq!(f.oid("orch/ours^"), f.oid("main"));
    is_clean(&f, &ours);
    let again = commit(&f, &ours, "orch/ours");
    assert_eq!((again.created, again.head), (false, done.head));
}

#[test]
fn a_commit_of_the_agent_stays_beneath() {
    let f = Fixture::new();
    let w = f.worktree("t");
    write(&w, "a.txt", "one\n");
    git(&w, &["commit", "-qam", "the agent's own"]);
    let own = f.oid("orch/t");
    assert!(!commit(&f, &w, "orch/t").created);
    write(&w, "b.txt", "two\n");
    let done = commit(&f, &w, "orch/t");
    assert_eq!(f.oid("orch/t^"), own);
    assert_eq!(done.files, ["a.txt", "b.txt"]);
}

#[test]
fn a_change_that_left_the_stat_data_as_they_were_is_seen() {
    let f = Fixture::new();
    let w = f.worktree("t");
    // Written in the same instant as the index, and of the same size: only the content tells.
    write(&w, "a.txt", "aaaa");
    git(&w, &["add", "a.txt"]);
    let index = git(&w, &["rev-parse", "--git-path", "index"]);
    let time = std::fs::metadata(w.join(&index)).unwrap().modified().unwrap();
    for file in [w.join("a.txt"), w.join(&index)] {
        std::fs::File::options().append(true).open(file).unwrap().set_modified(time).unwrap();
    }
    git(&w, &["update-index", "--refresh"]);
    write(&w, "a.txt", "bbbb");
    for file in [w.join("a.txt"), w.join(&index)] {
        std::fs::File::options().append(true).open(file).unwrap().set_modified(time).unwrap();
    }
    commit(&f, &w, "orch/t");
    assert_eq!(f.git(&["show", "orch/t:a.txt"]), "bbbb");
}

#[test]
fn locks_of_a_killed_git_are_removed_and_named() {
    let f = Fixture::new();
    let w = f.worktree("t");
    write(&w, "a.txt", "changed\n");
    std::fs::write(f.root.join(".git/worktrees/t/index.lock"), "").unwrap();
    std::fs::write(f.root.join(".git/refs/heads/orch/t.lock"), "").unwrap();
    let done = commit(&f, &w, "orch/t");
    assert_eq!(done.notes.len(), 2, "{:?}", done.notes);
    is_clean(&f, &w);
}

#[test]
fn work_on_a_branch_of_the_agents_own_is_brought_home() {
    for switch in [&["switch", "-q", "-c", "feature/x"][..], &["switch", "-q", "--detach"]] {
        let f = Fixture::new();
        let w = f.worktree("t");
        git(&w, switch);
        write(&w, "a.txt", "committed there\n");
        git(&w, &["commit", "-qam", "elsewhere"]);
        let own = git(&w, &["rev-parse", "HEAD"]);
        write(&w, "new.txt", "uncommitted\n");
        let done = commit(&f, &w, "orch/t");
        assert_eq!(done.notes.len(), 1, "{:?}", done.notes);
        assert_eq!(f.oid("orch/t"), done.head);
        assert_eq!(f.oid("orch/t^"), own);
        assert_eq!(git(&w, &["symbolic-ref", "HEAD"]), "refs/heads/orch/t");
        if switch.len() == 4 {
            assert_eq!(f.oid("feature/x"), own, "the agent's branch must stay where it was");
        }
        is_clean(&f, &w);
    }
}

#[test]
fn a_renamed_branch_is_made_again() {
    let f = Fixture::new();
    let w = f.worktree("t");
    git(&w, &["branch", "-m", "better-name"]);
    write(&w, "a.txt", "x\n");
    let done = commit(&f, &w, "orch/t");
    assert_eq!(f.oid("orch/t"), done.head);
    is_clean(&f, &w);
}

#[test]
fn work_elsewhere_that_leaves_out_the_branch_is_refused_and_kept() {
    let f = Fixture::new();
    f.git(&["branch", "other"]);
    let w = f.worktree("t");
    write(&w, "a.txt", "on the branch\n");
    git(&w, &["commit", "-qam", "on the branch"]);
    git(&w, &["switch", "-q", "other"]);
    write(&w, "b.txt", "uncommitted on other\n");
    let before = f.git(&["for-each-ref"]);
    let text = refusal(try_commit(&f, &w, "orch/t"));
    assert!(text.contains("branch other") && text.contains("branch orch/t"), "{text}");
    assert_eq!(f.git(&["for-each-ref"]), before);
    assert_eq!(read(&w, "b.txt"), "uncommitted on other\n");
}

#[test]
fn a_branch_without_commits_is_refused() {
    let f = Fixture::new();
    let w = f.worktree("t");
    git(&w, &["switch", "-q", "--orphan", "fresh"]);
    let text = refusal(try_commit(&f, &w, "orch/t"));
    assert!(text.contains("branch fresh"), "{text}");
}

fn conflicting(f: &Fixture) -> std::path::PathBuf {
    let w = f.worktree("t");
    write(&w, "a.txt", "ours\n");
    git(&w, &["commit", "-qam", "ours"]);
    f.branch("side", "main", &[("a.txt", Some("theirs\n")), ("n.txt", Some("n\n"))]);
    w
}

#[test]
fn unresolved_conflicts_are_refused_and_a_resolved_merge_is_concluded() {
    let f = Fixture::new();
    let w = conflicting(&f);
    assert!(!try_git(&w, &["merge", "-q", "side"]).status.success());
    let text = refusal(try_commit(&f, &w, "orch/t"));
    assert!(text.contains("a.txt"), "{text}");
    write(&w, "a.txt", "both\n");
    git(&w, &["add", "a.txt"]);
    commit(&f, &w, "orch/t");
    assert_eq!(f.oid("orch/t^2"), f.oid("side"));
    assert_eq!(f.git(&["show", "orch/t:a.txt"]), "both");
    assert!(!f.root.join(".git/worktrees/t/MERGE_HEAD").exists());
    is_clean(&f, &w);
}

#[test]
fn a_rebase_in_the_middle_is_refused() {
    let f = Fixture::new();
    let w = conflicting(&f);
    assert!(!try_git(&w, &["rebase", "-q", "side"]).status.success());
    let text = refusal(try_commit(&f, &w, "orch/t"));
    assert!(text.contains("a rebase"), "{text}");
    git(&w, &["rebase", "--abort"]);
    assert_eq!(read(&w, "a.txt"), "ours\n");
}

#[test]
fn a_resolved_cherry_pick_becomes_an_ordinary_commit() {
    let f = Fixture::new();
    let w = conflicting(&f);
    assert!(!try_git(&w, &["cherry-pick", "side"]).status.success());
    write(&w, "a.txt", "both\n");
    git(&w, &["add", "a.txt"]);
    commit(&f, &w, "orch/t");
    assert!(!try_git(&f.root, &["rev-parse", "--verify", "-q", "orch/t^2"]).status.success());
    assert!(!git(&w, &["status"]).contains("cherry-pick"));
    is_clean(&f, &w);
}

#[test]
fn a_worktree_that_lost_its_link_never_touches_the_repository_around_it() {
    let f = Fixture::new();
    let w = f.worktree("t");
    write(&w, "a.txt", "changed\n");
    write(&f.root, "a.txt", "the user's own change\n");
    let before = f.git(&["for-each-ref"]);
    std::fs::remove_file(w.join(".git")).unwrap();
    for step in ["gone", "own"] {
        if step == "own" {
            git(&w, &["init", "-q"]);
        }
        match try_commit(&f, &w, "orch/t") {
            Err(GitError::Gone(text)) if step == "gone" => {
                assert!(text.contains("worktree repair"), "{text}");
            }
            Err(GitError::InTheWay(text)) if step == "own" => {
                assert!(text.contains("worktree repair"), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(f.git(&["for-each-ref"]), before);
    assert_eq!(f.git(&["status", "--porcelain"]), " M a.txt");
}

#[test]
fn a_worktree_that_lost_its_link_is_tied_again_with_what_is_in_it() {
    let f = Fixture::new();
    let w = f.worktree("t");
    write(&w, "a.txt", "changed\n");
    std::fs::remove_file(w.join(".git")).unwrap();
    f.repo.repair_worktree(&w).unwrap();
    commit(&f, &w, "orch/t");
    is_clean(&f, &w);
    assert_eq!(f.git(&["show", "orch/t:a.txt"]), "changed");
}

#[test]
fn a_link_to_another_worktree_is_refused() {
    let f = Fixture::new();
    let (w, other) = (f.worktree("t"), f.worktree("u"));
    std::fs::copy(other.join(".git"), w.join(".git")).unwrap();
    assert!(matches!(try_commit(&f, &w, "orch/t"), Err(GitError::InTheWay(_))));
}

#[test]
fn repositories_inside_are_left_out_and_named() {
    for sparse in ["false", "true"] {
        let f = Fixture::new();
        let w = f.worktree("t");
        for path in ["cloned", "deep/down/fresh", "staged"] {
            std::fs::create_dir_all(w.join(path)).unwrap();
            git(&w.join(path), &["init", "-q"]);
            write(&w.join(path), "file", "x");
            if path != "deep/down/fresh" {
                git(&w.join(path), &["add", "-A"]);
                let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
                git(&w.join(path), &[&who[..], &["commit", "-qm", "x"]].concat());
            }
        }
        git(&w, &["add", "staged"]);
        write(&w, "deep/other", "kept");
        // The second way: everything through the git executable.
        git(&w, &["config", "core.sparseCheckout", sparse]);
        let done = commit(&f, &w, "orch/t");
        let mut skipped = done.skipped.clone();
        skipped.sort();
        assert_eq!(skipped, ["cloned", "deep/down/fresh", "staged"], "sparse={sparse}");
        assert_eq!(done.files, ["deep/other"]);
    }
}

#[test]
fn hooks_do_not_run_and_nothing_is_signed() {
    let f = Fixture::new();
    let w = f.worktree("t");
    for hook in ["pre-commit", "commit-msg", "post-commit", "reference-transaction"] {
        let path = f.root.join(".git/hooks").join(hook);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "#!/bin/sh\nexit 1\n").unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
    }
    f.git(&["config", "commit.gpgSign", "true"]);
    f.git(&["config", "gpg.program", "/nonexistent"]);
    for sparse in ["false", "true"] {
        f.git(&["config", "core.sparseCheckout", sparse]);
        write(&w, "a.txt", sparse);
        assert!(commit(&f, &w, "orch/t").created);
    }
    assert!(!f.git(&["cat-file", "commit", "orch/t"]).contains("gpgsig"));
}

#[test]
fn clean_filters_are_applied() {
    let f = Fixture::new();
    f.git(&["config", "filter.shout.clean", "tr a-z A-Z"]);
    f.git(&["config", "filter.shout.smudge", "tr A-Z a-z"]);
    let w = f.worktree("t");
    // The agent brings the attribute itself.
    write(&w, ".gitattributes", "*.shout filter=shout\n");
    write(&w, "x.shout", "quiet\n");
    commit(&f, &w, "orch/t");
    assert_eq!(f.git(&["show", "orch/t:x.shout"]), "QUIET");
    is_clean(&f, &w);
    // Now it is in the index.
    write(&w, "x.shout", "other\n");
    commit(&f, &w, "orch/t");
    assert_eq!(f.git(&["show", "orch/t:x.shout"]), "OTHER");
    is_clean(&f, &w);
}

#[test]
fn line_endings_are_converted_as_git_does() {
    let f = Fixture::new();
    let w = f.worktree("t");
    f.git(&["config", "core.autocrlf", "input"]);
    f.git(&["config", "core.safecrlf", "true"]);
    write(&w, "crlf.txt", "one\r\ntwo\r\n");
    commit(&f, &w, "orch/t");
    assert_eq!(f.git(&["cat-file", "-s", "orch/t:crlf.txt"]), "8");
}

#[test]
fn a_sparse_worktree_records_no_deletions() {
    let f = Fixture::new();
    let w = f.worktree("t");
    git(&w, &["sparse-checkout", "set", "--cone", "docs"]);
    assert!(!w.join("src/c.txt").exists());
    write(&w, "docs/new.md", "inside");
    write(&w, "outside/new.md", "outside the cone");
    let done = commit(&f, &w, "orch/t");
    assert_eq!(done.files, ["docs/new.md", "outside/new.md"]);
    // Skipped entries without the setting: libgit2 reads this one.
    git(&w, &["config", "core.sparseCheckout", "false"]);
    git(&w, &["config", "--worktree", "core.sparseCheckout", "false"]);
    write(&w, "a.txt", "again\n");
    let done = commit(&f, &w, "orch/t");
    assert_eq!(done.files, ["a.txt", "docs/new.md", "outside/new.md"]);
}

#[test]
fn a_submodule_of_the_agents_making_is_kept() {
    let f = Fixture::new();
    let library = f.beside("library");
    std::fs::create_dir(&library).unwrap();
    git(&library, &["init", "-q"]);
    let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
    git(&library, &[&who[..], &["commit", "-q", "--allow-empty", "-m", "x"]].concat());
    let w = f.worktree("t");
    git(&w, &["submodule", "--quiet", "add", library.to_str().unwrap(), "lib"]);
    let done = commit(&f, &w, "orch/t");
    assert_eq!((done.files, done.skipped), (vec![".gitmodules".into(), "lib".into()], vec![]));
}

#[test]
fn formats_that_libgit2_cannot_read_work_too() {
    for format in [&["--object-format=sha256"][..], &["--ref-format=reftable"]] {
        let f = Fixture::with(format);
        let w = f.worktree("t");
        write(&w, "a.txt", &lines("changed", 3));
        write(&w, "new.txt", "new");
        std::fs::remove_file(w.join("b.txt")).unwrap();
        let done = commit(&f, &w, "orch/t");
        assert_eq!(done.files, ["a.txt", "b.txt", "new.txt"]);
        assert_eq!(done.head, f.oid("orch/t"));
        is_clean(&f, &w);
        assert!(!commit(&f, &w, "orch/t").created);
    }
}

#[test]
fn without_an_identity_git_would_refuse_too() {
    let f = Fixture::new();
    f.git(&["config", "user.useConfigOnly", "true"]);
    f.git(&["config", "author.name", "Someone"]);
    f.git(&["config", "author.email", "someone@example.com"]);
    let identity = f.repo.identity().unwrap();
    assert_eq!((&*identity.name, &*identity.email), ("Someone", "someone@example.com"));
    f.git(&["config", "--unset", "user.email"]);
    f.git(&["config", "--unset", "author.email"]);
    assert!(matches!(f.repo.identity(), Err(GitError::NoIdentity)));
}
