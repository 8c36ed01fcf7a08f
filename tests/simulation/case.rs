//! What a schedule starts from: a run's specification and the script of what happens to it.

use orch::model::{
    AgentProfile, BreakerRule, BuiltIn, Complexity, Dependency, DependencyKind, Dialect, MergeMode,
    OnLimit, OnOverlap, Phase, Policy, PromptDelivery, RunId, RunSpec, StepId, StepKind, StepSpec,
    TaskId, TaskSpec, WorkType,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The agents of every run.
pub const AGENTS: [&str; 3] = ["ann", "bob", "cat"];

#[derive(Clone, Debug)]
pub struct Case {
    pub jobs: u32,
    pub parallel: bool,
    pub policy: Policy,
    /// Of each agent: the one that takes over.
    pub fallbacks: [Option<usize>; 3],
    pub tasks: Vec<Task>,
    pub script: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Task {
    pub skipped: bool,
    pub agent: usize,
    /// How far back in the plan, and what ties them.
    pub after: Vec<(usize, DependencyKind)>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub kind: Kind,
    pub skipped: bool,
    pub retries: u32,
    /// Bit n: it needs the n-th step before it. Zero: it needs the one before.
    pub needs: u8,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Branch,
    Setup,
    Agent,
    Commit,
    Verify,
}

pub fn cases() -> impl Strategy<Value = Case> {
    let limits = (1_u32..=8, any::<bool>());
    let script = prop_oneof![
        1 => Just(Vec::new()),
        9 => vec(any::<u8>(), 0..500),
    ];
    let whole = (limits, policy(), fallbacks(), vec(task(), 1..8), script);
    whole.prop_map(|((jobs, parallel), policy, fallbacks, tasks, script)| Case {
        policy,
        fallbacks,
        // As `orch execute` has it: without --parallel there is one job.
        jobs: if parallel { jobs } else { 1 },
        parallel,
        tasks,
        script,
    })
}

/// Small numbers, so that they are reached. Half of the runs have nothing to do with money.
fn policy() -> impl Strategy<Value = Policy> {
    let rule = || {
        (1_u32..=4, prop_oneof![Just(50_u64), Just(400), Just(5_000)])
            .prop_map(|(failures, cool_down_ms)| BreakerRule { failures, cool_down_ms })
    };
    let on_limit = prop_oneof![3 => Just(OnLimit::Wait), 2 => Just(OnLimit::Fallback), 1 => Just(OnLimit::Stop)];
    let money = prop::option::weighted(0.3, prop_oneof![Just(1.5), Just(4.0), Just(12.0)]);
    let per_task = prop::option::weighted(0.2, prop_oneof![Just(1.0), Just(3.0)]);
    let on_overlap = prop_oneof![
        2 => Just(OnOverlap::Warn), 3 => Just(OnOverlap::Pause), 1 => Just(OnOverlap::Order)
    ];
    (rule(), rule(), on_limit, money, per_task, on_overlap).prop_map(
        |(agent, execution, on_limit, max_cost_usd, max_task_cost_usd, on_overlap)| Policy {
            agent,
            execution,
            on_limit,
            max_cost_usd,
            max_task_cost_usd,
            on_overlap,
            ..Policy::default()
        },
    )
}

fn fallbacks() -> impl Strategy<Value = [Option<usize>; 3]> {
    let one = || prop::option::weighted(0.4, 0_usize..3);
    (one(), one(), one()).prop_map(|(a, b, c)| {
        // None is its own; a circle of them is no use, but must not hang.
        let other = |own: usize, next: Option<usize>| next.filter(|n| *n != own);
        [other(0, a), other(1, b), other(2, c)]
    })
}

fn task() -> impl Strategy<Value = Task> {
    use DependencyKind::{Conflict, Declared, Import};
    let kind = prop_oneof![Just(Conflict), Just(Declared), Just(Import)];
    let usual = (0_u32..=3, any::<bool>(), any::<bool>()).prop_map(|(retries, setup, verify)| {
        [
            (Kind::Branch, false),
            (Kind::Setup, !setup),
            (Kind::Agent, false),
            (Kind::Commit, false),
            (Kind::Verify, !verify),
        ]
        .map(|(kind, skipped)| {
            let retries = if kind == Kind::Agent { retries } else { 0 };
            Step { kind, skipped, retries, needs: 0 }
        })
        .to_vec()
    });
    let steps = prop_oneof![2 => usual, 1 => vec(step(), 1..7)];
    // Tasks of one agent are what its breaker is about.
    let agent = prop_oneof![4 => Just(0_usize), 1 => Just(1), 1 => Just(2)];
    (prop::bool::weighted(0.08), agent, vec((0_usize..4, kind), 0..3), steps)
        .prop_map(|(skipped, agent, after, steps)| Task { skipped, agent, after, steps })
}

fn step() -> impl Strategy<Value = Step> {
    use Kind::{Agent, Branch, Commit, Setup, Verify};
    let kind = prop_oneof![Just(Agent), Just(Branch), Just(Setup), Just(Commit), Just(Verify)];
    (kind, prop::bool::weighted(0.15), 0_u32..=3, 0_u8..8)
        .prop_map(|(kind, skipped, retries, needs)| Step { kind, skipped, retries, needs })
}

impl Case {
    pub fn spec(&self) -> RunSpec {
        RunSpec {
            id: RunId::from("run"),
            base: "base".into(),
            target: None,
            jobs: self.jobs,
            parallel: self.parallel,
            merge: MergeMode::None,
            verify: Vec::new(),
            grace_ms: 0,
            log_cap: 0,
            estimate_seconds: None,
            tasks: self.tasks.iter().enumerate().map(|(i, task)| task.spec(i)).collect(),
            agents: self.agents(),
            policy: self.policy.clone(),
            estimate_parallel_seconds: None,
            conflicts: Vec::new(),
        }
    }
}

impl Case {
    fn agents(&self) -> BTreeMap<String, AgentProfile> {
        let profile = |(name, next): (&str, &Option<usize>)| AgentProfile {
            name: name.to_owned(),
            command: vec![name.to_owned(), "{session}".to_owned()],
            resume_command: None,
            prompt: PromptDelivery::Stdin,
            output: Dialect::Claude,
            requires_changes: None,
            env: BTreeMap::new(),
            model: None,
            fallback: next.map(|next| AGENTS[next].to_owned()),
            waiting: Vec::new(),
        };
        AGENTS.into_iter().zip(&self.fallbacks).map(profile).map(|p| (p.name.clone(), p)).collect()
    }
}

impl Task {
    fn spec(&self, place: usize) -> TaskSpec {
        let after = self.after.iter().filter_map(|(back, kind)| {
            let before = place.checked_sub(back + 1)?;
            let task = TaskId(format!("t{before}"));
            Some(Dependency { task, kind: *kind, reason: String::new() })
        });
        TaskSpec {
            id: TaskId(format!("t{place}")),
            name: format!("t{place}"),
            prompt: String::new(),
            title: String::new(),
            branch: format!("orch/t{place}"),
            worktree: format!(".worktrees/t{place}"),
            agent: AGENTS[self.agent].into(),
            model: None,
            role: None,
            workflow: "default".into(),
            work_type: WorkType::General,
            complexity: Complexity::Low,
            depends_on: after.collect(),
            writes: Vec::new(),
            targets: Vec::new(),
            skip: self.skipped.then(|| "done already".to_owned()),
            steps: if self.skipped { Vec::new() } else { self.steps() }.into(),
        }
    }

    fn steps(&self) -> Vec<StepSpec> {
        let id = |i: usize, step: &Step| StepId(format!("{:?}{i}", step.kind).to_lowercase());
        let ids: Vec<StepId> = self.steps.iter().enumerate().map(|(i, s)| id(i, s)).collect();
        let steps = self.steps.iter().enumerate();
        steps
            .map(|(i, step)| {
                let wanted = if step.needs == 0 { 1 } else { step.needs };
                let needs = (0..8).filter(|bit| wanted & (1 << bit) != 0);
                let (phase, kind) = match step.kind {
                    Kind::Branch => {
                        (Phase::BranchCreation, StepKind::BuiltIn { action: BuiltIn::Branch })
                    }
                    Kind::Setup => (Phase::Setup, StepKind::Commands { run: Vec::new() }),
                    Kind::Agent => (Phase::Implementation, StepKind::Agent),
                    Kind::Commit => {
                        (Phase::Implementation, StepKind::BuiltIn { action: BuiltIn::Commit })
                    }
                    Kind::Verify => (Phase::Testing, StepKind::Commands { run: Vec::new() }),
                };
                StepSpec {
                    id: ids[i].clone(),
                    phase,
                    kind,
                    needs: needs.filter_map(|n| Some(ids[i.checked_sub(n + 1)?].clone())).collect(),
                    skip: step.skipped.then(|| "cannot apply".to_owned()),
                    timeout_ms: None,
                    idle_timeout_ms: None,
                    retries: step.retries,
                }
            })
            .collect()
    }
}
