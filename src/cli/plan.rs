//! `orch plan`.

use super::context::Place;
use super::error::CliError;
use super::indexing::Indexing;
use super::prompts::Which;
use crate::config::Decompose;
use crate::plan::{Plan, PlanTask};
use crate::report;
use crate::supervisor::{Options, intake};
use std::path::Path;
use std::process::ExitCode;

/// Analyse prompts and print what would run, in which order and why; runs nothing
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch plan --tasks prompts/*.md\n  orch plan --all-prompts --mermaid\n  orch plan --all-prompts --explain fix-paging"
)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// Processes at the same time, for the estimate.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    jobs: Option<u32>,
    /// Plan for this branch instead of the one checked out.
    #[arg(long, value_name = "BRANCH")]
    into: Option<String>,
    /// Split prompts whose parts touch different files [default: off].
    #[arg(long, value_name = "off|auto|agent[:NAME]")]
    decompose: Option<Decompose>,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Form {
    /// One JSON document (orch.plan/1).
    #[arg(long)]
    json: bool,
    /// Graphviz.
    #[arg(long)]
    dot: bool,
    /// A Mermaid flowchart.
    #[arg(long)]
    mermaid: bool,
    /// Why this task is expected to touch the files it touches: all evidence, with its lines.
    #[arg(long, value_name = "TASK")]
    explain: Option<String>,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (repo, config) = place.configured()?;
    let prompts = args.which.load(place, &repo, &config)?;
    let jobs = args.jobs.or(config.jobs).unwrap_or_else(super::execute::default_jobs);
    let options = Options {
        parallel: true,
        jobs,
        into: args.into.clone(),
        decompose: args.decompose.clone(),
        ..Options::default()
    };
    let indexing = Indexing::new();
    let intake = intake(&repo, &config, prompts, &options, &|done, all| indexing.tell(done, all))?;
    drop(indexing);
    let style = place.style();
    let text = if args.form.json {
        report::plan::json(&intake.plan)
    } else if args.form.dot {
        report::plan::dot(&intake.plan)
    } else if args.form.mermaid {
        report::plan::mermaid(&intake.plan)
    } else if let Some(name) = &args.form.explain {
        let (task, columns) = (task(&intake.plan, name)?, style.width.unwrap_or(100));
        let about = report::plan::about(&intake.plan, &task.name, columns).unwrap_or_default();
        format!("{}\n{about}", report::plan::explain(task, columns))
    } else {
        report::plan::human(&intake.plan, style.width.unwrap_or(100))
    };
    super::status::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The task of this name, or of a prompt file of this name, or the only one that begins so.
fn task<'p>(plan: &'p Plan, name: &str) -> Result<&'p PlanTask, CliError> {
    let stem = |task: &PlanTask| {
        Path::new(&task.prompt).file_stem().map(|stem| stem.to_string_lossy().into_owned())
    };
    let exact = |task: &&PlanTask| task.name == name || stem(task).as_deref() == Some(name);
    let begins = |task: &&PlanTask| {
        task.name.starts_with(name) || stem(task).is_some_and(|stem| stem.starts_with(name))
    };
    if let Some(task) = plan.tasks.iter().find(exact) {
        return Ok(task);
    }
    let found: Vec<&PlanTask> = plan.tasks.iter().filter(begins).collect();
    match found.as_slice() {
        [task] => Ok(task),
        [] => Err(CliError::usage(format!(
            "no task of this plan is called '{name}'; `orch plan` without --explain lists them"
        ))),
        [a, b, ..] => Err(CliError::usage(format!(
            "'{name}' may be {} or {}; write more of the name",
            a.name, b.name
        ))),
    }
}
