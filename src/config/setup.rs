//! What the files of a repository say about setting up a fresh worktree.

use std::path::Path;

/// How one ecosystem's dependencies are made ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The tool: `uv`, `poetry`, `pip`, `npm`, `pnpm`, `yarn`, `bun`, `cargo`, `go` or `bundler`.
    pub name: &'static str,
    /// The file at the root that says so.
    pub evidence: &'static str,
    /// Shell commands for the worktree's root, in order.
    pub commands: Vec<String>,
    /// What an agent must put in front of the project's own commands, such as `uv run`.
    pub prefix: Option<&'static str>,
}

impl Recipe {
    fn new(name: &'static str, evidence: &'static str, command: &str) -> Self {
        Self { name, evidence, commands: vec![command.to_owned()], prefix: None }
    }

    fn prefixed(mut self, prefix: &'static str) -> Self {
        self.prefix = Some(prefix);
        self
    }
}

/// The recipes for the repository at `root`, from the files at its root, at most one for each
/// language. Commands install what the lock file says and leave it as it is, so that a set-up is
/// never part of a task's work.
#[must_use]
pub fn detect_setup(root: &Path) -> Vec<Recipe> {
    let has = |file: &str| root.join(file).is_file();
    [python(root, &has), node(root, &has), cargo(&has), go(&has), bundler(&has)]
        .into_iter()
        .flatten()
        .collect()
}

fn python(root: &Path, has: &impl Fn(&str) -> bool) -> Option<Recipe> {
    let project = has("pyproject.toml");
    if project && has("uv.lock") {
        return Some(Recipe::new("uv", "uv.lock", "uv sync --frozen").prefixed("uv run"));
    }
    if project && has("poetry.lock") {
        let recipe = Recipe::new("poetry", "poetry.lock", "poetry install --no-interaction");
        return Some(recipe.prefixed("poetry run"));
    }
    // An environment ignores itself only since Python 3.13, and must not be committed.
    let environment = "python3 -m venv .venv && echo '*' > .venv/.gitignore";
    let pip = |evidence, what: &str| {
        let mut recipe = Recipe::new("pip", evidence, environment);
        recipe.commands.push(format!(".venv/bin/python -m pip install {what}"));
        recipe
    };
    if has("requirements.txt") {
        return Some(pip("requirements.txt", "-r requirements.txt"));
    }
    // A pyproject.toml may hold nothing but a linter's settings.
    let text = if project { head(&root.join("pyproject.toml")) } else { String::new() };
    let says = |table: &str| text.lines().any(|line| line.trim_end() == table);
    if says("[tool.poetry]") {
        let recipe = Recipe::new("poetry", "pyproject.toml", "poetry install --no-interaction");
        return Some(recipe.prefixed("poetry run"));
    }
    says("[project]").then(|| pip("pyproject.toml", "-e ."))
}

fn node(root: &Path, has: &impl Fn(&str) -> bool) -> Option<Recipe> {
    if !has("package.json") {
        return None;
    }
    let yarn = || {
        let berry = has(".yarnrc.yml");
        let flag = if berry { "--immutable" } else { "--frozen-lockfile" };
        Recipe::new("yarn", "yarn.lock", &format!("yarn install {flag}"))
    };
    let locked = [
        ("bun.lock", "bun"),
        ("bun.lockb", "bun"),
        ("pnpm-lock.yaml", "pnpm"),
        ("yarn.lock", "yarn"),
        ("package-lock.json", "npm"),
        ("npm-shrinkwrap.json", "npm"),
    ];
    let locked: Vec<_> = locked.into_iter().filter(|(file, _)| has(file)).collect();
    // With several lock files, `packageManager` says which one is meant.
    let named = package_manager(&root.join("package.json"));
    let chosen = locked.iter().find(|(_, tool)| named.as_deref() == Some(*tool));
    match chosen.or(locked.first()).copied() {
        Some((file, tool @ ("bun" | "pnpm"))) => {
            Some(Recipe::new(tool, file, &format!("{tool} install --frozen-lockfile")))
        }
        Some((_, "yarn")) => Some(yarn()),
        Some((file, _)) => Some(Recipe::new("npm", file, "npm ci")),
        // Nothing to install from that would stay as it is: no lock file is written either.
        None => Some(match named.as_deref() {
            Some("pnpm") => Recipe::new("pnpm", "package.json", "pnpm install --no-lockfile"),
            Some("bun") => Recipe::new("bun", "package.json", "bun install --no-save"),
            Some("yarn") => Recipe::new("yarn", "package.json", "yarn install --no-lockfile"),
            _ => Recipe::new("npm", "package.json", "npm install --no-package-lock"),
        }),
    }
}

/// `pnpm` for `"packageManager": "pnpm@9.1.0"`.
fn package_manager(file: &Path) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(&head(file)).ok()?;
    json.get("packageManager")?.as_str()?.split('@').next().map(str::to_owned)
}

fn cargo(has: &impl Fn(&str) -> bool) -> Option<Recipe> {
    has("Cargo.toml").then(|| {
        let locked = if has("Cargo.lock") { " --locked" } else { "" };
        Recipe::new("cargo", "Cargo.toml", &format!("cargo fetch{locked}"))
    })
}

fn go(has: &impl Fn(&str) -> bool) -> Option<Recipe> {
    has("go.mod").then(|| Recipe::new("go", "go.mod", "go mod download"))
}

fn bundler(has: &impl Fn(&str) -> bool) -> Option<Recipe> {
    has("Gemfile").then(|| {
        let frozen = if has("Gemfile.lock") { "BUNDLE_FROZEN=true " } else { "" };
        Recipe::new("bundler", "Gemfile", &format!("{frozen}bundle install"))
            .prefixed("bundle exec")
    })
}

/// The beginning of a text file (at most 1 MiB); empty when it cannot be read.
fn head(file: &Path) -> String {
    use std::io::Read as _;
    const LONGEST: u64 = 1024 * 1024;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(file).and_then(|f| f.take(LONGEST).read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::detect_setup;
    use std::fs;

    #[test]
    fn set_up_recipes() {
        let poetry = "[tool.poetry]\nname = 'x'\n";
        let project = "[project]\nname = 'x'\n";
        let pnpm = r#"{"packageManager": "pnpm@9.1.0"}"#;
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[], ""),
            (&[("pyproject.toml", project), ("uv.lock", "")], "uv: uv sync --frozen (uv run)"),
            (&[("uv.lock", "")], ""),
            (
                &[("pyproject.toml", poetry), ("poetry.lock", "")],
                "poetry: poetry install --no-interaction (poetry run)",
            ),
            (&[("pyproject.toml", poetry)], "poetry: poetry install --no-interaction (poetry run)"),
            (&[("pyproject.toml", "[tool.ruff]\n")], ""),
            (
                &[("requirements.txt", "x")],
                "pip: python3 -m venv .venv && echo '*' > .venv/.gitignore; .venv/bin/python -m pip install -r requirements.txt",
            ),
            (
                &[("pyproject.toml", project)],
                "pip: python3 -m venv .venv && echo '*' > .venv/.gitignore; .venv/bin/python -m pip install -e .",
            ),
            (&[("package.json", "{}"), ("package-lock.json", "")], "npm: npm ci"),
            (&[("package.json", "{}")], "npm: npm install --no-package-lock"),
            (&[("package.json", "not json")], "npm: npm install --no-package-lock"),
            (&[("package.json", pnpm)], "pnpm: pnpm install --no-lockfile"),
            (
                &[("package.json", "{}"), ("pnpm-lock.yaml", "")],
                "pnpm: pnpm install --frozen-lockfile",
            ),
            (&[("package.json", "{}"), ("yarn.lock", "")], "yarn: yarn install --frozen-lockfile"),
            (
                &[("package.json", "{}"), ("yarn.lock", ""), (".yarnrc.yml", "")],
                "yarn: yarn install --immutable",
            ),
            (&[("package.json", "{}"), ("bun.lockb", "")], "bun: bun install --frozen-lockfile"),
            (
                &[("package.json", pnpm), ("package-lock.json", ""), ("pnpm-lock.yaml", "")],
                "pnpm: pnpm install --frozen-lockfile",
            ),
            (&[("package-lock.json", "")], ""),
            (&[("Cargo.toml", ""), ("Cargo.lock", "")], "cargo: cargo fetch --locked"),
            (&[("Cargo.toml", "")], "cargo: cargo fetch"),
            (&[("go.mod", "")], "go: go mod download"),
            (&[("Gemfile", "")], "bundler: bundle install (bundle exec)"),
            (
                &[("Gemfile", ""), ("Gemfile.lock", ""), ("go.mod", "")],
                "go: go mod download, bundler: BUNDLE_FROZEN=true bundle install (bundle exec)",
            ),
        ];
        for (files, expected) in cases {
            let dir = tempfile::tempdir().unwrap();
            for (file, text) in *files {
                fs::write(dir.path().join(file), text).unwrap();
            }
            let found = detect_setup(dir.path());
            assert!(
                found.iter().all(|recipe| dir.path().join(recipe.evidence).is_file()),
                "{found:?}"
            );
            let found: Vec<String> = found
                .iter()
                .map(|recipe| {
                    let prefix =
                        recipe.prefix.map(|prefix| format!(" ({prefix})")).unwrap_or_default();
                    format!("{}: {}{prefix}", recipe.name, recipe.commands.join("; "))
                })
                .collect();
            assert_eq!(found.join(", "), *expected, "{files:?}");
        }
    }
}
