//! Why two tasks should not run side by side.
//!
//! Pairs come from an index of paths, never from comparing all tasks. The confidence of a shared path is
//! the product of both sides' confidence, that of a pair the chance that at least one of its paths is
//! really shared. Two tasks that both write through globs that cover a shared path conflict at least
//! as surely as both globs are meant: which of the files each writes is not known, but that they are after the
//! same ones is. A path that merges by itself (`hot`) counts for the report and not for the order. An
//! import is as sure as its surest path: what imports a file once often imports it again.
//!
//! One entry per pair: a write-write conflict hides a write-read one, and that an import. What is too
//! weak for the report becomes a note of both tasks.

use super::document::{Conflict, ConflictKind, Note};
use super::error::Problem;
use super::input::{PlanInput, PlanOptions};
use super::pattern::Pattern;
use crate::model::{Access, Target, Threshold, Thresholds};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;

/// Paths named per pair; the rest is counted.
const MAX_PATHS: usize = 100;

/// Paths named in a reason; the rest is counted.
const SHOWN: usize = 3;

/// Confidence from which a conflict is said to be there: it is more likely than not.
const LIKELY: f64 = 0.5;

/// Confidence below which a conflict is not even a note, and a path not named beside surer ones.
const NOTE_FROM: f64 = 0.15;
/// Notes kept per task, the surest.
const MAX_NOTES: usize = 5;

/// A conflict between two tasks, `first` before `second` in the input.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pair {
    pub first: usize,
    pub second: usize,
    pub kind: ConflictKind,
    /// For what is not write-write: who writes.
    pub writer: usize,
    /// The surest first; those that are a mere possibility only where nothing else is shared.
    pub paths: Vec<String>,
    pub path_count: usize,
    pub confidence: f64,
    /// The confidence without the paths that merge by themselves.
    pub hard: f64,
    /// Paths that merge by themselves.
    pub merges: Vec<String>,
    /// Those of `paths` that both make and that do not exist yet, from the front.
    pub creates: usize,
    /// For an import: the file that imports, and its line.
    pub import: Option<(String, u32)>,
}

impl Pair {
    /// One line for whoever waits.
    pub(super) fn reason(&self) -> String {
        let shown = |paths: &[String]| paths.join(", ");
        let paths = &self.paths[..self.paths.len().min(SHOWN)];
        let (made, written) = paths.split_at(self.creates.min(paths.len()));
        let may = if self.confidence < LIKELY { "may " } else { "" };
        let said = match (self.kind, &self.import, paths) {
            (ConflictKind::Import, Some((by, line)), [first, ..]) => {
                let said = format!("{by}:{line} imports {first}");
                return match self.path_count.saturating_sub(1) {
                    0 => said,
                    more => format!("{said}, and {more} more like that"),
                };
            }
            (ConflictKind::WriteWrite, ..) if made.is_empty() => {
                format!("both {may}write {}", shown(written))
            }
            (ConflictKind::WriteWrite, ..) if written.is_empty() => {
                format!("both {may}create {}", shown(made))
            }
            (ConflictKind::WriteWrite, ..) => {
                format!("both {may}create {} and write {}", shown(made), shown(written))
            }
            _ => format!("one reads what the other writes: {}", shown(paths)),
        };
        match self.path_count.saturating_sub(paths.len()) {
            0 => said,
            more => format!("{said} and {more} more"),
        }
    }

    pub(super) fn document(&self, inputs: &[PlanInput], options: &PlanOptions) -> Conflict {
        let orders = self.orders(&options.thresholds);
        let held = self.hard < self.confidence
            && self.confidence >= self.threshold(&options.thresholds).order;
        let hint = (!orders && held).then(|| {
            let merged: Vec<&str> = self.merges.iter().take(3).map(String::as_str).collect();
            let why = self
                .merges
                .first()
                .and_then(|path| super::hot::judge(path, options.hot.get(path)?));
            let why = why.map(|hot| format!(": {}", hot.reason)).unwrap_or_default();
            format!("merges by itself: {}{why}", merged.join(", "))
        });
        Conflict {
            tasks: [inputs[self.first].name.clone(), inputs[self.second].name.clone()],
            kind: self.kind,
            paths: self.paths.clone(),
            path_count: self.path_count,
            confidence: rounded(self.confidence),
            orders,
            reason: self.reason(),
            hint,
        }
    }

    fn threshold(&self, thresholds: &Thresholds) -> Threshold {
        match self.kind {
            ConflictKind::WriteWrite => thresholds.writes,
            ConflictKind::WriteRead => thresholds.reads,
            ConflictKind::Import => thresholds.imports,
        }
    }

    /// Whether the two must not run at the same time.
    pub(super) fn orders(&self, thresholds: &Thresholds) -> bool {
        self.hard >= self.threshold(thresholds).order
    }

    /// Whether it is listed. What orders always is.
    fn reported(&self, thresholds: &Thresholds) -> bool {
        let Threshold { order, report } = self.threshold(thresholds);
        self.confidence >= report.min(order)
    }
}

fn rounded(confidence: f64) -> f64 {
    (confidence * 100.0).round() / 100.0
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Sorted by their tasks.
    pub pairs: Vec<Pair>,
    /// For each task, the surest first.
    pub notes: Vec<Vec<Note>>,
}

/// The patterns of paths that never conflict.
pub(super) fn ignored(globs: &[String]) -> (Option<GlobSet>, Vec<Problem>) {
    let mut builder = GlobSetBuilder::new();
    let mut problems = Vec::new();
    let bad = |glob: &str, why: &globset::Error| Problem::BadIgnore {
        glob: glob.to_owned(),
        why: why.kind().to_string(),
    };
    for glob in globs {
        match GlobBuilder::new(glob).literal_separator(true).build() {
            Ok(parsed) => {
                builder.add(parsed);
            }
            Err(why) => problems.push(bad(glob, &why)),
        }
    }
    match builder.build() {
        Ok(set) => (Some(set), problems),
        Err(why) => {
            problems.push(bad(&globs.join(", "), &why));
            (None, problems)
        }
    }
}

/// One task's use of a path.
#[derive(Clone, Copy)]
struct Use {
    task: usize,
    access: Access,
    confidence: f64,
}

impl Use {
    fn of(task: usize, target: &Target) -> Self {
        Self { task, access: target.access, confidence: target.confidence }
    }
}

/// All conflicts worth a word.
pub(super) fn find(inputs: &[PlanInput], ignored: &GlobSet, options: &PlanOptions) -> Found {
    let ready = || inputs.iter().enumerate().filter(|(_, input)| input.skip_reason.is_none());
    let mut uses: BTreeMap<&str, Vec<Use>> = BTreeMap::new();
    let mut scopes: BTreeMap<&str, Vec<Use>> = BTreeMap::new();
    for (task, input) in ready() {
        let touched = input.targets.iter().chain(&input.possible);
        for target in touched.filter(|t| !ignored.is_match(&t.path)) {
            uses.entry(&target.path).or_default().push(Use::of(task, target));
        }
        for scope in input.scopes.iter().filter(|s| !ignored.is_match(&s.path)) {
            scopes.entry(&scope.path).or_default().push(Use::of(task, scope));
        }
    }
    let scopes: Vec<(Pattern, Vec<Use>)> =
        scopes.into_iter().map(|(glob, uses)| (Pattern::new(glob), uses)).collect();
    let mut pairs = Pairs { inputs, mergeable: mergeable(options), ..Pairs::default() };
    let mut inside: BTreeMap<&str, Vec<Use>> = BTreeMap::new();
    for (pattern, covered) in &scopes {
        let literal = pattern.literal();
        for (path, _) in uses.range(literal..).take_while(|(path, _)| path.starts_with(literal)) {
            if pattern.matches(path) {
                inside.entry(path).or_default().extend(covered);
            }
        }
    }
    for (path, users) in &uses {
        let covering = inside.get(path).map_or(&[][..], Vec::as_slice);
        pairs.meet(path, users, covering);
        pairs.below(path, users, &uses);
    }
    open_scopes(&scopes, &uses, &mut pairs);
    for covering in inside.values().chain(scopes.iter().map(|(_, users)| users)) {
        pairs.share(covering);
    }
    for (task, input) in ready() {
        pairs.imports(task, input, &uses);
    }
    pairs.finish(options)
}

fn mergeable(options: &PlanOptions) -> HashSet<&str> {
    let merges = |path: &&String| {
        let hot = options.hot.get(*path).and_then(|facts| super::hot::judge(path, facts));
        hot.is_some_and(|hot| hot.mergeable)
    };
    options.hot.keys().filter(merges).map(String::as_str).collect()
}

/// Globs that stand for files that are not listed meet other globs as patterns.
fn open_scopes<'a>(
    scopes: &'a [(Pattern, Vec<Use>)],
    uses: &BTreeMap<&str, Vec<Use>>,
    pairs: &mut Pairs<'a>,
) {
    let open: Vec<bool> =
        scopes.iter().map(|(pattern, _)| uses.contains_key(pattern.text())).collect();
    // A glob that a task as a whole only reads is no place for a write of it.
    let denies = |glob: &str, user: &Use| {
        user.access == Access::Write
            && uses.get(glob).is_some_and(|all| {
                all.iter().any(|target| target.task == user.task && target.access == Access::Read)
            })
    };
    for (i, j) in nested(scopes) {
        let ((a, users_a), (b, users_b)) = (&scopes[i], &scopes[j]);
        if (open[i] || open[j]) && a.overlaps(b) {
            let narrow = if a.text().len() >= b.text().len() { a } else { b };
            let takes_part = |user: &&Use| !denies(narrow.text(), user);
            for x in users_a.iter().filter(takes_part) {
                for y in users_b.iter().filter(takes_part) {
                    pairs.add(narrow.text(), *x, *y);
                }
            }
        }
    }
}

/// The pairs of globs of which one begins with the literal beginning of the other: no others can overlap.
/// The globs are sorted, so that those of one beginning are neighbours.
fn nested(scopes: &[(Pattern, Vec<Use>)]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (i, (outer, _)) in scopes.iter().enumerate() {
        let literal = outer.literal();
        let start = scopes.partition_point(|(pattern, _)| pattern.text() < literal);
        let inside = scopes[start..].iter().take_while(|(p, _)| p.text().starts_with(literal));
        for (j, (inner, _)) in (start..).zip(inside) {
            // Two of one beginning find each other twice.
            if i < j || (i > j && inner.literal() != literal) {
                pairs.push((i.min(j), i.max(j)));
            }
        }
    }
    pairs.sort_unstable();
    pairs
}

struct Meeting<'a> {
    paths: Vec<Shared<'a>>,
    /// How many are worth naming.
    count: usize,
    /// The chance that none is shared.
    none: f64,
    /// The same without those that merge by themselves.
    none_hard: f64,
    /// How surely both are after the same files.
    common: f64,
    merges: Vec<&'a str>,
    import: Option<(&'a str, u32)>,
}

/// A path that both use.
#[derive(Clone, Copy)]
struct Shared<'a> {
    path: &'a str,
    /// The product of both sides' confidence.
    confidence: f64,
    /// Whether both make it.
    created: bool,
    /// Whether it merges by itself.
    merges: bool,
}

impl<'a> Meeting<'a> {
    /// Keeps the surest of very many.
    fn keep(&mut self, shared: Shared<'a>) {
        self.count += usize::from(shared.confidence >= NOTE_FROM);
        if self.paths.len() < MAX_PATHS {
            self.paths.push(shared);
            return;
        }
        let least = self.paths.iter_mut().min_by(|a, b| a.confidence.total_cmp(&b.confidence));
        if let Some(least) = least.filter(|least| least.confidence < shared.confidence) {
            *least = shared;
        }
    }

    /// What is worth naming: what both create first, then what does not merge by itself, the surest.
    fn named(&self) -> Vec<Shared<'a>> {
        let mut named = self.paths.clone();
        named.sort_by(|a, b| {
            b.created
                .cmp(&a.created)
                .then(a.merges.cmp(&b.merges))
                .then(b.confidence.total_cmp(&a.confidence))
                .then(a.path.cmp(b.path))
        });
        named.dedup_by(|a, b| a.path == b.path);
        if named.iter().any(|shared| shared.confidence >= NOTE_FROM) {
            named.retain(|shared| shared.confidence >= NOTE_FROM);
        } else {
            named.truncate(SHOWN);
        }
        named
    }
}

impl Default for Meeting<'_> {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            count: 0,
            none: 1.0,
            none_hard: 1.0,
            common: 0.0,
            merges: Vec::new(),
            import: None,
        }
    }
}

/// Pairs by tasks: write-write, and the others with the writer first.
#[derive(Default)]
struct Pairs<'a> {
    inputs: &'a [PlanInput],
    mergeable: HashSet<&'a str>,
    writes: HashMap<(usize, usize), Meeting<'a>>,
    reads: HashMap<(usize, usize), Meeting<'a>>,
    imports: HashMap<(usize, usize), Meeting<'a>>,
}

impl<'a> Pairs<'a> {
    fn meet(&mut self, path: &'a str, users: &[Use], covering: &[Use]) {
        for (i, x) in users.iter().enumerate() {
            for y in &users[i + 1..] {
                self.add(path, *x, *y);
            }
            for y in covering.iter().filter(|y| !users.iter().any(|user| user.task == y.task)) {
                self.add(path, *x, *y);
            }
        }
    }

    /// What is a file for one task and a directory for another cannot be both.
    fn below(&mut self, path: &str, users: &[Use], all: &BTreeMap<&'a str, Vec<Use>>) {
        if path.ends_with('/') {
            return;
        }
        let start = format!("{path}/");
        let from = (Bound::Included(start.as_str()), Bound::Unbounded);
        let inside = all.range::<str, _>(from).take_while(|(other, _)| other.starts_with(&start));
        for (other, more) in inside {
            for (x, y) in users.iter().flat_map(|x| more.iter().map(move |y| (*x, *y))) {
                self.add(other, x, y);
            }
        }
    }

    /// Scopes that share a path.
    fn share(&mut self, covering: &[Use]) {
        for (i, x) in covering.iter().enumerate() {
            for y in &covering[i + 1..] {
                self.at_least(*x, *y);
            }
        }
    }

    /// Two scopes that meet: what is known of the pair already counts at least as much as they do.
    fn at_least(&mut self, x: Use, y: Use) {
        let key = (x.task.min(y.task), x.task.max(y.task));
        if let (Access::Write, Access::Write, Some(meeting)) =
            (x.access, y.access, self.writes.get_mut(&key))
        {
            meeting.common = meeting.common.max(x.confidence * y.confidence);
        }
    }

    fn add(&mut self, path: &'a str, x: Use, y: Use) {
        if x.task == y.task {
            return;
        }
        let (key, kind) = match (x.access, y.access) {
            (Access::Read, Access::Read) => return,
            (Access::Write, Access::Write) => {
                ((x.task.min(y.task), x.task.max(y.task)), &mut self.writes)
            }
            (Access::Write, Access::Read) => ((x.task, y.task), &mut self.reads),
            (Access::Read, Access::Write) => ((y.task, x.task), &mut self.reads),
        };
        let meeting = kind.entry(key).or_default();
        if meeting.paths.last().is_some_and(|last| last.path == path) {
            return;
        }
        let confidence = x.confidence * y.confidence;
        let apart = 1.0 - confidence;
        meeting.none *= apart;
        let creates = |task: usize| self.inputs[task].creates.contains(path);
        let both_create = creates(x.task) && creates(y.task);
        let merges = self.mergeable.contains(path) && !both_create;
        if merges {
            meeting.merges.push(path);
        } else {
            meeting.none_hard *= apart;
        }
        meeting.keep(Shared { path, confidence, created: both_create, merges });
    }

    /// What others write that the files of `task` import.
    fn imports(&mut self, task: usize, input: &'a PlanInput, uses: &BTreeMap<&'a str, Vec<Use>>) {
        if input.imports.is_empty() {
            return;
        }
        let sure: HashMap<&str, f64> = input
            .targets
            .iter()
            .filter(|target| target.access == Access::Write)
            .map(|target| (target.path.as_str(), target.confidence))
            .collect();
        for import in &input.imports {
            let Some(own) = sure.get(import.by.as_str()) else { continue };
            let writers = uses.get(import.path.as_str()).into_iter().flatten();
            for writer in writers.filter(|u| u.access == Access::Write && u.task != task) {
                let meeting = self.imports.entry((writer.task, task)).or_default();
                let confidence = own * writer.confidence;
                let apart = 1.0 - confidence;
                let shared =
                    Shared { path: &import.path, confidence, created: false, merges: false };
                if meeting.import.is_none() || apart < meeting.none {
                    (meeting.none, meeting.none_hard) = (apart, apart);
                    meeting.import = Some((&import.by, import.line));
                    // The first path is the one that the line imports.
                    meeting.paths.retain(|other| other.path != import.path);
                    meeting.paths.insert(0, shared);
                } else if meeting.paths.len() < MAX_PATHS
                    && !meeting.paths.iter().any(|other| other.path == import.path)
                {
                    meeting.paths.push(shared);
                }
            }
        }
    }

    fn finish(self, options: &PlanOptions) -> Found {
        let thresholds = &options.thresholds;
        let pair = |(a, b): (usize, usize), meeting: Meeting<'_>, kind| {
            let is_import = kind == ConflictKind::Import;
            let named = if is_import { meeting.paths.clone() } else { meeting.named() };
            let paths: Vec<String> = named.iter().map(|shared| shared.path.to_owned()).collect();
            let path_count = meeting.count.max(paths.len());
            let mut merges: Vec<String> = meeting.merges.iter().map(|&p| p.to_owned()).collect();
            merges.sort_unstable();
            Pair {
                first: a.min(b),
                second: a.max(b),
                kind,
                writer: a,
                path_count,
                paths,
                confidence: (1.0 - meeting.none).max(meeting.common),
                hard: if meeting.none_hard < 1.0 {
                    (1.0 - meeting.none_hard).max(meeting.common)
                } else {
                    0.0
                },
                merges,
                creates: named.iter().take_while(|shared| shared.created).count(),
                import: meeting.import.map(|(by, line)| (by.to_owned(), line)),
            }
        };
        let mut best: BTreeMap<(usize, usize), Pair> = BTreeMap::new();
        let mut weak: BTreeMap<(usize, usize), Pair> = BTreeMap::new();
        // Both directions may be there; the likelier one stands, the earlier writer on a tie.
        let rank =
            |p: &Pair| (p.kind != ConflictKind::Import, p.confidence, std::cmp::Reverse(p.writer));
        let imports = self.imports.into_iter().map(|(key, m)| pair(key, m, ConflictKind::Import));
        let reads = self.reads.into_iter().map(|(key, m)| pair(key, m, ConflictKind::WriteRead));
        for found in imports.chain(reads) {
            let key = (found.first, found.second);
            let place = if found.reported(thresholds) {
                &mut best
            } else if found.confidence >= NOTE_FROM {
                &mut weak
            } else {
                continue;
            };
            if place.get(&key).is_none_or(|other| rank(other) < rank(&found)) {
                place.insert(key, found);
            }
        }
        for (key, meeting) in self.writes {
            let found = pair(key, meeting, ConflictKind::WriteWrite);
            if found.reported(thresholds) {
                best.insert(key, found);
            } else if found.confidence >= NOTE_FROM {
                weak.insert(key, found);
            }
        }
        weak.retain(|key, _| !best.contains_key(key));
        Found {
            notes: self::notes(self.inputs, weak.values()),
            pairs: best.into_values().collect(),
        }
    }
}

fn notes<'p>(inputs: &[PlanInput], weak: impl Iterator<Item = &'p Pair>) -> Vec<Vec<Note>> {
    let mut notes: Vec<Vec<Note>> = vec![Vec::new(); inputs.len()];
    for pair in weak {
        for (task, other) in [(pair.first, pair.second), (pair.second, pair.first)] {
            notes[task].push(Note {
                kind: Some(pair.kind),
                task: Some(inputs[other].name.clone()),
                confidence: Some(rounded(pair.confidence)),
                text: pair.reason(),
            });
        }
    }
    for notes in &mut notes {
        notes.sort_by(|a, b| {
            b.confidence.partial_cmp(&a.confidence).unwrap_or(std::cmp::Ordering::Equal)
        });
        notes.truncate(MAX_NOTES);
    }
    notes
}
