//! What each task touches -> what collides, what waits for what, what runs side by side.
//!
//! Promise: the same input gives the same plan, byte for byte; declared dependencies are barriers; two
//! tasks that will very likely write the same file never run at the same time; a plan that cannot
//! be carried out is refused with every reason at once.
//! Never: I/O, clocks, or knowledge of prompts and repositories.
//!
//! The way: `input` -> `names` (dependencies resolved, cycles refused) -> `conflicts` (inverted index
//! of paths) -> `order` (conflicts directed, nothing implied twice, waves) -> `estimate` -> `document`.

mod conflicts;
mod document;
mod error;
mod estimate;
mod input;
mod names;
mod order;
mod pattern;

#[cfg(test)]
mod tests;

pub use document::{
    Conflict, ConflictKind, Estimate, Plan, PlanDependency, PlanTask, PlanTaskState, SCHEMA,
};
pub use error::{CycleStep, Location, PlanError, Problem};
pub use estimate::default_seconds;
pub use input::{Declared, PlanInput, PlanOptions};

use crate::model::DependencyKind;
use order::Because;

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
    let seconds: Vec<f64> = inputs.iter().map(|input| estimate::of_task(input, options)).collect();
    let order = order::order(&inputs, &resolved.declared, &found, &seconds, options);
    let estimate = estimate::of_plan(&inputs, &seconds, &order, options.jobs);

    let names: Vec<String> = inputs.iter().map(|input| input.name.clone()).collect();
    let name = |task: usize| names[task].clone();
    let dependencies: Vec<Vec<PlanDependency>> = order
        .before
        .iter()
        .enumerate()
        .map(|(task, before)| {
            before
                .iter()
                .map(|edge| PlanDependency {
                    task: name(edge.task),
                    kind: match edge.because {
                        Because::Declared(_) => DependencyKind::Declared,
                        Because::Conflict(_) => DependencyKind::Conflict,
                    },
                    reason: match edge.because {
                        Because::Declared(line) => declared_reason(&inputs[task].prompt, line),
                        Because::Conflict(conflict) => found[conflict].reason(),
                    },
                })
                .collect()
        })
        .collect();
    let conflicts = found.iter().map(|conflict| conflict.document(&inputs, options)).collect();
    let satisfied = resolved.satisfied;
    let tasks = inputs
        .into_iter()
        .zip(dependencies)
        .zip(satisfied)
        .zip(seconds)
        .map(|(((input, depends_on), satisfied), estimate_seconds)| PlanTask {
            state: PlanTaskState::of(&input),
            name: input.name,
            prompt: input.prompt,
            title: input.title,
            skip_reason: input.skip_reason,
            work_type: input.work_type,
            complexity: input.complexity,
            priority: input.priority,
            targets: input.targets,
            depends_on,
            satisfied: satisfied.into_iter().map(name).collect(),
            estimate_seconds,
        })
        .collect();
    let list = |tasks: &[usize]| tasks.iter().map(|&task| name(task)).collect::<Vec<_>>();
    Ok(Plan {
        schema: SCHEMA,
        base: base.to_owned(),
        tasks,
        conflicts,
        waves: order.waves.iter().map(|wave| list(wave)).collect(),
        critical_path: list(&estimate.critical_path),
        estimate: Estimate {
            sequential_seconds: estimate.sequential,
            parallel_seconds: estimate.parallel,
            jobs: options.jobs,
        },
        start_order: order.waves.concat(),
        smart_order: estimate.longest_first,
    })
}

fn declared_reason(prompt: &str, line: Option<u32>) -> String {
    match line {
        Some(line) => format!("declared in {prompt}:{line}"),
        None => format!("declared in {prompt}"),
    }
}
