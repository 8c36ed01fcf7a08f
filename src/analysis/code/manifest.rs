//! What a package says of itself: `Cargo.toml`, `package.json`, `go.mod`, `tsconfig.json`.

use super::Language;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The parts of a manifest that say which file an import means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// The package's name, or the module's path; empty where it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Names of packages it needs, with the directory where it says one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<(String, Option<String>)>,
    /// What the code calls a package that it needs, and the name of that, where the two differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub renamed: Vec<(String, String)>,
    /// Files that stand for the package as a whole, relative to the manifest, the likeliest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<String>,
    /// Patterns of imports and what they stand for, relative to `base`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<(String, Vec<String>)>,
    /// The directory of plain imports, relative to the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Manifests it continues.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extends: Vec<String>,
}

/// Reads one; `None` for what is not one.
pub(super) fn read(language: Language, content: &[u8]) -> Option<Manifest> {
    let text = std::str::from_utf8(content).ok()?;
    match language {
        Language::Cargo => cargo(text),
        Language::Npm => npm(&serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?),
        Language::GoMod => Some(go(text)),
        Language::TsConfig => tsconfig(&serde_json::from_str(&plain_json(text)).ok()?),
        _ => None,
    }
}

fn cargo(text: &str) -> Option<Manifest> {
    let table: toml::Table = text.parse().ok()?;
    let text = |value: Option<&toml::Value>| value.and_then(|v| v.as_str()).map(str::to_owned);
    let package = table.get("package")?;
    let (mut needs, mut names) = (Vec::new(), Vec::new());
    let mut add = |table: &toml::Table| {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in table.get(section).and_then(|s| s.as_table()).into_iter().flatten()
            {
                let renamed = text(value.get("package"));
                names.extend(renamed.clone().map(|package| (name.replace('-', "_"), package)));
                needs.push((renamed.unwrap_or_else(|| name.clone()), text(value.get("path"))));
            }
        }
    };
    add(&table);
    for target in table.get("target").and_then(|t| t.as_table()).into_iter().flatten() {
        target.1.as_table().into_iter().for_each(&mut add);
    }
    let lib = table.get("lib").and_then(|lib| text(lib.get("path")));
    let entries = lib.into_iter().chain(["src/lib.rs".into(), "src/main.rs".into()]).collect();
    let name = text(package.get("name"))?;
    Some(Manifest { name, needs, renamed: names, entries, ..Manifest::default() })
}

fn npm(package: &Value) -> Option<Manifest> {
    let package = package.as_object()?;
    let text = |key: &str| package.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut needs = Vec::new();
    for section in ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"] {
        for (name, value) in package.get(section).and_then(Value::as_object).into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            let dir = value.strip_prefix("file:").or_else(|| value.strip_prefix("link:"));
            needs.push((name.clone(), dir.map(str::to_owned)));
        }
    }
    let mut entries = Vec::new();
    let mut paths = Vec::new();
    for key in ["exports", "imports"] {
        match package.get(key) {
            Some(Value::Object(map)) if map.keys().any(|k| k.starts_with(['.', '#'])) => {
                for (name, value) in map {
                    let mut files = Vec::new();
                    strings(value, 0, &mut files);
                    if name == "." {
                        entries.extend(files);
                    } else {
                        paths.push((name.clone(), files));
                    }
                }
            }
            Some(value) => strings(value, 0, &mut entries),
            None => {}
        }
    }
    entries.extend(["source", "types", "module", "main"].into_iter().filter_map(text));
    Some(Manifest {
        name: text("name").unwrap_or_default(),
        needs,
        entries,
        paths,
        ..Manifest::default()
    })
}

/// All strings of nested conditions (`{ "import": { "types": .. } }`).
fn strings(value: &Value, depth: usize, out: &mut Vec<String>) {
    match value {
        Value::String(text) if !out.contains(text) => out.push(text.clone()),
        Value::Object(map) if depth < 8 => map.values().for_each(|v| strings(v, depth + 1, out)),
        Value::Array(list) if depth < 8 => list.iter().for_each(|v| strings(v, depth + 1, out)),
        _ => {}
    }
}

fn go(text: &str) -> Manifest {
    let mut manifest = Manifest::default();
    let mut block = "";
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        let (verb, mut words) = match (first, block) {
            (")", _) => {
                block = "";
                continue;
            }
            ("", _) => continue,
            (_, "") => (first, words),
            (_, inside) => (inside, line.split_whitespace()),
        };
        if line.ends_with('(') {
            block = if verb == "require" || verb == "replace" { verb } else { "other" };
            continue;
        }
        let name = words.next().unwrap_or_default().trim_matches('"').to_owned();
        match verb {
            "module" => manifest.name = name,
            "require" => manifest.needs.push((name, None)),
            "replace" => {
                let to = words.skip_while(|w| *w != "=>").nth(1).unwrap_or_default();
                if to.starts_with('.') {
                    manifest.needs.push((name, Some(to.to_owned())));
                }
            }
            _ => {}
        }
    }
    manifest
}

fn tsconfig(config: &Value) -> Option<Manifest> {
    let config = config.as_object()?;
    let options = config.get("compilerOptions");
    let strings = |value: Option<&Value>| -> Vec<String> {
        match value {
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(list)) => {
                list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        }
    };
    let paths = options.and_then(|o| o.get("paths")).and_then(Value::as_object);
    Some(Manifest {
        base: options.and_then(|o| o.get("baseUrl")).and_then(Value::as_str).map(str::to_owned),
        paths: paths
            .into_iter()
            .flatten()
            .map(|(pattern, to)| (pattern.clone(), strings(Some(to))))
            .collect(),
        extends: strings(config.get("extends")),
        ..Manifest::default()
    })
}

/// JSON without comments and without commas before a closing bracket.
fn plain_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('"', _) => {
                out.push(c);
                while let Some(c) = chars.next() {
                    out.push(c);
                    match c {
                        '\\' => out.extend(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            ('/', Some('/')) => while chars.next_if(|c| *c != '\n').is_some() {},
            ('/', Some('*')) => {
                chars.next();
                let mut before = ' ';
                for c in chars.by_ref() {
                    if before == '*' && c == '/' {
                        break;
                    }
                    before = c;
                }
            }
            ('}' | ']', _) => {
                if out.trim_end().ends_with(',') {
                    out.truncate(out.trim_end().len() - 1);
                }
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_says_what_it_needs() {
        let text = "[package]\nname = \"a-b\"\n[dependencies]\nc = { path = \"../c\" }\nd = \"1\"\n\
                    [target.'cfg(unix)'.dev-dependencies]\ne = { package = \"real\", version = \"1\" }\n";
        let manifest = read(Language::Cargo, text.as_bytes()).unwrap();
        assert_eq!(manifest.name, "a-b");
        let needs: Vec<_> =
            manifest.needs.iter().map(|(n, d)| (n.as_str(), d.as_deref())).collect();
        assert_eq!(needs, [("c", Some("../c")), ("d", None), ("real", None)]);
        assert_eq!(read(Language::Cargo, b"[workspace]\nmembers = []"), None);
        assert_eq!(read(Language::Cargo, b"[package"), None);
    }

    #[test]
    fn npm_says_what_stands_for_it() {
        let text = br##"{"name": "@x/y", "main": "dist/i.js", "dependencies": {"z": "workspace:*", "w": "file:../w"},
            "exports": {".": {"import": {"types": "./d.ts", "default": "./m.js"}}, "./sub": "./s.js"},
            "imports": {"#a/*": "./src/a/*.ts"}}"##;
        let manifest = read(Language::Npm, text).unwrap();
        assert_eq!(manifest.entries.len(), 3, "{manifest:?}");
        assert_eq!(manifest.paths[0], ("./sub".into(), vec!["./s.js".into()]));
        assert_eq!(manifest.paths[1], ("#a/*".into(), vec!["./src/a/*.ts".into()]));
        assert_eq!(manifest.needs[0], ("w".into(), Some("../w".into())));
        assert_eq!(read(Language::Npm, b"[]"), None);
    }

    #[test]
    fn go_modules() {
        let text = "module example.org/a // it\n\nrequire example.org/b v1.0.0\nrequire (\n\tc.org/d v2 // indirect\n)\n\
                    replace example.org/b => ../b\nexclude (\n\tz v1\n)\n";
        let manifest = read(Language::GoMod, text.as_bytes()).unwrap();
        assert_eq!(manifest.name, "example.org/a");
        let needs: Vec<_> =
            manifest.needs.iter().map(|(n, d)| (n.as_str(), d.as_deref())).collect();
        assert_eq!(
            needs,
            [("example.org/b", None), ("c.org/d", None), ("example.org/b", Some("../b"))]
        );
    }

    #[test]
    fn tsconfig_may_have_comments() {
        let text = "{ // one\n \"extends\": \"./base.json\", /* two */ \"compilerOptions\": {\n\"baseUrl\": \".\",\
                    \"paths\": { \"@/*\": [\"src/*\", \"http://x\",], }, }, }";
        let manifest = read(Language::TsConfig, text.as_bytes()).unwrap();
        assert_eq!(manifest.base.as_deref(), Some("."));
        assert_eq!(manifest.paths, [("@/*".into(), vec!["src/*".into(), "http://x".into()])]);
        assert_eq!(manifest.extends, ["./base.json"]);
        for broken in ["{\"a", "/*", "//", "\"\\", ",}"] {
            assert_eq!(read(Language::TsConfig, broken.as_bytes()), None, "{broken}");
        }
    }
}
