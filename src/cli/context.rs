//! Where a command was started, and how it may speak.

use super::error::CliError;
use crate::config::Config;
use crate::git::{PoolLimits, Repo};
use crate::journal::{Journal, Layout, TaskRef};
use crate::model::{RunId, RunView, TaskId};
use crate::process::SupervisorLock;
use crate::report::Style;
use crate::supervisor::{Ledger, Limits, Rebuilt, SupervisorError, World, has_run};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The directory a command works in.
pub(super) struct Place {
    pub(super) cwd: PathBuf,
    color: ColorChoice,
}

impl Place {
    pub(super) fn new(directory: Option<&Path>, color: ColorChoice) -> Result<Self, CliError> {
        let cwd = std::env::current_dir()
            .map_err(|e| CliError::usage(format!("the current directory is gone: {e}")))?;
        let cwd = match directory {
            Some(dir) => cwd.join(dir),
            None => cwd,
        };
        if !cwd.is_dir() {
            return Err(CliError::usage(format!("no such directory: {}", cwd.display())));
        }
        Ok(Self { cwd, color })
    }

    /// How stdout may be written.
    pub(super) fn style(&self) -> Style {
        self.style_for(std::io::stdout().is_terminal())
    }

    /// How stderr may be written.
    pub(super) fn style_of_stderr(&self) -> Style {
        self.style_for(std::io::stderr().is_terminal())
    }

    fn style_for(&self, terminal: bool) -> Style {
        let welcome = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let color = match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && welcome,
        };
        Style { color, width: terminal.then(crate::process::columns) }
    }

    pub(super) fn repo(&self) -> Result<Repo, CliError> {
        Ok(Repo::discover(&self.cwd)?)
    }

    /// The repository with its configuration.
    pub(super) fn configured(&self) -> Result<(Repo, Config), CliError> {
        let repo = self.repo()?;
        // A linked worktree or a sub-folder uses the configuration of its own checkout.
        let root = repo.checkout.clone().or_else(|| repo.root.clone());
        let config = match root {
            Some(root) => Config::load(&root)?,
            None => Config::default(),
        };
        Ok((repo, config))
    }

    /// The repository as something to work in.
    pub(super) fn world(&self) -> Result<(Arc<World>, Config), CliError> {
        let (repo, config) = self.configured()?;
        let pool = PoolLimits { count: config.pool as usize, bytes: config.pool_bytes };
        let limits = Limits {
            free_memory: config.free_memory,
            least_memory: config.least_memory,
            load: config.load,
            free_disk: config.free_disk,
        };
        let world = World::new(repo, pool, config.snapshots)?.with_limits(limits);
        let world = world.with_tokens_for_agents(config.github.token_for_agents);
        Ok((Arc::new(world), config))
    }

    /// The journal for reading; an error that says what to do where there is none.
    pub(super) fn history(&self) -> Result<(Repo, Layout, Journal), CliError> {
        let repo = self.repo()?;
        let layout = Layout::new(repo.state_dir());
        let journal = Journal::open_existing(&layout.journal())?;
        let journal = journal.ok_or_else(|| nothing_yet(&layout))?;
        refuse_emptied(&layout, &journal)?;
        Ok((repo, layout, journal))
    }

    /// The journal for a command that changes what runs hold while a supervisor may be at work.
    ///
    /// # Errors
    /// As [`Place::history`], and a journal that is damaged anywhere.
    pub(super) fn sound_history(&self) -> Result<(Repo, Layout, Journal), CliError> {
        let found = self.history()?;
        found.2.refuse_damage()?;
        Ok(found)
    }

    /// The journal for a command that does what a supervisor does where none is at work (the lock is taken
    /// then, and a damaged journal rebuilt), and asks the one there is otherwise.
    pub(super) fn take(&self) -> Result<(Arc<World>, Option<SupervisorLock>, Journal), CliError> {
        // A clear answer where there is none, before anything is made.
        match self.history() {
            Err(error) if !error.is_damage() => return Err(error),
            _ => {}
        }
        let (world, _) = self.world()?;
        match world.lock() {
            Ok(lock) => {
                let (journal, rebuilt) = world.take_journal(&lock)?;
                tell_rebuilt(rebuilt.as_ref());
                Ok((world, Some(lock), journal))
            }
            Err(SupervisorError::Busy(_)) => {
                let journal = world.journal()?;
                Ok((world, None, journal))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What `read` finds in the journal, which is not touched for it; it may be called twice.
    pub(super) fn look<T>(
        &self,
        read: impl Fn(&Layout, &Journal) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let layout = Layout::new(self.repo()?.state_dir());
        let found = Journal::look(&layout.journal(), |journal| {
            refuse_emptied(&layout, journal)?;
            read(&layout, journal)
        })?;
        found.ok_or_else(|| nothing_yet(&layout))
    }
}

/// Why there is no run to speak of: an agent of one may be at work all the same.
pub(super) fn nothing_yet(layout: &Layout) -> CliError {
    if has_run(layout) {
        return CliError::failed(format!(
            "the journal {} is gone, though there are results of runs beside it; rebuild it with: orch resume",
            layout.journal().display()
        ));
    }
    CliError::usage(NO_RUN)
}

const NO_RUN: &str = "no run in this repository yet; start one with: orch execute --tasks FILE...";

/// A journal without a run says that there is nothing, which must be true.
fn refuse_emptied(layout: &Layout, journal: &Journal) -> Result<(), CliError> {
    if journal.find_run("latest")?.is_none() && has_run(layout) {
        return Err(nothing_yet(layout));
    }
    Ok(())
}

/// What became of a damaged journal, if it was.
pub(super) fn tell_rebuilt(rebuilt: Option<&Rebuilt>) {
    if let Some(rebuilt) = rebuilt {
        eprint!("{}", crate::report::rebuilt(rebuilt));
    }
}

/// Has the run know of every attempt of it that there is; what was found is said.
pub(super) fn take_up(
    world: &Arc<World>,
    lock: &SupervisorLock,
    ledger: &mut Ledger,
) -> Result<(), CliError> {
    let found = crate::supervisor::take_up(world, lock, ledger)?;
    if found > 0 {
        eprintln!(
            "the journal is older than what happened since; found again: {found} attempt{}",
            if found == 1 { "" } else { "s" }
        );
    }
    Ok(())
}

/// The task that the user means: of that run, or else the newest of that name.
pub(super) fn find_task(
    journal: &Journal,
    run: Option<&str>,
    name: &str,
) -> Result<TaskRef, CliError> {
    let only = run.map(|name| find_run(journal, name)).transpose()?;
    Ok(journal.find_task(only.as_ref(), name)?)
}

/// The tasks of that run that the user names, in that order.
pub(super) fn find_tasks(
    journal: &Journal,
    run: &RunId,
    names: &[String],
) -> Result<Vec<TaskId>, CliError> {
    names.iter().map(|name| Ok(journal.find_task(Some(run), name)?.id)).collect()
}

/// The run that the user means.
pub(super) fn find_run(journal: &Journal, name: &str) -> Result<RunId, CliError> {
    journal.find_run(name)?.ok_or_else(|| CliError::usage(NO_RUN))
}

/// A run of which a person asks something while it may be at work.
pub(super) struct Asked {
    /// Its history, to write the request to. The supervisor reads it there, this one or the next.
    pub(super) ledger: Ledger,
    /// Whether a supervisor works on it.
    pub(super) alive: bool,
}

/// The run that a request is for; `latest` is the one that a supervisor works on, if any.
pub(super) fn ask(place: &Place, name: &str) -> Result<Asked, CliError> {
    let (_, layout, journal) = place.history()?;
    let live = live_run(&layout, &journal)?;
    let id = match &live {
        Some(run) if name == "latest" => run.id.clone(),
        _ => find_run(&journal, name)?,
    };
    let alive = live.is_some_and(|run| run.id == id);
    Ok(Asked { ledger: Ledger::open(journal, &id)?, alive })
}

/// The run that a supervisor works on.
pub(super) fn live_run(layout: &Layout, journal: &Journal) -> Result<Option<RunView>, CliError> {
    let Some(holder) = SupervisorLock::holder(&layout.supervisor_lock()) else { return Ok(None) };
    let mut runs = journal.unfinished(MOST)?;
    runs.retain(|run| run.supervisor.pid == Some(holder.pid));
    Ok(runs.pop())
}

/// Runs that are not over, looked through for the live one: it is among the newest, unless somebody has
/// left so many behind.
const MOST: u32 = 100;

/// Fills in whether the run's supervisor lives; a run whose supervisor died is shown as interrupted.
/// Returns whether it is that.
pub(super) fn look_for_supervisor(layout: &Layout, run: &mut RunView) -> bool {
    use crate::model::RunState;
    if !matches!(run.state, RunState::Running | RunState::Paused) {
        return false;
    }
    let holder = SupervisorLock::holder(&layout.supervisor_lock());
    run.supervisor.alive = holder.is_some_and(|h| Some(h.pid) == run.supervisor.pid);
    if !run.supervisor.alive {
        run.state = RunState::Interrupted;
    }
    !run.supervisor.alive
}

/// The runtime of commands that wait for processes: one thread, as the supervisor mostly waits.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    /// Threads for what blocks. Two hundred agents that end together are judged a few at a time: more threads
    /// than this would only take memory.
    const BLOCKING: usize = 16;
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().max_blocking_threads(BLOCKING).build()?)
}

/// Before work starts: refuses limits that would keep all of it waiting for ever.
///
/// # Errors
/// Wrong input, with the key.
pub(super) fn refuse_unreachable(world: &World) -> Result<(), CliError> {
    let places = [world.root.join(".worktrees"), world.layout.dir().to_owned()];
    let spaces = places.iter().filter_map(|place| crate::process::disk_space(place));
    let disks: Vec<u64> = spaces.map(|space| space.total).collect();
    match world.limits.out_of_reach(crate::process::system().memory_bytes, &disks) {
        Some(why) => Err(CliError::usage(why)),
        None => Ok(()),
    }
}
