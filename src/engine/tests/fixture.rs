//! A run with short names, and a hand that plays the supervisor.

use crate::engine::{State, decide};
use crate::model::{
    Action, AttemptEnd, AttemptId, BuiltIn, Complexity, Dependency, DependencyKind, Ending, Event,
    Failure, FailureClass, MergeMode, Phase, Recorded, RunId, RunSpec, RunState, StepId, StepKind,
    StepSpec, StopReason, TaskId, TaskSpec, TaskState, Timestamp, WorkType,
};
use std::collections::BTreeMap;

/// A run whose tasks have the steps branch, agent, commit, verify.
pub struct Run {
    pub state: State,
    pub journal: Vec<Recorded>,
    pub now: i64,
}

pub fn step(id: &str, after: &[&str]) -> StepSpec {
    let (phase, kind) = match id.trim_end_matches(char::is_numeric) {
        "branch" => (Phase::BranchCreation, StepKind::BuiltIn { action: BuiltIn::Branch }),
        "commit" => (Phase::Implementation, StepKind::BuiltIn { action: BuiltIn::Commit }),
        "setup" => (Phase::Setup, StepKind::Commands { run: vec!["true".into()] }),
        "verify" => (Phase::Testing, StepKind::Commands { run: vec!["true".into()] }),
        _ => (Phase::Implementation, StepKind::Agent),
    };
    StepSpec {
        id: id.into(),
        phase,
        kind,
        needs: after.iter().map(|n| StepId::from(*n)).collect(),
        skip: None,
        timeout_ms: None,
        idle_timeout_ms: None,
        retries: 0,
    }
}

pub fn task(name: &str) -> TaskSpec {
    let chain = ["branch", "agent", "commit", "verify"];
    TaskSpec {
        id: name.into(),
        name: name.into(),
        prompt: format!("{name}.md"),
        title: String::new(),
        branch: format!("orch/{name}"),
        worktree: format!(".worktrees/{name}"),
        agent: "shell".into(),
        model: None,
        role: None,
        workflow: "default".into(),
        work_type: WorkType::General,
        complexity: Complexity::Low,
        depends_on: Vec::new(),
        writes: Vec::new(),
        targets: Vec::new(),
        skip: None,
        steps: (0..4)
            .map(|i| step(chain[i], &chain[i.saturating_sub(1)..i]))
            .collect::<Vec<_>>()
            .into(),
    }
}

/// `b` after `a`.
pub fn after(mut b: TaskSpec, a: &str, kind: DependencyKind) -> TaskSpec {
    b.depends_on.push(Dependency { task: a.into(), kind, reason: String::new() });
    b
}

pub fn retries(mut task: TaskSpec, retries: u32) -> TaskSpec {
    for step in task.steps.iter_mut().filter(|s| s.kind == StepKind::Agent) {
        step.retries = retries;
    }
    task
}

impl Run {
    pub fn new(jobs: u32, parallel: bool, tasks: Vec<TaskSpec>) -> Self {
        let spec = RunSpec {
            id: RunId::from("run"),
            base: "base".into(),
            target: None,
            jobs,
            parallel,
            merge: MergeMode::None,
            verify: Vec::new(),
            grace_ms: 0,
            log_cap: 0,
            estimate_seconds: None,
            tasks,
            agents: BTreeMap::new(),
            policy: crate::model::Policy::default(),
            estimate_parallel_seconds: None,
            conflicts: Vec::new(),
        };
        Self::of(spec)
    }

    pub fn of(spec: RunSpec) -> Self {
        let state = State::new(spec.clone(), Timestamp(0));
        let mut run = Self { state, journal: Vec::new(), now: 0 };
        run.apply(Event::RunCreated { spec: Box::new(spec) });
        run.apply(Event::SupervisorStarted { pid: 1 });
        run
    }

    pub fn apply(&mut self, event: Event) {
        let seq = self.journal.len() as u64 + 1;
        let recorded = Recorded { seq, at: Timestamp(self.now), event };
        self.state.apply(&recorded);
        self.journal.push(recorded);
    }

    pub fn decide(&self) -> Vec<Action> {
        decide(&self.state, Timestamp(self.now))
    }

    /// Records the intents of everything that is decided, until nothing is. Returns what was decided,
    /// in words.
    pub fn act(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        loop {
            let actions = self.decide();
            if actions.is_empty() {
                return said;
            }
            for action in actions {
                let (words, event) = match action {
                    Action::Start { attempt, agent } => {
                        (format!("start {attempt}"), Event::AttemptStarting { attempt, agent })
                    }
                    Action::Stop { attempt, reason } => {
                        (format!("stop {attempt}"), Event::AttemptStopping { attempt, reason })
                    }
                    Action::Finish { state } => {
                        (format!("finish {state}"), Event::RunFinished { state })
                    }
                    Action::ScheduleRetry { attempt, not_before, agent, keep, session } => {
                        let not_before = not_before.unwrap_or(Timestamp(self.now + 10));
                        let words = format!("again {attempt}");
                        (words, Event::RetryScheduled { attempt, not_before, agent, keep, session })
                    }
                };
                said.push(words);
                self.apply(event);
            }
            assert!(said.len() < 1000, "it never has enough: {said:?}");
        }
    }

    pub fn end(&mut self, attempt: &str, ending: Ending) {
        let attempt = id(attempt);
        assert!(self.state.attempt(&attempt).is_some(), "{attempt} was not started");
        let end = Box::new(AttemptEnd::of(ending));
        self.apply(Event::AttemptEnded { attempt, end });
    }

    /// The attempt (`task/step.number`) ends well; what follows from that.
    pub fn ok(&mut self, attempt: &str) -> Vec<String> {
        self.end(attempt, Ending::Succeeded);
        self.act()
    }

    /// The attempt fails; what follows from that.
    pub fn fail(&mut self, attempt: &str, class: FailureClass) -> Vec<String> {
        self.end(attempt, failed(class));
        self.act()
    }

    /// The attempt was the supervisor's own and died with it, or was stopped by a second Ctrl-C.
    pub fn interrupt(&mut self, attempt: &str) {
        let reason = StopReason::Interrupted;
        self.apply(Event::AttemptStopping { attempt: id(attempt), reason });
        self.end(attempt, failed(FailureClass::Interrupted));
    }

    pub fn cancel(&mut self, task: &str) -> Vec<String> {
        self.apply(Event::CancelRequested { tasks: vec![task.into()] });
        self.act()
    }

    pub fn retry(&mut self, task: &str) -> Vec<String> {
        self.apply(Event::RetryRequested {
            tasks: vec![task.into()],
            onto: None,
            snapshots: std::collections::BTreeMap::new(),
            edited: Vec::new(),
        });
        self.act()
    }

    pub fn later(&mut self, ms: i64) -> Vec<String> {
        self.now += ms;
        self.act()
    }

    /// Every step of the task ends well at its first attempt.
    pub fn succeed(&mut self, task: &str) -> Vec<String> {
        let steps = ["branch", "agent", "commit", "verify"];
        steps.iter().flat_map(|step| self.ok(&format!("{task}/{step}.1"))).collect()
    }

    pub fn task_state(&self, task: &str) -> TaskState {
        let position = self.state.position(&TaskId::from(task)).unwrap();
        self.state.task_state(position, &self.state.standings())
    }

    pub fn view(&self, task: &str) -> crate::model::TaskView {
        let position = self.state.position(&TaskId::from(task)).unwrap();
        self.state.task_view(position, &self.state.standings())
    }

    pub fn finished(&self) -> Option<RunState> {
        self.state.finished.map(|(state, _)| state)
    }
}

pub fn failed(class: FailureClass) -> Ending {
    Ending::Failed { failure: Failure::new(class, "made up") }
}

/// `task/step.number`.
pub fn id(text: &str) -> AttemptId {
    let (task, rest) = text.split_once('/').unwrap();
    let (step, number) = rest.split_once('.').unwrap();
    AttemptId { task: task.into(), step: step.into(), number: number.parse().unwrap() }
}
