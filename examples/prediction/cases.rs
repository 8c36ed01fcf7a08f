//! The cases, with the repository as it was before each.

use crate::world::{World, Worlds};
use orch::analysis::Request;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Cases that one plan is made of.
pub const GROUP: usize = 8;

/// A change that was made.
pub struct Case {
    pub name: String,
    pub files: BTreeSet<String>,
    pub body: String,
    pub body_line: u32,
    /// Files that the prompt names outright: the plain baseline.
    pub named: BTreeSet<String>,
}

impl Case {
    pub fn request(&self) -> Request<'_> {
        Request {
            name: &self.name,
            title: "",
            body: &self.body,
            body_line: self.body_line,
            files: &[],
            files_line: None,
            reads: &[],
            reads_line: None,
        }
    }
}

/// The cases of one repository, in time.
pub struct Corpus {
    pub name: String,
    pub cases: Vec<(Case, Rc<World>)>,
    ignored: Option<String>,
}

#[derive(serde::Deserialize)]
struct Line {
    name: String,
    base: String,
    files: Vec<String>,
    prompt: String,
}

impl Corpus {
    pub fn load(git_dir: &str, cases: &str, options: &crate::Options) -> Self {
        let text = std::fs::read_to_string(cases).unwrap();
        let lines: Vec<Line> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let mut worlds = Worlds::open(git_dir);
        let mut all = Vec::new();
        for together in lines.chunks(GROUP) {
            for line in together {
                let base =
                    if options.group { &together[together.len() - 1].base } else { &line.base };
                let world = worlds.at(base);
                let mut case = case(line, &world);
                let ignored = options.ignore.as_deref();
                case.named.retain(|path| ignored.is_none_or(|prefix| !path.starts_with(prefix)));
                all.push((case, world));
            }
        }
        Self {
            name: cases.rsplit('/').next().unwrap().to_owned(),
            cases: all,
            ignored: options.ignore.clone(),
        }
    }

    /// Whether the cases say of this path whether it changed.
    pub fn counts(&self, path: &str) -> bool {
        self.ignored.as_ref().is_none_or(|prefix| !path.starts_with(prefix))
    }

    pub fn len(&self) -> usize {
        self.cases.len()
    }

    pub fn groups(&self) -> usize {
        self.cases.len().div_ceil(GROUP)
    }
}

fn case(line: &Line, world: &World) -> Case {
    // Front matter of some other tool says nothing to us; what is ours the cases do not have.
    let (above, body) =
        match line.prompt.strip_prefix("---\n").and_then(|p| p.split_once("\n---\n")) {
            Some((front, body)) => (front.lines().count() + 2, body),
            None => (0, line.prompt.as_str()),
        };
    Case {
        name: line.name.clone(),
        files: line.files.iter().cloned().collect(),
        body: body.to_owned(),
        body_line: u32::try_from(above + 1).unwrap(),
        named: world.named(&line.prompt),
    }
}
