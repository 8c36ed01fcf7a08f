//! What each task touches -> what collides, what waits for what, what runs side by side.
//!
//! Promise: the same input gives the same plan, byte for byte; declared dependencies are barriers; two
//! tasks that will very likely write the same file never run at the same time; a plan that cannot
//! be carried out is refused with every reason at once.
//! Never: I/O, clocks, or knowledge of prompts and repositories.
//!
//! The way: `input` -> `names` (dependencies resolved, cycles refused) -> `conflicts` (inverted index
//! of paths; `hot` says which files merge by themselves) -> `estimate` (seconds a task) -> `order`
//! (conflicts directed, nothing implied twice, waves) -> `schedule` -> `groups` -> `document`.

mod conflicts;
mod document;
mod error;
mod estimate;
mod groups;
mod hot;
mod input;
mod names;
mod order;
mod pattern;
mod schedule;

#[cfg(test)]
mod tests;

pub use document::{
    Conflict, ConflictKind, Decomposition, Estimate, Group, GroupKind, Note, Plan, PlanDependency,
    PlanTask, PlanTaskState, SCHEMA,
};
pub use error::{CycleStep, Location, PlanError, Problem};
pub use estimate::{Finished, History, default_seconds};
pub use hot::{HotFacts, HotFile};
pub use input::{Declared, Import, PlanInput, PlanOptions, Risk};

use crate::model::{Access, DependencyKind, Target};
use estimate::Guess;
use order::Because;
use std::collections::BTreeMap;

/// Paths that more than one task writes, those that most tasks write first: it matters whether they are
/// hot.
#[must_use]
pub fn contested(inputs: &[PlanInput]) -> Vec<String> {
    let mut writers: BTreeMap<&str, u32> = BTreeMap::new();
    for input in inputs.iter().filter(|input| input.skip_reason.is_none()) {
        for target in input.targets.iter().filter(|t| t.access == Access::Write) {
            *writers.entry(&target.path).or_default() += 1;
        }
    }
    let mut several: Vec<(&str, u32)> = writers.into_iter().filter(|(_, n)| *n > 1).collect();
    several.sort_by_key(|(_, writers)| std::cmp::Reverse(*writers));
    several.into_iter().map(|(path, _)| path.to_owned()).collect()
}

/// Makes the plan.
///
/// # Errors
/// Everything that is wrong with the dependencies or the options, at once.
pub fn build(base: &str, inputs: Vec<PlanInput>, options: &PlanOptions) -> Result<Plan, PlanError> {
    let (ignored, mut problems) = conflicts::ignored(&options.ignore);
    let resolved = names::resolve(&inputs);
    problems.extend(resolved.problems);
    let ignored = match ignored {
        Some(ignored) if problems.is_empty() => ignored,
        _ => return Err(PlanError(problems)),
    };
    let found = conflicts::find(&inputs, &ignored, options);
    let guesses: Vec<Guess> =
        inputs.iter().map(|input| estimate::of_task(input, &options.history)).collect();
    let seconds: Vec<f64> = guesses.iter().map(|guess| guess.seconds).collect();
    let order = order::order(&inputs, &resolved.declared, &found.pairs, &seconds, options);
    let durations = schedule::of_plan(&inputs, &seconds, &order, options.jobs);
    let groups = groups::groups(&inputs, &order);
    let hot_files: Vec<HotFile> = options
        .hot
        .iter()
        .filter(|(path, _)| !ignored.is_match(path))
        .filter_map(|(path, facts)| hot::judge(path, facts))
        .collect();

    let names: Vec<String> = inputs.iter().map(|input| input.name.clone()).collect();
    let name = |task: usize| names[task].clone();
    let dependencies: Vec<Vec<PlanDependency>> = order
        .before
        .iter()
        .enumerate()
        .map(|(task, before)| {
            before
                .iter()
                .map(|edge| {
                    let (kind, reason) = match edge.because {
                        Because::Declared(at) => {
                            (DependencyKind::Declared, declared_reason(&inputs[task], at))
                        }
                        Because::Conflict(at) => {
                            let pair = &found.pairs[at];
                            let kind = match pair.kind {
                                ConflictKind::Import => DependencyKind::Import,
                                _ => DependencyKind::Conflict,
                            };
                            (kind, pair.reason())
                        }
                    };
                    PlanDependency { task: name(edge.task), kind, reason }
                })
                .collect()
        })
        .collect();
    let conflicts =
        found.pairs.iter().map(|conflict| conflict.document(&inputs, options)).collect();
    let estimate = estimate(&guesses, &durations, &order, options.jobs);
    let satisfied = resolved.satisfied;
    let tasks = inputs
        .into_iter()
        .zip(dependencies)
        .zip(satisfied)
        .zip(guesses)
        .zip(found.notes)
        .map(|((((input, depends_on), satisfied), guess), notes)| PlanTask {
            state: PlanTaskState::of(&input),
            name: input.name,
            prompt: input.prompt,
            title: input.title,
            skip_reason: input.skip_reason,
            work_type: input.work_type,
            complexity: input.complexity,
            priority: input.priority,
            risks: input.risks.into_iter().chain(hot_risk(&input.targets, &hot_files)).collect(),
            targets: input.targets,
            packages: input.packages,
            depends_on,
            satisfied: satisfied.into_iter().map(name).collect(),
            estimate_seconds: guess.seconds,
            estimate_low_seconds: guess.spread.map(|(low, _)| low),
            estimate_high_seconds: guess.spread.map(|(_, high)| high),
            estimate_from: guess.from,
            agent: input.agent,
            reasons: input.reasons,
            research: input.research,
            notes: notes.into_iter().chain(input.remarks.into_iter().map(remark)).collect(),
            part_of: input.part_of,
        })
        .collect();
    let list = |tasks: &[usize]| tasks.iter().map(|&task| name(task)).collect::<Vec<_>>();
    Ok(Plan {
        schema: SCHEMA,
        base: base.to_owned(),
        tasks,
        conflicts,
        waves: order.waves.iter().map(|wave| list(wave)).collect(),
        groups,
        hot_files,
        decompositions: Vec::new(),
        critical_path: list(&durations.critical_path),
        estimate,
        start_order: order.waves.concat(),
        smart_order: durations.longest_first,
    })
}

/// Said of the first hot file that a task writes.
fn hot_risk(targets: &[Target], hot_files: &[HotFile]) -> Option<Risk> {
    let written = |path: &str| targets.iter().any(|t| t.access == Access::Write && t.path == path);
    let hot = hot_files.iter().find(|hot| written(&hot.path))?;
    let reason = format!("writes {}, a {} that others write too", hot.path, hot.kind);
    Some(Risk { kind: "hot_file".to_owned(), reason })
}

fn remark(text: String) -> Note {
    Note { kind: None, task: None, confidence: None, text }
}

fn estimate(
    guesses: &[Guess],
    durations: &schedule::Durations,
    order: &order::Order,
    jobs: u32,
) -> Estimate {
    let known = guesses.iter().any(|guess| guess.spread.is_some());
    let with = |end: fn((f64, f64)) -> f64| {
        let seconds: Vec<f64> =
            guesses.iter().map(|guess| guess.spread.map_or(guess.seconds, end)).collect();
        known.then(|| schedule::parallel_seconds(&durations.longest_first, &seconds, order, jobs))
    };
    let (sequential, parallel) = (durations.sequential, durations.parallel);
    Estimate {
        sequential_seconds: sequential,
        parallel_seconds: parallel,
        jobs,
        speed_up: if parallel > 0.0 {
            (sequential / parallel * 100.0).round() / 100.0
        } else {
            1.0
        },
        low_seconds: with(|(low, _)| low),
        high_seconds: with(|(_, high)| high),
    }
}

fn declared_reason(input: &PlanInput, at: usize) -> String {
    let prompt = &input.prompt;
    let Some(declared) = input.declared.get(at) else { return format!("declared in {prompt}") };
    let place = match declared.line {
        Some(line) => format!("{prompt}:{line}"),
        None => prompt.clone(),
    };
    match &declared.words {
        Some(words) => format!("declared in {place}: \"{words}\""),
        None => format!("declared in {place}"),
    }
}
