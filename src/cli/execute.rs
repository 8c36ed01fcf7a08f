//! `orch execute`: the main job.

use super::context::{self, Place};
use super::error::{CliError, Kind};
use super::indexing::Indexing;
use super::merge;
use super::prompts::Which;
use crate::config::Decompose;
use crate::engine::State;
use crate::model::{MergeMode, RunSpec, RunState, TaskState, TaskView, parse_duration};
use crate::process::SupervisorLock;
use crate::report::{self, Ndjson, Style, live::Live};
use crate::supervisor::{
    Intake, Ledger, Observer, Options, Supervisor, TimeLimit, World, intake, run_spec,
    store_prompts,
};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Run prompts, each in a worktree, on a branch and under a supervised process of its own
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch execute --parallel --tasks prompts/a.md prompts/b.md\n  orch execute --parallel \
                  --jobs 4 --verify 'cargo test' --all-prompts\n\nCtrl-C once lets what runs finish and starts \
                  nothing new; twice stops everything.\nEither way `orch resume` goes on later.\n\nWhat is not said \
                  here, orch.toml says (see: orch init). Do not redirect the output to a file\nin the checkout, \
                  unless git ignores it: it looks as if an agent had left its worktree."
)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
    /// Refuse to start (exit 3) when two tasks conflict, and say which.
    #[arg(long)]
    conflict_check: bool,
    /// Print what would run; start nothing.
    #[arg(long)]
    dry_run: bool,
    /// Go on in the background; follow with `orch status`.
    #[arg(long, conflicts_with_all = ["json", "format"])]
    detach: bool,
    #[command(flatten)]
    form: Form,
}

impl Args {
    /// As if one file had been given.
    pub(super) fn for_file(file: PathBuf, how: How, form: Form) -> Self {
        let which = Which { tasks: vec![file], all_prompts: false };
        Self { which, how, conflict_check: false, dry_run: false, detach: false, form }
    }
}

/// How tasks run, shared with `orch run`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct How {
    /// Run tasks side by side; without it one at a time.
    #[arg(short, long)]
    parallel: bool,
    /// Processes at the same time [default: from cores and memory].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    jobs: Option<u32>,
    /// Start in the order that ends soonest: dependencies, conflicts, critical path.
    #[arg(long)]
    smart_scheduling: bool,
    /// The agent of prompts that name none [default: claude].
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// The workflow of all tasks, whatever their prompts say [default: default].
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Limit of one attempt, such as 90s, 30m, 2h or none [default: 2h].
    #[arg(long, value_name = "DUR", value_parser = limit)]
    timeout: Option<TimeLimit>,
    /// Limit of an attempt's silence, or none [default: none].
    #[arg(long, value_name = "DUR", value_parser = limit)]
    idle_timeout: Option<TimeLimit>,
    /// How often a failed attempt is tried again, where that makes sense [default: 0].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    retries: Option<u32>,
    /// Start no agent that might make the run cost more, in US dollars [default: no limit].
    #[arg(long, value_name = "USD", value_parser = dollars)]
    max_cost_usd: Option<f64>,
    /// A command that must pass in the worktree after the agent (may be repeated).
    #[arg(long, value_name = "CMD")]
    verify: Vec<String>,
    /// What happens to finished work [default: none].
    #[arg(long, value_name = "HOW")]
    merge: Option<MergeChoice>,
    /// The branch to start from and land on [default: the one checked out].
    #[arg(long, value_name = "BRANCH")]
    into: Option<String>,
    /// Split prompts whose parts touch different files [default: off].
    #[arg(long, value_name = "off|auto|agent[:NAME]")]
    decompose: Option<Decompose>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum MergeChoice {
    /// It stays on its branches.
    None,
    /// It is merged locally at the end.
    Local,
    /// A pull request each, on GitHub.
    Pr,
}

/// What is printed, shared with `orch resume`.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct Form {
    /// One JSON document (orch.status/1) at the end.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// What is printed.
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Human,
    /// One document at the end.
    Json,
    /// An event a line, as it happens.
    Ndjson,
}

impl Form {
    pub(super) fn is_json(self) -> bool {
        self.format() == Format::Json
    }

    fn format(self) -> Format {
        if self.json { Format::Json } else { self.format.unwrap_or_default() }
    }
}

/// A time limit, as orch.toml takes it too: above zero, or none.
fn limit(text: &str) -> Result<TimeLimit, String> {
    if text == "none" {
        return Ok(TimeLimit::Unlimited);
    }
    match parse_duration(text)? {
        Duration::ZERO => Err("a time limit must be above zero, or none".to_owned()),
        limit => Ok(TimeLimit::Of(limit)),
    }
}

/// Shared with the commands that change the limit of a run.
pub(super) fn dollars(text: &str) -> Result<f64, String> {
    let read = text.strip_prefix('$').unwrap_or(text).parse().ok();
    let read = read.filter(|dollars: &f64| dollars.is_finite() && *dollars > 0.0);
    read.ok_or_else(|| format!("'{text}' is not an amount of dollars; write for example 2.50"))
}

/// The default of `--jobs`.
pub(super) fn default_jobs() -> u32 {
    u32::try_from(crate::process::default_jobs().jobs).unwrap_or(1)
}

impl How {
    pub(super) fn options(&self, configured: Option<u32>, say: bool) -> Options {
        let jobs = match (self.jobs.or(configured), self.parallel) {
            (Some(jobs), _) => jobs,
            (None, false) => 1,
            (None, true) => {
                let default = crate::process::default_jobs();
                if say {
                    eprintln!("{}", default.explanation);
                }
                u32::try_from(default.jobs).unwrap_or(1)
            }
        };
        Options {
            parallel: self.parallel,
            jobs,
            smart: self.smart_scheduling,
            agent: self.agent.clone(),
            workflow: self.workflow.clone(),
            timeout: self.timeout,
            idle_timeout: self.idle_timeout,
            retries: self.retries,
            max_cost_usd: self.max_cost_usd,
            verify: self.verify.clone(),
            merge: self.merge.map(|choice| match choice {
                MergeChoice::None => MergeMode::None,
                MergeChoice::Local => MergeMode::Local,
                MergeChoice::Pr => MergeMode::Pr,
            }),
            into: self.into.clone(),
            decompose: self.decompose.clone(),
        }
    }
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (world, config) = place.world()?;
    let prompts = args.which.load(place, &world.repo, &config)?;
    let quiet = args.form.format() != Format::Human;
    let options = args.how.options(config.jobs, !quiet);
    let indexing = Indexing::new();
    let intake =
        intake(&world.repo, &config, prompts, &options, &|done, all| indexing.tell(done, all))?;
    drop(indexing);
    if args.conflict_check {
        refuse_conflicts(&intake)?;
    }
    let spec = run_spec(&world.repo, &config, &intake, &options, &place.cwd, &mut random())?;
    if args.dry_run {
        let text = if quiet {
            report::plan::json(&intake.plan)
        } else {
            report::plan::human(&intake.plan, place.style().width.unwrap_or(100))
        };
        super::status::print(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    if spec.tasks.iter().all(|task| task.skip.is_some()) {
        return nothing_to_do(place, spec, args.form.format());
    }
    world.repo.identity()?;
    context::refuse_unreachable(&world)?;
    let lock = world.lock()?;
    let (journal, rebuilt) = world.take_journal(&lock)?;
    context::tell_rebuilt(rebuilt.as_ref());
    for run in super::ps::looked_at(&world.layout, &journal)? {
        let alive = super::ps::alive(&world.layout, &journal, &run)?;
        if alive > 0 {
            return Err(CliError::new(
                Kind::Busy,
                format!(
                    "{} still at work for {1}, which no supervisor looks after; nothing was started: go on with it \
                     (orch resume {1}) or end it (orch cancel --all --run {1}) first",
                    if alive == 1 {
                        "1 attempt is".to_owned()
                    } else {
                        format!("{alive} attempts are")
                    },
                    run.id
                ),
            ));
        }
    }
    for run in journal.unfinished(3)? {
        eprintln!("{} is not finished; go on with it later: orch resume {0}", run.id);
    }
    if let Err(error) = store_prompts(&world.layout, &spec, &intake, &place.cwd) {
        // Without a record nothing would ever clear it away.
        let _ = std::fs::remove_dir_all(world.layout.run(&spec.id));
        return Err(error.into());
    }
    let ledger = Ledger::create(journal, spec)?;
    if args.detach {
        drop(lock);
        return super::detached::start(place, &world, &ledger.state().spec.id);
    }
    let code = supervise(place, &world, &lock, ledger, args.form)?;
    drop(lock);
    Ok(code)
}

/// A run of nothing is shown but not recorded: it would hide the last one that did something.
fn nothing_to_do(place: &Place, spec: RunSpec, format: Format) -> Result<ExitCode, CliError> {
    let at = crate::supervisor::now();
    let mut state = State::new(spec, at);
    state.finished = Some((RunState::Succeeded, at));
    let standings = state.standings();
    let tasks: Vec<TaskView> =
        (0..state.tasks.len()).map(|task| state.task_view(task, &standings)).collect();
    let counts = [(TaskState::Skipped, tasks.len() as u64)].into();
    let text = match format {
        Format::Ndjson => return Ok(ExitCode::SUCCESS),
        Format::Json => super::status::document(&state.run_view(), &tasks, &counts)?,
        Format::Human => {
            let why = if tasks.is_empty() {
                "there are no prompts"
            } else {
                "every prompt is marked as done"
            };
            eprintln!("nothing to do: {why}");
            report::status(&state.run_view(), &tasks, &counts, at, place.style())
        }
    };
    super::status::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn refuse_conflicts(intake: &Intake) -> Result<(), CliError> {
    let lines: Vec<String> = intake
        .plan
        .ordering_conflicts()
        .map(|c| format!("  {} and {}: {}", c.tasks[0], c.tasks[1], c.paths.join(", ")))
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    Err(CliError::new(
        Kind::Conflict,
        format!(
            "these tasks would change the same files; nothing was started\n{}\nwithout --conflict-check they \
             run one after the other",
            lines.join("\n")
        ),
    ))
}

/// Sixteen random bits at a time, from the hasher's per-process seed and a counter: unique ids, not
/// secrets.
fn random() -> impl FnMut() -> u16 {
    use std::hash::{BuildHasher, RandomState};
    let seed = RandomState::new();
    let mut count = 0_u64;
    move || {
        count += 1;
        let bits = seed.hash_one((count, std::process::id()));
        u16::try_from(bits & 0xffff).unwrap_or(0)
    }
}

/// Runs a run to its end and shows it. A journal that turns out to be damaged on the way is rebuilt, once.
pub(super) fn supervise(
    place: &Place,
    world: &Arc<World>,
    lock: &SupervisorLock,
    ledger: Ledger,
    form: Form,
) -> Result<ExitCode, CliError> {
    let id = ledger.state().spec.id.clone();
    match to_the_end(place, world, ledger, form) {
        Err(damage) if damage.is_damage() => {
            let (journal, rebuilt) = world.rebuild_journal(lock, &damage)?;
            context::tell_rebuilt(Some(&rebuilt));
            to_the_end(place, world, Ledger::open(journal, &id)?, form)
        }
        other => other,
    }
}

fn to_the_end(
    place: &Place,
    world: &Arc<World>,
    ledger: Ledger,
    form: Form,
) -> Result<ExitCode, CliError> {
    let runtime = context::runtime()?;
    let format = form.format();
    let style = place.style_of_stderr();
    let (state, mut ledger) = match format {
        Format::Ndjson => {
            let mut view = Ndjson::new(std::io::stdout());
            work(&runtime, world, ledger, &mut view)?
        }
        Format::Human | Format::Json => {
            let terminal = std::io::stderr().is_terminal();
            let rows = (terminal && format == Format::Human).then(crate::process::rows);
            let mut view = Live::new(std::io::stderr(), style, rows);
            let done = work(&runtime, world, ledger, &mut view);
            view.finish();
            done?
        }
    };
    // Threads that still hold a git operation must not delay the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let wants_merge =
        ledger.state().spec.merge == MergeMode::Local && state != RunState::Interrupted;
    let merged = if wants_merge {
        merge::merge_run(place, world, &mut ledger, format == Format::Human)
    } else {
        Ok(false)
    };
    if ledger.state().spec.merge == MergeMode::Pr && state != RunState::Interrupted {
        super::pr::send_run(place, world, &mut ledger, format == Format::Human)?;
    }
    // What the run came to is told even when its work could not be landed.
    finish(&ledger, format, place.style())?;
    Ok(exit_code(&ledger, state, merged?))
}

fn work(
    runtime: &tokio::runtime::Runtime,
    world: &Arc<World>,
    ledger: Ledger,
    view: &mut dyn Observer,
) -> Result<(RunState, Ledger), CliError> {
    let supervisor = Supervisor::new(Arc::clone(world), ledger, view)?;
    Ok(runtime.block_on(supervisor.run())?)
}

fn finish(ledger: &Ledger, format: Format, style: Style) -> Result<(), CliError> {
    let state = ledger.state();
    let standings = state.standings();
    let tasks: Vec<TaskView> =
        (0..state.tasks.len()).map(|task| state.task_view(task, &standings)).collect();
    let text = match format {
        Format::Ndjson => return Ok(()),
        Format::Json => super::status::json(ledger.journal(), &state.run_view())?,
        Format::Human => {
            let counts = ledger.journal().counts(&state.spec.id)?;
            let run = state.run_view();
            let at = crate::supervisor::now();
            let summary = report::summary(&run, &tasks, style);
            let shown = super::status::worth_showing(&tasks);
            format!("{}{summary}", report::status(&run, &shown, &counts, at, style))
        }
    };
    super::status::print(&text)
}

fn exit_code(ledger: &Ledger, run: RunState, conflicted: bool) -> ExitCode {
    let state = ledger.state();
    let standings = state.standings();
    let mut states = (0..state.tasks.len()).map(|task| state.task_state(task, &standings));
    if run == RunState::Interrupted {
        return ExitCode::from(130);
    }
    if conflicted {
        return ExitCode::from(3);
    }
    let good = states.all(|s: TaskState| s.is_good());
    ExitCode::from(u8::from(!good))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_limit_is_above_zero_or_none() {
        assert_eq!(limit("none"), Ok(TimeLimit::Unlimited));
        assert_eq!(limit("90s"), Ok(TimeLimit::Of(Duration::from_secs(90))));
        assert!(limit("0").is_err() && limit("soon").is_err());
    }
}
