use super::super::{Code, Language, Library, Outline, Sketch, imports, outline, sketch};
use super::*;
use std::collections::BTreeSet;

/// A tree in memory.
struct Files(Vec<(&'static str, &'static str)>);

impl Library for Files {
    fn sketches(&self) -> HashMap<usize, Sketch> {
        let sketch = |(file, (path, content)): (usize, &(&str, &str))| {
            Some((file, sketch(Language::of(path)?, content.as_bytes())))
        };
        self.0.iter().enumerate().filter_map(sketch).collect()
    }

    fn outlines(&self, files: &[usize]) -> Vec<Outline> {
        let read = |(path, content): &(&str, &str)| {
            Language::of(path).map(|language| outline(language, content.as_bytes()))
        };
        files.iter().map(|file| read(&self.0[*file]).unwrap_or_default()).collect()
    }

    fn imports(&self, files: &[usize]) -> Vec<Vec<Written>> {
        let read = |(path, content): &(&str, &str)| {
            Language::of(path).map(|language| imports(language, content.as_bytes()))
        };
        files.iter().map(|file| read(&self.0[*file]).unwrap_or_default()).collect()
    }
}

struct Place {
    files: Files,
    tree: Tree,
}

fn place(files: &[(&'static str, &'static str)]) -> Place {
    let mut files = files.to_vec();
    files.sort_unstable();
    let tree = Tree::new(files.iter().map(|(path, _)| (*path).to_owned()).collect());
    Place { files: Files(files), tree }
}

impl Place {
    fn code(&self) -> Code<'_> {
        Code::new(&self.tree, &self.files)
    }

    /// `line path` of each import.
    fn imports(&self, path: &str) -> Vec<String> {
        let code = self.code();
        let mut found: Vec<_> = code.imports(path).iter().map(|i| (i.line, i.path)).collect();
        found.sort_unstable();
        found.into_iter().map(|(line, path)| format!("{line} {path}")).collect()
    }
}

#[test]
fn python_finds_packages_submodules_and_what_is_passed_on() {
    let place = place(&[
        ("src/app/__init__.py", "from .core import Router as Router, helper\nfrom . import db\n"),
        ("src/app/core.py", "class Router: pass\ndef helper(): pass\n"),
        ("src/app/db/__init__.py", "from .store import *\n"),
        (
            "src/app/db/store.py",
            "import json\nfrom ..core import Router\nfrom ... import nothing\n",
        ),
        ("src/app/json.py", ""),
        ("tests/conftest.py", ""),
        (
            "tests/test_core.py",
            "from app import Router\nimport app.db.store\nfrom app.db import store\nimport conftest\nimport os, app.missing\n",
        ),
        ("scripts/tool.py", "import other\nimport typing\n"),
        ("scripts/other.py", "def main():\n    import tool\n"),
        ("lib/typing.py", ""),
        ("native/a/b/c.py", "from a.b import d\n"),
        ("native/a/b/d.py", ""),
    ]);
    assert_eq!(
        place.imports("src/app/__init__.py"),
        ["1 src/app/core.py", "2 src/app/db/__init__.py"]
    );
    assert_eq!(place.imports("src/app/db/__init__.py"), ["1 src/app/db/store.py"]);
    // The standard library's `json`, not the package's.
    assert_eq!(place.imports("src/app/db/store.py"), ["2 src/app/core.py"]);
    assert_eq!(
        place.imports("tests/test_core.py"),
        [
            "1 src/app/__init__.py",
            "1 src/app/core.py",
            "2 src/app/db/store.py",
            "4 tests/conftest.py"
        ]
    );
    assert_eq!(place.imports("scripts/tool.py"), ["1 scripts/other.py"]);
    assert_eq!(place.imports("scripts/other.py"), ["2 scripts/tool.py"]);
    assert_eq!(place.imports("native/a/b/c.py"), ["1 native/a/b/d.py"]);
}

#[test]
fn rust_follows_modules_crates_and_reexports() {
    let place = place(&[
        (
            "Cargo.toml",
            "[package]\nname = \"app\"\n[dependencies]\ncore-lib = { path = \"crates/core\" }\n",
        ),
        (
            "src/lib.rs",
            "pub mod model;\nmod tui;\n#[path = \"odd.rs\"]\nmod strange;\npub use model::Task;\n",
        ),
        ("src/main.rs", "use app::model;\nmod cli;\n"),
        ("src/cli.rs", "use std::fs;\nuse serde::Deserialize;\n"),
        ("src/odd.rs", ""),
        (
            "src/model/mod.rs",
            "mod task;\npub use task::Task;\npub use self::extra::*;\nmod extra;\n",
        ),
        ("src/model/task.rs", "pub struct Task;\n"),
        ("src/model/extra.rs", "pub fn more() {}\n"),
        (
            "src/tui/mod.rs",
            "mod runner;\nuse crate::model::{Task, more as m};\nfn f() { super::model::task::go(); }\n",
        ),
        (
            "src/tui/runner.rs",
            "use super::super::model;\nuse core_lib::deep::Thing;\nmod tests { use super::*; use crate::strange; }\n",
        ),
        ("crates/core/Cargo.toml", "[package]\nname = \"core-lib\"\n"),
        ("crates/core/src/lib.rs", "pub mod deep;\n"),
        ("crates/core/src/deep.rs", "pub struct Thing;\n"),
        ("tests/it/main.rs", "mod support;\nuse app::Task;\n"),
        ("tests/it/support.rs", "use crate::support;\n"),
        ("tests/one.rs", "mod common;\n"),
        ("tests/common/mod.rs", ""),
        ("src/bin/tool.rs", "mod part;\n"),
        ("src/bin/part.rs", ""),
    ]);
    assert_eq!(
        place.imports("src/lib.rs"),
        ["1 src/model/mod.rs", "2 src/tui/mod.rs", "4 src/odd.rs", "5 src/model/task.rs"]
    );
    assert_eq!(place.imports("src/main.rs"), ["1 src/model/mod.rs", "2 src/cli.rs"]);
    assert!(place.imports("src/cli.rs").is_empty());
    assert_eq!(
        place.imports("src/tui/mod.rs"),
        [
            "1 src/tui/runner.rs",
            "2 src/model/extra.rs",
            "2 src/model/mod.rs",
            "2 src/model/task.rs"
        ]
    );
    assert_eq!(
        place.imports("src/tui/runner.rs"),
        ["1 src/model/mod.rs", "2 crates/core/src/deep.rs", "3 src/lib.rs"]
    );
    assert_eq!(
        place.imports("tests/it/main.rs"),
        ["1 tests/it/support.rs", "2 src/lib.rs", "2 src/model/mod.rs", "2 src/model/task.rs"]
    );
    assert_eq!(place.imports("tests/one.rs"), ["1 tests/common/mod.rs"]);
    assert_eq!(place.imports("src/bin/tool.rs"), ["1 src/bin/part.rs"]);
}

#[test]
fn scripts_use_extensions_aliases_and_workspaces() {
    let place = place(&[
        ("package.json", "{\"name\": \"root\"}"),
        (
            "web/tsconfig.json",
            "{ // aliases\n \"extends\": \"../base\", \"compilerOptions\": {\"baseUrl\": \".\", \"paths\": {\"@/*\": [\"./src/*\"], \"@/special\": [\"src/other.ts\"],}}}",
        ),
        ("base.json", "{\"compilerOptions\": {\"paths\": {\"~lib\": [\"shared/lib.ts\"]}}}"),
        (
            "web/src/main.tsx",
            "import { A, B } from './parts'\nimport x from '@/deep/x'\nimport y from '@/special'\nimport lib from '@scope/lib'\nimport sub from '@scope/lib/sub'\nimport react from 'react'\nimport './style.css?inline'\nconst z = await import('./old.js')\nimport plain from 'src/deep/x'\nimport fs from 'node:fs'\nimport t from '#own/thing'\n",
        ),
        ("web/src/parts/index.ts", "export { A } from './a'\nexport * from './b'\n"),
        ("web/src/parts/a.ts", "export const A = 1\n"),
        ("web/src/parts/b.ts", "export class B {}\n"),
        ("web/src/deep/x.ts", "import '../..'\nimport '../../../../outside'\n"),
        ("web/src/other.ts", ""),
        ("web/src/old.ts", ""),
        ("web/src/style.css", ""),
        (
            "web/package.json",
            "{\"name\": \"web\", \"dependencies\": {\"@scope/lib\": \"workspace:*\"}, \"imports\": {\"#own/*\": \"./own/*.ts\"}}",
        ),
        ("web/own/thing.ts", ""),
        (
            "libs/lib/package.json",
            "{\"name\": \"@scope/lib\", \"exports\": {\".\": {\"types\": \"./dist/index.d.ts\"}, \"./sub\": \"./source/sub.js\"}}",
        ),
        ("libs/lib/src/index.ts", ""),
        ("libs/lib/source/sub.ts", "const a = require('../src')\n"),
    ]);
    assert_eq!(
        place.imports("web/src/main.tsx"),
        [
            "1 web/src/parts/a.ts",
            "1 web/src/parts/b.ts",
            "1 web/src/parts/index.ts",
            "2 web/src/deep/x.ts",
            "3 web/src/other.ts",
            "4 libs/lib/src/index.ts",
            "5 libs/lib/source/sub.ts",
            "7 web/src/style.css",
            "8 web/src/old.ts",
            "11 web/own/thing.ts"
        ]
    );
    assert!(place.imports("web/src/deep/x.ts").is_empty());
    assert_eq!(place.imports("libs/lib/source/sub.ts"), ["1 libs/lib/src/index.ts"]);
}

#[test]
fn go_means_the_files_of_a_package_that_have_what_is_used() {
    let place = place(&[
        ("go.work", "use (\n\t./app\n\t./lib\n)\n"),
        ("app/go.mod", "module example.org/app\n\nrequire example.org/lib v0.0.0\n"),
        (
            "app/main.go",
            "package main\n\nimport (\n\t\"fmt\"\n\t\"example.org/app/store\"\n\tl \"example.org/lib\"\n\t_ \"example.org/library/x\"\n)\n\nfunc main() { store.Open(); l.Run(); fmt.Println() }\n",
        ),
        ("app/store/open.go", "package store\n\nfunc Open() {}\n"),
        ("app/store/close.go", "package store\n\nfunc Close() {}\n"),
        ("app/store/open_test.go", "package store\n\nfunc Open2() {}\n"),
        ("lib/go.mod", "module example.org/lib\n"),
        ("lib/lib.go", "package lib\n\nfunc Run() {}\n"),
    ]);
    assert_eq!(place.imports("app/main.go"), ["5 app/store/open.go", "6 lib/lib.go"]);
}

#[test]
fn java_classes_are_at_the_end_of_their_packages_path() {
    let place = place(&[
        (
            "core/src/main/java/org/app/Main.java",
            "package org.app;\nimport org.app.db.Store;\nimport static org.app.Limits.MAX;\nimport org.app.all.*;\nimport java.util.List;\nimport org.app.db.Store.Inner;\n",
        ),
        ("core/src/main/java/org/app/db/Store.java", "class Store {}"),
        ("core/src/main/java/org/app/Limits.java", ""),
        ("core/src/main/java/org/app/all/A.java", ""),
        ("core/src/main/java/org/app/all/deep/B.java", ""),
        ("other/src/main/java/net/app/db/Store.java", ""),
        ("core/src/main/java/util/List.java", ""),
        ("core/src/test/java/org/app/db/StoreTest.java", ""),
        ("web/src/main/java/org/web/Page.java", "import org.app.db.*;\nimport org.none.*;\n"),
    ]);
    let root = "core/src/main/java/org/app";
    assert_eq!(
        place.imports(&format!("{root}/Main.java")),
        [
            format!("2 {root}/db/Store.java"),
            format!("3 {root}/Limits.java"),
            format!("4 {root}/all/A.java")
        ]
    );
    // A package of another module of the build.
    assert_eq!(
        place.imports("web/src/main/java/org/web/Page.java"),
        [format!("1 {root}/db/Store.java")]
    );
}

#[test]
fn headers_are_beside_in_include_directories_or_the_only_ones() {
    let place = place(&[
        (
            "src/main.c",
            "#include <stdio.h>\n#include \"own.h\"\n#include <lib/api.h>\n#include \"../deep/x.h\"\n#include \"only/there.h\"\n#include <config.h>\n#include \"twice.h\"\n",
        ),
        ("src/own.h", "#include \"main.c\"\n"),
        ("include/lib/api.h", ""),
        ("include/config.h", ""),
        ("other/stdio.h", ""),
        ("deep/x.h", ""),
        ("vendor/only/there.h", ""),
        ("a/twice.h", ""),
        ("b/twice.h", ""),
    ]);
    assert_eq!(
        place.imports("src/main.c"),
        [
            "2 src/own.h",
            "3 include/lib/api.h",
            "4 deep/x.h",
            "5 vendor/only/there.h",
            "6 include/config.h"
        ]
    );
    assert_eq!(place.imports("src/own.h"), ["1 src/main.c"]);
}

#[test]
fn packages_know_who_needs_them() {
    let place = place(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"*\"]\n"),
        ("a/Cargo.toml", "[package]\nname = \"a\"\n"),
        (
            "b/Cargo.toml",
            "[package]\nname = \"b\"\n[dependencies]\nrenamed = { path = \"../a\" }\n",
        ),
        (
            "c/Cargo.toml",
            "[package]\nname = \"c\"\n[dev-dependencies]\nb.workspace = true\nserde = \"1\"\n",
        ),
        (
            "web/package.json",
            "{\"name\": \"web\", \"dependencies\": {\"ui\": \"workspace:^\", \"cyclic\": \"1\"}}",
        ),
        ("ui/package.json", "{\"name\": \"ui\"}"),
        ("cyclic/package.json", "{\"name\": \"cyclic\", \"peerDependencies\": {\"web\": \"*\"}}"),
        ("node_modules/x/package.json", "{\"name\": \"x\"}"),
        ("a/package.json", "{\"name\": \"a-js\"}"),
        ("broken/package.json", "{"),
    ]);
    let code = place.code();
    let affected = |paths: &[&str]| code.packages().affected(paths.iter().copied()).join(" ");
    assert_eq!(affected(&["a/src/lib.rs"]), "a b c");
    assert_eq!(affected(&["b/src/lib.rs"]), "b c");
    assert_eq!(affected(&["a/index.js", "ui/x.css"]), "a-js cyclic ui web");
    assert_eq!(affected(&["cyclic/x.js"]), "cyclic web");
    assert_eq!(affected(&["README.md", "broken/x.js"]), "");
    // The manifest of a workspace is everybody's.
    assert_eq!(affected(&["Cargo.toml"]), "a b c");
    assert_eq!(affected(&["pnpm-workspace.yaml"]), "a-js cyclic ui web");
    assert_eq!(affected(&["c/Cargo.toml"]), "c");
    assert_eq!(code.package_of("a/src/lib.rs").unwrap().name, "a");
}

#[test]
fn rust_knows_a_crate_by_the_name_it_was_given() {
    let place = place(&[
        ("a/Cargo.toml", "[package]\nname = \"long-name\"\n"),
        ("a/src/lib.rs", "pub struct Tool;\n"),
        (
            "b/Cargo.toml",
            "[package]\nname = \"b\"\n[dependencies]\nshort-one = { package = \"long-name\", path = \"../a\" }\n",
        ),
        ("b/src/lib.rs", "use short_one::Tool;\n"),
    ]);
    assert_eq!(place.imports("b/src/lib.rs"), ["1 a/src/lib.rs"]);
}

#[test]
fn names_are_found_where_they_are_defined() {
    let place = place(&[
        ("a.py", "def task_router(): pass\nx = task_router()\n"),
        ("b.py", "# def task_router\nprint(task_router)\n"),
        ("c.rs", "impl A { fn force_recreate(&self) {} }\nstruct TaskRouter;\n"),
        ("d.ts", "export class TaskRouter {}\n"),
    ]);
    let code = place.code();
    let names = BTreeSet::from(["task_router", "TaskRouter", "force_recreate", "x", "missing"]);
    let found = code.defined(&names);
    let show = |name: &str| {
        let definitions = found.get(name).into_iter().flatten();
        definitions.map(|d| format!("{}:{} {:?}", d.path, d.line, d.kind)).collect::<Vec<_>>()
    };
    assert_eq!(show("task_router"), ["a.py:1 Function"]);
    assert_eq!(show("TaskRouter"), ["c.rs:2 Type", "d.ts:1 Type"]);
    assert_eq!(show("force_recreate"), ["c.rs:1 Method"]);
    assert_eq!(found.len(), 3);
}

#[test]
fn files_that_import_each_other_and_pass_names_in_a_circle_end() {
    let place = place(&[
        ("p/__init__.py", "from .a import thing\n"),
        ("p/a/__init__.py", "from ..b import thing\n"),
        ("p/b/__init__.py", "from ..a import thing\n"),
        ("x.ts", "export * from './y'\nimport { nothing } from './y'\n"),
        ("y.ts", "export * from './x'\n"),
        ("src/lib.rs", "mod m;\npub use m::*;\n"),
        ("src/m.rs", "pub use crate::*;\nuse crate::gone;\n"),
        ("tsconfig.json", "{\"extends\": \"./tsconfig.json\"}"),
    ]);
    assert_eq!(place.imports("p/__init__.py"), ["1 p/a/__init__.py", "1 p/b/__init__.py"]);
    assert_eq!(place.imports("x.ts"), ["1 y.ts"]);
    assert_eq!(place.imports("src/m.rs"), ["1 src/lib.rs"]);
}
