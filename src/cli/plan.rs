//! `orch plan`.

use super::context::Place;
use super::error::CliError;
use super::indexing::Indexing;
use super::prompts::Which;
use crate::config::Decompose;
use crate::report;
use crate::supervisor::{Options, intake};
use std::process::ExitCode;

/// Analyse prompts and print what would run, in which order and why; runs nothing
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch plan --tasks prompts/*.md\n  orch plan --all-prompts --mermaid"
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
    } else {
        report::plan::human(&intake.plan, style.width.unwrap_or(100))
    };
    super::status::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
