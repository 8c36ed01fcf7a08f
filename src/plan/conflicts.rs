//! Why two tasks should not run side by side.
//!
//! Pairs come from an index of paths, never from comparing all tasks. The confidence of a shared path is
//! the product of both sides' confidence, that of a pair the chance that at least one of its paths is
//! really shared. Two tasks that both write through globs that cover a shared path conflict at least
//! as surely as both globs are meant: which of the files each writes is not known, but that they are after the
//! same ones is. One entry per pair: a write-write conflict hides a write-read one.

use super::document::{Conflict, ConflictKind};
use super::error::Problem;
use super::input::{PlanInput, PlanOptions};
use super::pattern::Pattern;
use crate::model::{Access, Target};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::collections::{BTreeMap, HashMap};

/// Paths named per pair; the rest is counted.
const MAX_PATHS: usize = 100;

/// A conflict between two tasks, `first` before `second` in the input.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pair {
    pub first: usize,
    pub second: usize,
    pub kind: ConflictKind,
    /// For write-read: who writes.
    pub writer: usize,
    pub paths: Vec<String>,
    pub path_count: usize,
    pub confidence: f64,
}

impl Pair {
    /// One line for whoever waits.
    pub(super) fn reason(&self) -> String {
        let verb = if self.kind == ConflictKind::WriteWrite {
            "both write"
        } else {
            "one reads what the other writes:"
        };
        let shown = self.paths.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
        match self.path_count.saturating_sub(3) {
            0 => format!("{verb} {shown}"),
            more => format!("{verb} {shown} and {more} more"),
        }
    }

    pub(super) fn document(&self, inputs: &[PlanInput], options: &PlanOptions) -> Conflict {
        Conflict {
            tasks: [inputs[self.first].name.clone(), inputs[self.second].name.clone()],
            kind: self.kind,
            paths: self.paths.clone(),
            path_count: self.path_count,
            confidence: (self.confidence * 100.0).round() / 100.0,
            orders: self.orders(options),
        }
    }

    /// Whether the two must not run at the same time.
    pub(super) fn orders(&self, options: &PlanOptions) -> bool {
        match self.kind {
            ConflictKind::WriteWrite => self.confidence >= options.order_from,
            _ => self.confidence >= options.order_reads_from,
        }
    }
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

/// All conflicts worth reporting, sorted by their tasks.
pub(super) fn find(inputs: &[PlanInput], ignored: &GlobSet, options: &PlanOptions) -> Vec<Pair> {
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
    let mut pairs = Pairs::default();
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
    }
    open_scopes(&scopes, &uses, &mut pairs);
    for covering in inside.values().chain(scopes.iter().map(|(_, users)| users)) {
        pairs.share(covering);
    }
    pairs.finish(options)
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
    for (i, (a, users_a)) in scopes.iter().enumerate() {
        for (j, (b, users_b)) in scopes.iter().enumerate().skip(i + 1) {
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
}

#[derive(Default)]
struct Meeting<'a> {
    paths: Vec<&'a str>,
    count: usize,
    /// The chance that none is shared.
    none: f64,
    /// How surely both are after the same files.
    common: f64,
}

/// Pairs by tasks: write-write, and write-read with the writer first.
#[derive(Default)]
struct Pairs<'a> {
    writes: HashMap<(usize, usize), Meeting<'a>>,
    reads: HashMap<(usize, usize), Meeting<'a>>,
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
        let meeting = kind.entry(key).or_insert(Meeting { none: 1.0, ..Meeting::default() });
        if meeting.paths.last() == Some(&path) {
            return;
        }
        meeting.count += 1;
        meeting.none *= 1.0 - x.confidence * y.confidence;
        if meeting.paths.len() < MAX_PATHS {
            meeting.paths.push(path);
        }
    }

    fn finish(self, options: &PlanOptions) -> Vec<Pair> {
        let pair = |(a, b): (usize, usize), meeting: Meeting<'_>, kind| {
            let mut paths: Vec<String> = meeting.paths.iter().map(|&p| p.to_owned()).collect();
            paths.sort_unstable();
            paths.dedup();
            Pair {
                first: a.min(b),
                second: a.max(b),
                kind,
                writer: a,
                path_count: meeting.count.max(paths.len()),
                paths,
                confidence: (1.0 - meeting.none).max(meeting.common),
            }
        };
        let mut best: BTreeMap<(usize, usize), Pair> = BTreeMap::new();
        let reads = self.reads.into_iter().map(|(key, m)| pair(key, m, ConflictKind::WriteRead));
        // Both directions may be there; the likelier one stands, the earlier writer on a tie.
        for found in reads.filter(|p| p.confidence >= options.report_reads_from) {
            let key = (found.first, found.second);
            let rank = |p: &Pair| (p.confidence, std::cmp::Reverse(p.writer));
            if best.get(&key).is_none_or(|other| rank(other) < rank(&found)) {
                best.insert(key, found);
            }
        }
        let writes = self.writes.into_iter().map(|(key, m)| pair(key, m, ConflictKind::WriteWrite));
        for found in writes.filter(|p| p.confidence >= options.report_from) {
            best.insert((found.first, found.second), found);
        }
        best.into_values().collect()
    }
}
