//! The agent of a task that is done, asked for more: in the task's own worktree, through a shim like every
//! process, and its work verified as the task's was.
//!
//! The branch only grows: what does not pass is taken out of the worktree again and kept under
//! `refs/orch/graveyard/`, and so is what a follow-up left that was killed.

use super::prompt::{self, Before};
use crate::agent::{self, Briefing, Neighbour};
use crate::engine::{FOLLOW_UP_VERIFY, State};
use crate::git::WorktreeSpec;
use crate::model::{
    AgentProfile, AttemptEnd, AttemptId, Dialect, Ending, Event, Failure, FailureClass, FollowUp,
    FollowUpEnd, FollowUpKind, Phase, StepId, StepKind, StepSpec, TaskId, shell_word,
};
use crate::process::{self, Finished};
use crate::supervisor::attempt::{self, Job};
use crate::supervisor::builtin::subject;
use crate::supervisor::foreground::{end, finished, run};
use crate::supervisor::world::create_dir;
use crate::supervisor::{Ledger, SupervisorError, World, agents, record};
use std::path::Path;

/// What the set-up of a worktree that was made anew is called where the steps of a task are.
const SETUP: &str = "follow-up-setup";

/// How much of a failed verification the agent is shown, bytes.
const SHOWN: usize = 8 << 10;

/// What an agent is asked for.
pub(super) struct Ask<'a> {
    /// The task, by its position.
    pub position: usize,
    pub kind: FollowUpKind,
    pub pull: u64,
    /// Names of what it is about.
    pub about: Vec<String>,
    /// The text, without what the task was.
    pub text: String,
    /// Who is asked where the task's own agent reads no text.
    pub helper: Option<&'a AgentProfile>,
}

/// Why the agent is not asked at all.
pub(super) type Why = String;

/// One who asks, in a repository and a run.
pub(super) struct Workshop<'a> {
    pub world: &'a World,
    pub ledger: &'a mut Ledger,
    pub tell: &'a mut dyn FnMut(&str),
}

impl Workshop<'_> {
    fn state(&self) -> &State {
        self.ledger.state()
    }

    /// Makes the task's worktree where it is gone, with what is on its branch. Whether it is there to be
    /// worked in: with changes that nobody committed it is somebody's.
    pub(super) async fn open(
        &mut self,
        position: usize,
    ) -> Result<Result<(), Why>, SupervisorError> {
        let task = self.state().spec.tasks[position].clone();
        let path = self.world.worktree(&task.worktree);
        let Some(tip) = self.world.repo.branch_tip(&task.branch)? else {
            return Ok(Err(format!("its branch {} is gone", task.branch)));
        };
        if path.exists() {
            let found = self.world.repo.worktree_state(&path, &tip)?;
            if found.branch.as_deref() != Some(&task.branch) {
                return Ok(Err(format!("{} is not on {}", task.worktree, task.branch)));
            }
            if found.dirty_count > 0 || found.operation.is_some() {
                return Ok(Err(format!(
                    "{} has uncommitted changes; commit them, or put them away",
                    task.worktree
                )));
            }
            return Ok(Ok(()));
        }
        let (id, branch) = (task.id.to_string(), task.branch.clone());
        self.world.worktrees.create(&WorktreeSpec { id, path, branch, base: tip.clone() })?;
        (self.tell)(&format!("{}: its worktree was made again", task.name));
        let steps: Vec<StepSpec> = commands_of(&task.steps, Phase::Setup);
        let job = self.job(position, &tip, SETUP, 1, None);
        for step in steps {
            if let Some((failure, _)) = self.commands(&job, &step, SETUP).await?.1 {
                return Ok(Err(format!("the set-up of its worktree failed: {}", failure.message)));
            }
        }
        Ok(Ok(()))
    }

    /// Asks the agent, again where its work does not pass and the task's retries allow it.
    pub(super) async fn ask(
        &mut self,
        ask: &Ask<'_>,
    ) -> Result<Result<FollowUpEnd, Why>, SupervisorError> {
        let profile = match self.profile(ask) {
            Ok(profile) => profile,
            Err(why) => return Ok(Err(why)),
        };
        let task = self.state().spec.tasks[ask.position].clone();
        let Some(start) = self.world.repo.branch_tip(&task.branch)? else {
            return Ok(Err(format!("its branch {} is gone", task.branch)));
        };
        let retries = agent_step(&task.steps).map_or(0, |step| step.retries);
        let mut session = self.state().last_session(ask.position, &profile.name);
        let mut before: Option<(Failure, String)> = None;
        let mut tried = 0;
        loop {
            if let Some(failure) = self.state().unpayable(ask.position, &profile.name) {
                return Ok(Err(failure.message));
            }
            let shown =
                before.as_ref().map(|(failure, output)| Before { error: &failure.message, output });
            let remembers = session.is_some();
            let (end, output) = self.once(ask, &profile, &start, session.take(), shown).await?;
            let Some(failure) = end.ending.failure().cloned() else { return Ok(Ok(end)) };
            match failure.class {
                // The next begins a new one.
                FailureClass::SessionGone if remembers => {}
                FailureClass::VerifyFailed if tried < retries => {
                    tried += 1;
                    (self.tell)(&format!("{}: {}; asking once more", task.name, failure.message));
                    session.clone_from(&end.usage.session);
                    before = Some((failure, output));
                }
                _ => {
                    self.put_back(&task.id, ask.position, &start)?;
                    return Ok(Ok(end));
                }
            }
        }
    }

    fn profile(&self, ask: &Ask<'_>) -> Result<AgentProfile, Why> {
        let state = self.state();
        let task = &state.spec.tasks[ask.position];
        // A shell agent runs its prompt and reads nothing.
        let own = state.spec.agents.get(&task.agent).filter(|own| own.output != Dialect::Shell);
        let reads = |profile: &&AgentProfile| profile.output != Dialect::Shell;
        let chosen = own.or(ask.helper.filter(reads)).ok_or(
            "the shell agent reads no remarks; set `agent` in orch.toml to one that does"
                .to_owned(),
        )?;
        // That nothing has to be changed is an answer.
        Ok(AgentProfile { requires_changes: Some(false), ..chosen.clone() })
    }

    /// One attempt from its intent to its end; a failed verification leaves the worktree as it is. With the end of
    /// what the verification printed.
    async fn once(
        &mut self,
        ask: &Ask<'_>,
        profile: &AgentProfile,
        start: &str,
        session: Option<String>,
        before: Option<Before<'_>>,
    ) -> Result<(FollowUpEnd, String), SupervisorError> {
        let task = self.state().spec.tasks[ask.position].clone();
        let session = session.filter(|_| profile.continues_sessions());
        let number = self.state().follow_ups.next(&task.id, ask.kind);
        let step = ask.kind.step();
        let job = self.job(ask.position, start, step, number, Some(profile));
        let text = self.text(ask, &job, session.is_some(), before)?;
        (self.tell)(&format!(
            "{}: asking {}; see: orch logs {} --step {step} -f",
            task.name,
            profile.name,
            shell_word(&task.name)
        ));
        let follow_up = FollowUp {
            task: task.id.clone(),
            kind: ask.kind,
            number,
            pull: ask.pull,
            agent: profile.name.clone(),
            session: session.clone(),
            start: start.to_owned(),
            about: ask.about.clone(),
        };
        self.ledger.record(vec![Event::FollowUpStarting { follow_up: Box::new(follow_up) }])?;
        create_dir(&job.dir)?;
        let stored = self.world.layout.prompt(&job.run, &task.id);
        let env = read_prompt(&stored).map(|prompt| prompt.front.env).unwrap_or_default();
        let plan = agents::plan_text(self.world, &job, &text, &env, session.as_deref(), &[]);
        let finished = match plan {
            Ok(plan) => run(&job.dir, &plan.shim).await?,
            Err(failure) => {
                return self.ended(&job, AttemptEnd::failed(failure), None, String::new());
            }
        };
        self.judge(ask.position, &job, finished).await
    }

    /// From how the agent ended to what is recorded: committed, verified.
    async fn judge(
        &mut self,
        position: usize,
        job: &Job,
        finished: Finished,
    ) -> Result<(FollowUpEnd, String), SupervisorError> {
        let mut end = attempt::judge(self.world, job, Ok(finished));
        let (mut verification, mut output) = (None, String::new());
        if end.ending == Ending::Succeeded {
            match self.commit(job) {
                Ok(commit) => end.commit = commit,
                Err(failure) => end.ending = Ending::Failed { failure },
            }
        }
        if end.commit.is_some() {
            let steps = commands_of(&self.state().spec.tasks[position].steps, Phase::Testing);
            for step in steps {
                let (number, failed) = self.commands(job, &step, FOLLOW_UP_VERIFY).await?;
                verification = Some(number);
                if let Some((failure, printed)) = failed {
                    end.ending = Ending::Failed { failure };
                    output = printed;
                    break;
                }
            }
        }
        self.ended(job, end, verification, output)
    }

    fn ended(
        &mut self,
        job: &Job,
        end: AttemptEnd,
        verification: Option<u32>,
        output: String,
    ) -> Result<(FollowUpEnd, String), SupervisorError> {
        let succeeded = end.ending == Ending::Succeeded;
        let end = FollowUpEnd {
            task: job.task.id.clone(),
            commit: end.commit.filter(|_| succeeded),
            ending: end.ending,
            note: end.note,
            verification,
            usage: end.usage,
        };
        self.ledger.record(vec![Event::FollowUpEnded { end: Box::new(end.clone()) }])?;
        Ok((end, output))
    }

    /// Commits what the agent left; `None` where it changed nothing.
    fn commit(&self, job: &Job) -> Result<Option<String>, Failure> {
        let what = match job.id.step.as_str() {
            "fix" => "Mend the checks of",
            _ => "Address the review of",
        };
        let message = format!(
            "{what} {}\n\nOrch-Task: {}\nOrch-Run: {}\n",
            subject(&job.task),
            job.task.id,
            job.run
        );
        let git = |error: crate::git::GitError| Failure::new(FailureClass::Git, error.to_string());
        let (worktree, branch) = (self.world.worktree(&job.task.worktree), &job.task.branch);
        let repo = &self.world.repo;
        let head = repo.commit_worktree(&worktree, branch, &job.start, &message).map_err(git)?.head;
        if head == job.start {
            return Ok(None);
        }
        if !repo.contains(&head, &job.start).map_err(git)? {
            let text = "it rewrote commits that are in the pull request";
            return Err(Failure::new(FailureClass::Git, text));
        }
        repo.settle(&head, &job.start, branch).map_err(git)?;
        Ok(Some(head))
    }

    /// What an earlier `orch` began and did not end: waited for where it still runs, and judged; or put back.
    pub(super) async fn conclude(
        &mut self,
        position: usize,
        helper: Option<&AgentProfile>,
    ) -> Result<Option<FollowUpEnd>, SupervisorError> {
        let id = self.state().spec.tasks[position].id.clone();
        let Some(open) = self.state().follow_ups.open(&id).cloned() else { return Ok(None) };
        let name = self.state().spec.tasks[position].name.clone();
        (self.tell)(&format!("{name}: going on with what {} was asked before", open.agent));
        let agents = &self.state().spec.agents;
        let helper = helper.filter(|helper| helper.name == open.agent);
        let profile = agents.get(&open.agent).or(helper).cloned();
        let profile = profile.map(|own| AgentProfile { requires_changes: Some(false), ..own });
        let step = open.kind.step();
        let job = self.job(position, &open.start, step, open.number, profile.as_ref());
        let finished = match finished(&job.dir).await? {
            Some(result) => Finished::Done(result),
            None => Finished::Lost { survivors_ended: 0 },
        };
        let (end, _) = self.judge(position, &job, finished).await?;
        if end.ending != Ending::Succeeded {
            self.put_back(&id, position, &open.start)?;
        }
        Ok(Some(end))
    }

    fn put_back(
        &mut self,
        id: &TaskId,
        position: usize,
        start: &str,
    ) -> Result<(), SupervisorError> {
        let task = &self.state().spec.tasks[position];
        let (name, branch) = (task.name.clone(), task.branch.clone());
        let worktree = self.world.worktree(&task.worktree);
        if !worktree.exists() {
            return Ok(());
        }
        let kept = self.world.repo.rewind_worktree(&worktree, &branch, start, id.as_str())?;
        if let Some(kept) = kept {
            (self.tell)(&format!("{name}: what was done is kept under {kept}"));
        }
        Ok(())
    }

    /// Runs a step of commands; the number of its log, and why it failed with the end of what it printed.
    async fn commands(
        &mut self,
        job: &Job,
        step: &StepSpec,
        called: &str,
    ) -> Result<(u32, Option<(Failure, String)>), SupervisorError> {
        let StepKind::Commands { run: commands } = &step.kind else { return Ok((0, None)) };
        (self.tell)(&format!("{}: {}", job.task.name, step.id));
        let mut number = 1;
        let (id, dir) = loop {
            let id = AttemptId { number, step: StepId::from(called), task: job.task.id.clone() };
            let dir = self.world.layout.attempt(&job.run, &id);
            if !dir.exists() {
                break (id, dir);
            }
            end(&dir).await?;
            number += 1;
        };
        create_dir(&dir)?;
        let step = StepSpec { id: id.step.clone(), ..step.clone() };
        let job = Job { id, dir, step, ..job.clone() };
        let shim = attempt::commands(self.world, &job, commands);
        let finished = run(&job.dir, &shim).await?;
        let end = attempt::judge(self.world, &job, Ok(finished));
        let failure = end.ending.failure().cloned();
        Ok((number, failure.map(|failure| (failure, attempt::tail(&job.dir, SHOWN)))))
    }

    fn text(
        &self,
        ask: &Ask<'_>,
        job: &Job,
        remembers: bool,
        before: Option<Before<'_>>,
    ) -> Result<String, SupervisorError> {
        record::ensure_prompt(self.world, &job.run, &job.task.id)?;
        let mut body = ask.text.clone();
        if !remembers {
            let stored = self.world.layout.prompt(&job.run, &job.task.id);
            let task = read_prompt(&stored).map(|prompt| prompt.body).unwrap_or_default();
            body = prompt::with_task(&body, &task);
        }
        if let Some(before) = before {
            body = prompt::with_before(&body, before);
        }
        let verify: Vec<String> = commands_of(&job.task.steps, Phase::Testing)
            .into_iter()
            .flat_map(|step| match step.kind {
                StepKind::Commands { run } => run,
                _ => Vec::new(),
            })
            .collect();
        let others: Vec<Neighbour<'_>> = Vec::new();
        Ok(agent::compose(&Briefing {
            title: body.lines().next().unwrap_or_default(),
            body: &body,
            worktree: &self.world.worktree(&job.task.worktree),
            branch: &job.task.branch,
            base: &job.start,
            phase: Phase::Implementation,
            role: job.task.role.as_deref(),
            constraints: &[],
            verify: &verify,
            others: &others,
            hints: &[],
            previous: None,
        }))
    }

    fn job(
        &self,
        position: usize,
        start: &str,
        step: &str,
        number: u32,
        profile: Option<&AgentProfile>,
    ) -> Job {
        let state = self.state();
        let task = &state.spec.tasks[position];
        let id = AttemptId { task: task.id.clone(), step: StepId::from(step), number };
        let mut job = Job::asked(self.world, state, position, id, profile, start);
        if let Some(like) = agent_step(&task.steps) {
            job.step.timeout_ms = like.timeout_ms;
            job.step.idle_timeout_ms = like.idle_timeout_ms;
        }
        job
    }
}

/// The process of a follow-up of the task that is at work though its `orch` may be gone, by its step.
///
/// # Errors
/// The file system refuses.
pub fn follow_up_at_work(
    world: &World,
    state: &State,
    task: &TaskId,
) -> Result<Option<&'static str>, SupervisorError> {
    let Some(open) = state.follow_ups.open(task) else { return Ok(None) };
    let step = StepId::from(open.kind.step());
    let id = AttemptId { task: task.clone(), step, number: open.number };
    let dir = world.layout.attempt(&state.spec.id, &id);
    let agent = dir.is_dir() && !process::has_ended(&dir)?;
    Ok((agent || world.lock_landing()?.is_none()).then_some(open.kind.step()))
}

fn agent_step(steps: &[StepSpec]) -> Option<&StepSpec> {
    steps.iter().find(|step| matches!(step.kind, StepKind::Agent))
}

/// Steps of a phase that are commands and apply.
fn commands_of(steps: &[StepSpec], phase: Phase) -> Vec<StepSpec> {
    let is_it = |step: &&StepSpec| {
        step.phase == phase
            && step.skip.is_none()
            && matches!(&step.kind, StepKind::Commands { run } if !run.is_empty())
    };
    steps.iter().filter(is_it).cloned().collect()
}

fn read_prompt(stored: &Path) -> Option<crate::prompt::Prompt> {
    let all = crate::prompt::load(std::slice::from_ref(&stored.to_owned()), Path::new("/"));
    all.ok()?.pop()
}
