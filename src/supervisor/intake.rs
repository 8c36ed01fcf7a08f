//! From prompt files and configuration to a plan, and from a plan to the specification of a run.
//!
//! Everything that can be wrong with what the user wrote is found here, before anything starts.

use super::clock::now;
use super::record::RunRecord;
use super::survey::{self, Indexing, Survey};
use super::world::create_dir;
use super::{SupervisorError, decompose, inputs, past};
use crate::agent;
use crate::analysis::{Past, Sources};
use crate::config::{Config, Decompose};
use crate::git::Repo;
use crate::journal::Layout;
use crate::model::{
    AgentProfile, Dependency, Dialect, MergeMode, PlannedConflict, PlannedWrite, Policy, RunId,
    RunSpec, TaskId, TaskSpec, slug,
};
use crate::plan::{self, Plan, PlanOptions, PlanTaskState};
use crate::prompt::Prompt;
use crate::workflow::{StepInputs, Workflow, WorkflowError};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Of the paths that a task is expected to write, so many are kept with the run: a glob may stand for
/// thousands.
const TARGETS: usize = 500;

/// A time limit as the command line says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLimit {
    /// `none`, whatever is configured.
    Unlimited,
    /// So long.
    Of(Duration),
}

/// What the command line says, over what the configuration says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--parallel`.
    pub parallel: bool,
    /// `--jobs`, or the configured or default number.
    pub jobs: u32,
    /// `--smart-scheduling`.
    pub smart: bool,
    /// `--agent`.
    pub agent: Option<String>,
    /// `--workflow`.
    pub workflow: Option<String>,
    /// `--timeout`.
    pub timeout: Option<TimeLimit>,
    /// `--idle-timeout`.
    pub idle_timeout: Option<TimeLimit>,
    /// `--max-cost-usd`.
    pub max_cost_usd: Option<f64>,
    /// `--retries`.
    pub retries: Option<u32>,
    /// `--verify`, beside what the configuration and the prompts say.
    pub verify: Vec<String>,
    /// `--merge`.
    pub merge: Option<MergeMode>,
    /// `--into`.
    pub into: Option<String>,
    /// `--decompose`.
    pub decompose: Option<Decompose>,
}

/// Something wrong with what the user wrote.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntakeError {
    /// A prompt, `orch.toml` or the plan: every problem with file and line.
    #[error("{0}")]
    Input(String),
    /// A workflow that leaves a phase out.
    #[error(transparent)]
    Governance(WorkflowError),
    /// The world refused.
    #[error(transparent)]
    World(#[from] SupervisorError),
}

/// Prompts with the plan made of them.
#[derive(Debug)]
pub struct Intake {
    /// The prompts as read, or the parts they were split into.
    pub prompts: Vec<Prompt>,
    /// The names of those that are parts of a file.
    pub parts: HashSet<String>,
    /// What is to be done in which order.
    pub plan: Plan,
    /// The commit all this is about.
    pub base: String,
    /// The branch it lands on.
    pub target: Option<String>,
}

pub(super) fn input(error: impl std::fmt::Display) -> IntakeError {
    IntakeError::Input(error.to_string())
}

/// Makes the plan of the given prompts. `indexing` is told how far the first reading of the code is.
///
/// # Errors
/// Everything that is wrong with them.
pub fn intake(
    repo: &Repo,
    config: &Config,
    prompts: Vec<Prompt>,
    options: &Options,
    indexing: &Indexing<'_>,
) -> Result<Intake, IntakeError> {
    let head = repo.head().map_err(SupervisorError::from)?;
    let into = options.into.clone().or_else(|| config.into.clone());
    let (base, target) = match into {
        None => (head.oid, head.branch),
        Some(branch) => match repo.branch_tip(&branch).map_err(SupervisorError::from)? {
            Some(tip) => (tip, Some(branch)),
            None => {
                return Err(input(format!(
                    "there is no branch '{branch}' to merge into; make it with: git branch {branch}"
                )));
            }
        },
    };
    let (survey, decomposed, commits) = std::thread::scope(|scope| {
        let commits = scope.spawn(|| past::commits(repo, &base));
        let survey = Survey::of(repo, &base, indexing)?;
        let tree = survey.tree();
        let decomposed = decompose::decompose(repo, config, &base, tree, prompts, options)?;
        let commits = commits.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok::<_, IntakeError>((survey, decomposed, commits))
    })?;
    let finished = inputs::finished(repo);
    let history = inputs::history(&finished);
    let changes = past::changes(commits, finished);
    let past = Past::new(survey.tree(), &changes);
    let code = survey.code();
    let sources =
        Sources { past: Some(&past), symbols: Some(&code), ..Sources::new(survey.tree()) };
    let mut inputs = inputs::inputs(config, options, sources, &decomposed)?;
    survey::add_code(&code, &mut inputs);
    let hot = inputs::hot(repo, &base, &inputs);
    inputs::grade(&code, &changes, &mut inputs);
    let jobs = if options.parallel { options.jobs.max(1) } else { 1 };
    let plan_options = PlanOptions {
        ignore: config.ignore_conflicts.clone(),
        thresholds: config.thresholds,
        jobs,
        history,
        hot,
    };
    let mut plan = plan::build(&base, inputs, &plan_options).map_err(input)?;
    plan.decompositions = decomposed.told;
    let parts = decomposed.tasks.iter().filter(|task| task.part.is_some());
    let parts = parts.map(|task| task.prompt.name.clone()).collect();
    let prompts = decomposed.tasks.into_iter().map(|task| task.prompt).collect();
    Ok(Intake { prompts, parts, plan, base, target })
}

/// The agents there are: the built-in ones with what `orch.toml` says laid over them.
///
/// # Errors
/// A new agent without a command, or a profile that cannot work; with the line of `orch.toml`.
pub fn profiles(config: &Config) -> Result<BTreeMap<String, AgentProfile>, IntakeError> {
    let mut all: BTreeMap<String, AgentProfile> =
        agent::builtin().iter().map(|p| (p.name.clone(), p.clone())).collect();
    let mut problems = Vec::new();
    for (name, own) in &config.agents {
        let mut say = |message: String| problems.push(format!("orch.toml:{}: {message}", own.line));
        let known = all.get(name).cloned();
        let base = known.or_else(|| {
            let command = own.command.clone()?;
            // Where nothing is said, a command that names the prompt or its file wants just that.
            let mentions = |word: &str| command.iter().any(|a| a.contains(word));
            let prompt = if mentions("{prompt}") {
                crate::model::PromptDelivery::Arg
            } else if mentions("{prompt_file}") {
                crate::model::PromptDelivery::File
            } else {
                crate::model::PromptDelivery::Stdin
            };
            Some(AgentProfile {
                name: name.clone(),
                command,
                resume_command: None,
                prompt,
                output: Dialect::Plain,
                requires_changes: None,
                env: BTreeMap::new(),
                model: None,
                fallback: None,
                waiting: Vec::new(),
            })
        });
        let Some(mut profile) = base else {
            say(format!(
                "agent '{name}' is not built in, so it needs: command = [\"prog\", \"{{prompt}}\"]"
            ));
            continue;
        };
        if let Some(command) = &own.command {
            profile.command.clone_from(command);
            // A command of one's own says what the agent may do; the one built in may say something else.
            profile.resume_command = None;
        }
        profile.resume_command = own.resume_command.clone().or(profile.resume_command);
        profile.prompt = own.prompt.unwrap_or(profile.prompt);
        profile.output = own.output.unwrap_or(profile.output);
        profile.requires_changes = own.requires_changes.or(profile.requires_changes);
        profile.model = own.model.clone().or(profile.model);
        profile.waiting = own.waiting.clone().unwrap_or(profile.waiting);
        profile.env.extend(own.env.clone());
        if own.fallback.is_some() {
            profile.fallback.clone_from(&own.fallback);
        }
        if let Err(error) = agent::validate(&profile) {
            say(error.to_string());
        }
        all.insert(name.clone(), profile);
    }
    problems.extend(fallback_problems(config, &all));
    if problems.is_empty() { Ok(all) } else { Err(IntakeError::Input(problems.join("\n"))) }
}

/// A fallback that does not exist, or leads back to where it began.
fn fallback_problems(config: &Config, all: &BTreeMap<String, AgentProfile>) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, own) in &config.agents {
        let Some(fallback) = &own.fallback else { continue };
        let place = format!("orch.toml:{}: agents.{name}.fallback", own.line);
        if !all.contains_key(fallback) {
            let known: Vec<&str> = all.keys().map(String::as_str).collect();
            let known = known.join(", ");
            problems.push(format!("{place}: no agent '{fallback}'; known: {known}"));
            continue;
        }
        let next = |name: &&String| all.get(*name)?.fallback.as_ref();
        let mut chain = std::iter::successors(Some(fallback), next).take(all.len());
        if chain.any(|other| other == name) {
            problems.push(format!(
                "{place}: '{fallback}' falls back to '{name}' itself; leave one out"
            ));
        }
    }
    problems
}

/// The specification of a run, with a copy of each prompt stored where a resumed run finds it.
///
/// # Errors
/// An agent or workflow that does not exist; a prompt copy that cannot be written.
pub fn run_spec(
    repo: &Repo,
    config: &Config,
    intake: &Intake,
    options: &Options,
    cwd: &Path,
    random: &mut dyn FnMut() -> u16,
) -> Result<RunSpec, IntakeError> {
    let all = profiles(config)?;
    let merge = options.merge.unwrap_or(config.merge);
    if merge == MergeMode::Pr && repo.remote_of(None).map_err(SupervisorError::from)?.is_none() {
        return Err(input(
            "merge = \"pr\" needs a remote on GitHub; add one: git remote add origin URL",
        ));
    }
    let workflows =
        Workflows { root: repo.root.clone().unwrap_or_default(), loaded: HashMap::new() };
    let at = now();
    let run = RunId::new(at, random());
    if repo.branch_tip("orch").map_err(SupervisorError::from)?.is_some() {
        return Err(input(
            "a branch is called 'orch', so none can be called orch/...; rename it: git branch -m orch NEW-NAME",
        ));
    }
    let root = repo.root.clone().unwrap_or_default();
    let mut builder =
        Builder { config, options, cwd, root, all, workflows, agents: BTreeMap::new() };
    let by_name: HashMap<&str, &Prompt> =
        intake.prompts.iter().map(|p| (p.name.as_str(), p)).collect();
    let mut used = HashSet::new();
    let mut ids: HashMap<&str, TaskId> = HashMap::new();
    for task in &intake.plan.tasks {
        let id = loop {
            let id = TaskId::new(at, random());
            let branch = branch_name(&task.name, &id);
            let taken = repo.branch_tip(&branch).map_err(SupervisorError::from)?.is_some();
            if !taken && used.insert(id.clone()) {
                break id;
            }
        };
        ids.insert(&task.name, id);
    }
    let mut tasks = Vec::new();
    let mut problems = Vec::new();
    for planned in in_order(&intake.plan, options.smart) {
        let Some(prompt) = by_name.get(planned.name.as_str()) else { continue };
        match builder.task(planned, prompt, &ids) {
            Ok(task) => tasks.push(task),
            Err(IntakeError::Input(problem)) => problems.push(problem),
            Err(other) => return Err(other),
        }
    }
    if !problems.is_empty() {
        return Err(IntakeError::Input(problems.join("\n")));
    }
    let conflicts = planned_conflicts(&intake.plan, &tasks);
    Ok(RunSpec {
        id: run,
        base: intake.base.clone(),
        target: intake.target.clone(),
        jobs: if options.parallel { options.jobs.max(1) } else { 1 },
        parallel: options.parallel,
        merge,
        verify: config.verify.iter().chain(&options.verify).cloned().collect(),
        grace_ms: millis(config.grace),
        log_cap: config.log_cap,
        estimate_seconds: Some(intake.plan.estimate.sequential_seconds),
        tasks,
        agents: builder.agents,
        policy: policy(config, options),
        estimate_parallel_seconds: Some(intake.plan.estimate.parallel_seconds),
        conflicts,
    })
}

/// The pairs that the plan named, by their places in the run.
fn planned_conflicts(plan: &Plan, tasks: &[TaskSpec]) -> Vec<PlannedConflict> {
    let places: HashMap<&str, u32> = tasks.iter().map(|task| task.name.as_str()).zip(0..).collect();
    let place = |name: &str| places.get(name).copied();
    let pairs = plan.conflicts.iter().filter_map(|conflict| {
        let (a, b) = (place(&conflict.tasks[0])?, place(&conflict.tasks[1])?);
        Some(PlannedConflict { tasks: (a.min(b), a.max(b)), confidence: conflict.confidence })
    });
    pairs.collect()
}

/// Stores the prompts of a run, and what it was asked to do, where its attempts and a resumed run find them.
///
/// # Errors
/// What the file system refuses.
pub fn store_prompts(
    layout: &Layout,
    spec: &RunSpec,
    intake: &Intake,
    cwd: &Path,
) -> Result<(), SupervisorError> {
    let mut prompts = BTreeMap::new();
    for task in spec.tasks.iter().filter(|task| task.skip.is_none()) {
        let Some(prompt) = intake.prompts.iter().find(|p| p.name == task.name) else { continue };
        create_dir(&layout.task(&spec.id, &task.id))?;
        let (from, to) = (cwd.join(&prompt.path), layout.prompt(&spec.id, &task.id));
        let doing = || SupervisorError::io(format!("copy {} to {}", from.display(), to.display()));
        if intake.parts.contains(&prompt.name) {
            // The front matter of the whole, above the body of the part.
            let whole = std::fs::read_to_string(&from).map_err(doing())?;
            let above = usize::try_from(prompt.body_line.saturating_sub(1)).unwrap_or(usize::MAX);
            let head: String = whole.split_inclusive('\n').take(above).collect();
            std::fs::write(&to, head + &prompt.body).map_err(doing())?;
        } else {
            std::fs::copy(&from, &to).map_err(doing())?;
        }
        // What runs must be what was planned.
        let stored = crate::prompt::load(std::slice::from_ref(&to), cwd);
        if !stored.is_ok_and(|s| s.first().is_some_and(|s| s.body == prompt.body)) {
            return Err(SupervisorError::Refused(format!(
                "{} was changed while it was being read; nothing was started",
                from.display()
            )));
        }
        let text = std::fs::read_to_string(&to)
            .map_err(SupervisorError::io(format!("read {}", to.display())))?;
        prompts.insert(task.id.to_string(), text);
    }
    RunRecord { created_at: now(), spec: spec.clone(), prompts }.store(layout)
}

fn policy(config: &Config, options: &Options) -> Policy {
    let mut policy = config.policy.clone();
    policy.max_cost_usd = options.max_cost_usd.or(policy.max_cost_usd);
    policy
}

/// What was said on the command line, else what is configured.
fn limit(said: Option<TimeLimit>, configured: Option<Duration>) -> Option<Duration> {
    match said {
        Some(TimeLimit::Of(limit)) => Some(limit),
        Some(TimeLimit::Unlimited) => None,
        None => configured,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn branch_name(task: &str, id: &TaskId) -> String {
    format!("orch/{}-{}", slug(task), id.suffix())
}

/// A file as it is called from the repository's root, wherever the command was started.
fn from_root(file: &Path, root: &Path) -> Option<String> {
    let (file, root) = (file.canonicalize().ok()?, root.canonicalize().ok()?);
    Some(file.strip_prefix(root).ok()?.to_str()?.to_owned())
}

/// The plan's order of starting, with prerequisites always before what needs them: the engine relies
/// on that.
fn in_order(plan: &Plan, smart: bool) -> Vec<&plan::PlanTask> {
    let skipped = plan.tasks.iter().filter(|task| task.state == PlanTaskState::Skipped);
    let ready = plan.start_order(smart).filter(|task| task.state != PlanTaskState::Skipped);
    let mut left: Vec<&plan::PlanTask> = skipped.chain(ready).collect();
    let mut placed: HashSet<&str> = HashSet::new();
    let mut out = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let before = left.len();
        left.retain(|task| {
            let ready = task.depends_on.iter().all(|d| placed.contains(d.task.as_str()));
            if ready {
                placed.insert(&task.name);
                out.push(*task);
            }
            !ready
        });
        if left.len() == before {
            // The plan has no cycles, so this is not reached; what is left keeps its order.
            out.append(&mut left);
        }
    }
    out
}

struct Workflows {
    root: PathBuf,
    loaded: HashMap<String, Workflow>,
}

impl Workflows {
    fn get(&mut self, name: &str, file: &str) -> Result<&Workflow, IntakeError> {
        if !self.loaded.contains_key(name) {
            let workflow = Workflow::load(name, &self.root).map_err(|error| match error {
                WorkflowError::Bypass { .. } => IntakeError::Governance(error),
                other => input(format!("{file}: {other}")),
            })?;
            self.loaded.insert(name.to_owned(), workflow);
        }
        Ok(&self.loaded[name])
    }
}

struct Builder<'a> {
    /// What the prompts' paths are relative to.
    cwd: &'a Path,
    root: PathBuf,
    config: &'a Config,
    options: &'a Options,
    all: BTreeMap<String, AgentProfile>,
    workflows: Workflows,
    agents: BTreeMap<String, AgentProfile>,
}

impl Builder<'_> {
    fn task(
        &mut self,
        planned: &plan::PlanTask,
        prompt: &Prompt,
        ids: &HashMap<&str, TaskId>,
    ) -> Result<TaskSpec, IntakeError> {
        let (config, options, front) = (self.config, self.options, &prompt.front);
        let skipped = planned.state == PlanTaskState::Skipped;
        let agent = front
            .agent
            .clone()
            .or_else(|| options.agent.clone())
            .unwrap_or_else(|| config.agent.clone());
        if !skipped {
            self.check_agent(&agent, prompt)?;
        }
        let workflow = options
            .workflow
            .clone()
            .or_else(|| front.workflow.clone())
            .or_else(|| config.workflow.clone())
            .unwrap_or_else(|| "default".to_owned());
        let mut verify = config.verify.clone();
        verify.extend(front.verify.iter().chain(&options.verify).cloned());
        let inputs = StepInputs {
            setup: config.setup.clone().unwrap_or_default(),
            verify,
            no_forge: "no forge is used".to_owned(),
            timeout_ms: front.timeout.or(limit(options.timeout, config.timeout)).map(millis),
            idle_timeout_ms: limit(options.idle_timeout, config.idle_timeout).map(millis),
            retries: front.retries.or(options.retries).unwrap_or(config.retries),
        };
        let file = prompt.path.display().to_string();
        let steps =
            if skipped { Vec::new() } else { self.workflows.get(&workflow, &file)?.steps(&inputs) };
        let id = ids[planned.name.as_str()].clone();
        let depends_on = planned.depends_on.iter().filter_map(|d| {
            let task = ids.get(d.task.as_str())?.clone();
            Some(Dependency { task, kind: d.kind, reason: d.reason.clone() })
        });
        let writes = || planned.targets.iter().filter(|t| t.access == crate::model::Access::Write);
        let targets = writes().take(TARGETS).map(|target| PlannedWrite {
            path: target.path.clone(),
            confidence: target.confidence,
        });
        Ok(TaskSpec {
            branch: branch_name(&planned.name, &id),
            worktree: format!(".worktrees/{id}"),
            name: planned.name.clone(),
            prompt: from_root(&self.cwd.join(&prompt.path), &self.root).unwrap_or(file),
            title: planned.title.clone(),
            agent,
            model: front.model.clone().or_else(|| config.model.clone()),
            role: front.role.clone(),
            workflow,
            work_type: planned.work_type,
            complexity: planned.complexity,
            depends_on: depends_on.collect(),
            writes: writes().map(|t| t.path.clone()).take(20).collect(),
            targets: targets.collect(),
            skip: planned.skip_reason.clone().filter(|_| skipped),
            steps: steps.into(),
            id,
        })
    }

    fn check_agent(&mut self, name: &str, prompt: &Prompt) -> Result<(), IntakeError> {
        let Some(profile) = self.all.get(name) else {
            let place = match prompt.front.line("agent") {
                Some(line) => format!("{}:{line}", prompt.path.display()),
                None => prompt.path.display().to_string(),
            };
            let known: Vec<&str> = self.all.keys().map(String::as_str).collect();
            return Err(input(format!(
                "{place}: no agent '{name}'; known: {}; define it in orch.toml under [agents.{name}]",
                known.join(", ")
            )));
        };
        if profile.output == Dialect::Shell && prompt.sh_blocks().next().is_none() {
            return Err(input(format!(
                "{}: the shell agent runs the prompt's fenced sh blocks, and there is none; start one with: \
                 ```sh",
                prompt.path.display()
            )));
        }
        // With those that may take over from it.
        let mut next = Some(profile);
        while let Some(profile) = next {
            if self.agents.insert(profile.name.clone(), profile.clone()).is_some() {
                break;
            }
            next = profile.fallback.as_ref().and_then(|name| self.all.get(name));
        }
        Ok(())
    }
}
