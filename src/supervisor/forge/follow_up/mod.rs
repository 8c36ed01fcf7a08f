//! `orch pr address` and `orch pr fix`: what people and checks say on a pull request goes to the agent of its
//! task, and what that does goes to the pull request.
//!
//! Level-triggered like everything else: each command first ends what an earlier one began (an agent at work, a
//! commit that was not pushed, an answer that was not given), as the journal and GitHub show it. The branch is
//! never forced. What a stranger writes never reaches an agent.

mod address;
mod fix;
mod prompt;
mod remarks;
mod work;

pub use work::follow_up_at_work;

use super::Desk;
use super::pushing::Branch;
use crate::engine::PullRequest;
use crate::forge::{Discussion, ForgeError, Pull, PullState};
use crate::model::{
    AgentProfile, FollowUpEnd, FollowUpKind, Link, PullStanding, TaskId, TaskState,
};
use crate::supervisor::SupervisorError;
use std::collections::BTreeMap;
use std::time::Duration;
use work::{Ask, Workshop};

/// Whose pull requests, and how far to go.
#[derive(Clone, Debug, Default)]
pub struct FollowUpOptions {
    /// Only these tasks; all with an open pull request when empty.
    pub only: Vec<TaskId>,
    /// Accounts whose remarks are heard, whatever they are to the repository.
    pub reviewers: Vec<String>,
    /// Who is asked where the task's own agent reads no text.
    pub helper: Option<AgentProfile>,
    /// How often an agent is asked about the checks of a pull request.
    pub most: u32,
    /// How long checks are waited for; `None`: not at all.
    pub wait: Option<Duration>,
    /// Though GitHub failed several times in a row just now.
    pub now: bool,
}

/// What became of a pull request that was to be followed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FollowUpOutcome {
    /// Nobody asked for anything that is not answered.
    NothingOpen,
    /// The agent's work is on the pull request, and what was said is answered.
    Addressed {
        /// The commit; `None`: the agent saw no need to change anything.
        commit: Option<String>,
        /// Answers that were given.
        answers: usize,
        /// Threads that were closed.
        resolved: usize,
        /// The agent's closing words.
        note: Option<String>,
    },
    /// All checks passed; after so many fixes by this command.
    Passed(u32),
    /// No check failed, and these have not ended; empty: none has been reported.
    Pending(Vec<String>),
    /// The agent's work on these checks is on the pull request; they start again.
    Fixed {
        /// The commit.
        commit: String,
        /// What failed before.
        checks: Vec<String>,
    },
    /// The agent saw nothing to change that would make these checks pass.
    NotMended {
        /// What fails.
        checks: Vec<String>,
        /// The agent's closing words.
        note: Option<String>,
    },
    /// An agent was asked so often, and these checks still fail.
    GivenUp {
        /// How often.
        tries: u32,
        /// What fails.
        checks: Vec<String>,
    },
    /// The agent, or the verification of what it did, failed; the pull request is as it was.
    Failed {
        /// Why.
        why: String,
        /// Where its log is: the step.
        step: &'static str,
    },
    /// It has none.
    NoPullRequest,
    /// It is merged.
    Merged,
    /// It was closed unmerged.
    Closed,
    /// Its task is at work, or is to be.
    Busy(TaskState),
    /// It is of several tasks, and it was not said whose agent is meant.
    OfMany(Vec<String>),
    /// Its branch on GitHub and the one here went different ways.
    Diverged,
    /// It cannot be done as things are.
    Refused(String),
    /// GitHub does not answer, or checks take longer than they were waited for. The next command goes on.
    Waiting(String),
}

/// A task, its pull request and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowedUp {
    /// The task's name.
    pub name: String,
    /// The pull request.
    pub link: Option<Link>,
    /// What became of it.
    pub outcome: FollowUpOutcome,
    /// Remarks that no agent was shown, by who made them.
    pub unheard: BTreeMap<String, usize>,
}

/// A pull request that can be followed up.
struct Case {
    known: PullRequest,
    /// The task whose agent is asked.
    position: usize,
    task: TaskId,
    unheard: BTreeMap<String, usize>,
}

/// Either goes on with something, or says what became of the pull request.
type Settled<T> = Result<T, FollowUpOutcome>;

/// How much of a discussion is to be addressed, and how much is not answered but of people not heard.
pub(super) fn open_remarks(discussion: &Discussion, reviewers: &[String]) -> (usize, usize) {
    let sorted = remarks::Sorted::of(discussion, reviewers);
    (sorted.open.len(), sorted.unheard.values().sum())
}

impl Desk<'_> {
    /// Gives what reviewers said to the tasks' agents.
    ///
    /// # Errors
    /// No credentials, no such repository, the journal, git; a person ended it.
    pub async fn address(
        &mut self,
        options: &FollowUpOptions,
    ) -> Result<Vec<FollowedUp>, SupervisorError> {
        self.follow_up(FollowUpKind::Address, options).await
    }

    /// Gives checks that failed to the tasks' agents.
    ///
    /// # Errors
    /// As [`Desk::address`].
    pub async fn fix(
        &mut self,
        options: &FollowUpOptions,
    ) -> Result<Vec<FollowedUp>, SupervisorError> {
        self.follow_up(FollowUpKind::Fix, options).await
    }

    async fn follow_up(
        &mut self,
        kind: FollowUpKind,
        options: &FollowUpOptions,
    ) -> Result<Vec<FollowedUp>, SupervisorError> {
        let mut all = Vec::new();
        for chosen in self.chosen(&options.only) {
            let done = match chosen {
                Err(done) => done,
                Ok(mut case) => {
                    let settled = self.follow_up_one(kind, &mut case, options).await;
                    self.told(case, settled).await?
                }
            };
            all.push(done);
        }
        Ok(all)
    }

    /// What an earlier command began comes to its end first.
    async fn follow_up_one(
        &mut self,
        kind: FollowUpKind,
        case: &mut Case,
        options: &FollowUpOptions,
    ) -> Result<Settled<FollowUpOutcome>, SupervisorError> {
        if let Err(outcome) = self.look(case, options).await? {
            return Ok(Err(outcome));
        }
        self.conclude(case, options).await?;
        match kind {
            FollowUpKind::Address => self.address_one(case, options).await,
            FollowUpKind::Fix => self.fix_one(case, options).await,
        }
    }

    /// A pull request with what became of it. GitHub not answering is an outcome.
    async fn told(
        &mut self,
        case: Case,
        settled: Result<Settled<FollowUpOutcome>, SupervisorError>,
    ) -> Result<FollowedUp, SupervisorError> {
        // Whatever happened while it was given back.
        self.regain().await?;
        let outcome = match settled {
            Ok(Ok(outcome) | Err(outcome)) => outcome,
            Err(SupervisorError::Forge(
                error @ (ForgeError::Down { .. }
                | ForgeError::Limited { .. }
                | ForgeError::Odd { .. }),
            )) => FollowUpOutcome::Waiting(error.to_string()),
            Err(SupervisorError::Forge(
                error @ (ForgeError::Forbidden { .. }
                | ForgeError::Invalid { .. }
                | ForgeError::NotFound(_)
                | ForgeError::NotNow { .. }),
            )) => FollowUpOutcome::Refused(error.to_string()),
            Err(SupervisorError::Git(error @ crate::git::GitError::Executable { .. })) => {
                FollowUpOutcome::Waiting(crate::agent::mask(&error.to_string()))
            }
            Err(error) => return Err(error),
        };
        let name = self.state().spec.tasks[case.position].name.clone();
        Ok(FollowedUp { name, link: Some(case.known.link), outcome, unheard: case.unheard })
    }

    /// Pull requests that are meant, in the plan's order, each once.
    fn chosen(&self, only: &[TaskId]) -> Vec<Result<Case, FollowedUp>> {
        let state = self.state();
        let mut seen: Vec<u64> = Vec::new();
        let mut all = Vec::new();
        for (position, task) in state.spec.tasks.iter().enumerate() {
            if !only.is_empty() && !only.contains(&task.id) {
                continue;
            }
            let done = |link, outcome| FollowedUp {
                name: task.name.clone(),
                link,
                outcome,
                unheard: BTreeMap::new(),
            };
            let Some(known) = state.forge.pull_of(&task.id) else {
                if !only.is_empty() {
                    all.push(Err(done(None, FollowUpOutcome::NoPullRequest)));
                }
                continue;
            };
            let merged = known.standing == PullStanding::Merged;
            if only.is_empty() && (merged || seen.contains(&known.link.number)) {
                continue;
            }
            seen.push(known.link.number);
            let link = Some(known.link.clone());
            let now_is = state.task_state(position, &state.standings());
            all.push(match () {
                () if merged => Err(done(link, FollowUpOutcome::Merged)),
                () if only.is_empty() && known.tasks.len() > 1 => {
                    Err(done(link, FollowUpOutcome::OfMany(self.names(&known.tasks))))
                }
                () if !now_is.is_final() => Err(done(link, FollowUpOutcome::Busy(now_is))),
                () => Ok(Case {
                    known: known.clone(),
                    position,
                    task: task.id.clone(),
                    unheard: BTreeMap::new(),
                }),
            });
        }
        all
    }

    /// The pull request as GitHub has it, if it is open and may be asked for.
    async fn look(
        &mut self,
        case: &Case,
        options: &FollowUpOptions,
    ) -> Result<Settled<Pull>, SupervisorError> {
        if let Some(until) = self.closed_until().filter(|_| !options.now) {
            return Ok(Err(FollowUpOutcome::Waiting(format!(
                "GitHub failed or limited us; nothing is asked of it before {until}"
            ))));
        }
        self.settle().await;
        let pull = match self.forge.pull(case.known.link.number).await {
            Ok(pull) => pull,
            Err(error) => return Err(self.failed(error)),
        };
        match pull.state {
            PullState::Open => Ok(Ok(pull)),
            PullState::Closed => {
                self.stands(&case.known, PullStanding::Closed, &case.known.head)?;
                Ok(Err(FollowUpOutcome::Closed))
            }
            PullState::Merged => {
                self.merged(&case.known.tasks, &pull)?;
                Ok(Err(FollowUpOutcome::Merged))
            }
        }
    }

    fn workshop(&mut self) -> Workshop<'_> {
        Workshop { world: self.world, ledger: self.ledger, tell: self.tell }
    }

    /// Ends what an earlier command began and did not end. The one that is not done stays undone: it is
    /// looked at again what is to be done.
    async fn conclude(
        &mut self,
        case: &Case,
        options: &FollowUpOptions,
    ) -> Result<(), SupervisorError> {
        if self.state().follow_ups.open(&case.task).is_none() {
            return Ok(());
        }
        self.lock = None;
        let landing = self.world.lock_landing()?.ok_or_else(|| self.world.is_landing())?;
        let (position, helper) = (case.position, options.helper.as_ref());
        let concluded = self.workshop().conclude(position, helper).await;
        drop(landing);
        self.regain().await?;
        concluded.map(drop)
    }

    /// Has the agent work on the branch as it is on GitHub.
    async fn work(
        &mut self,
        case: &Case,
        ask: &Ask<'_>,
    ) -> Result<Settled<FollowUpEnd>, SupervisorError> {
        // Before an agent works in vain.
        self.world.repo.identity()?;
        let landing = self.world.lock_landing()?.ok_or_else(|| self.world.is_landing())?;
        if let Err(why) = self.workshop().open(case.position).await? {
            return Ok(Err(FollowUpOutcome::Refused(why)));
        }
        if let Err(outcome) = self.fast_forward(case)? {
            return Ok(Err(outcome));
        }
        self.lock = None;
        let asked = self.workshop().ask(ask).await;
        drop(landing);
        self.regain().await?;
        let end = match asked? {
            Ok(end) => end,
            Err(why) => return Ok(Err(FollowUpOutcome::Refused(why))),
        };
        if let Some(failure) = end.ending.failure() {
            let step = match end.verification {
                Some(_) => crate::engine::FOLLOW_UP_VERIFY,
                None => ask.kind.step(),
            };
            return Ok(Err(FollowUpOutcome::Failed { why: failure.message.clone(), step }));
        }
        Ok(Ok(end))
    }

    /// Brings the task's branch to what others pushed to it.
    fn fast_forward(&mut self, case: &Case) -> Result<Settled<()>, SupervisorError> {
        // One of several tasks gets theirs when they are united.
        if case.known.tasks.len() > 1 {
            return Ok(Ok(()));
        }
        let (repo, branch) = (&self.world.repo, case.known.branch.clone());
        let tips = self.tips(std::slice::from_ref(&branch))?;
        let Some(theirs) = tips.get(&branch).cloned() else {
            let why = format!("its branch {branch} is gone from {}", self.remote);
            return Ok(Err(FollowUpOutcome::Refused(why)));
        };
        let Some(ours) = repo.branch_tip(&branch)? else {
            return Ok(Err(FollowUpOutcome::Refused(format!("its branch {branch} is gone"))));
        };
        // What is not known here is not contained.
        if theirs == ours || repo.contains(&ours, &theirs).unwrap_or(false) {
            return Ok(Ok(()));
        }
        repo.fetch_branch(self.remote(), &branch)?;
        if !repo.contains(&theirs, &ours)? {
            return Ok(Err(FollowUpOutcome::Diverged));
        }
        let task = &self.state().spec.tasks[case.position];
        let (name, worktree) = (task.name.clone(), self.world.worktree(&task.worktree));
        repo.fast_forward(&worktree, &branch, &theirs)?;
        let short = theirs.get(..10).unwrap_or(&theirs);
        self.say(&format!("{name}: brought to {short}, which somebody pushed to its branch"));
        Ok(Ok(()))
    }

    /// Brings a follow-up's commit to the pull request.
    async fn deliver(&mut self, case: &Case, commit: &str) -> Result<Settled<()>, SupervisorError> {
        if case.known.tasks.len() > 1 {
            return self.deliver_united(case).await;
        }
        let branch = &case.known.branch;
        if self.state().forge.pushed.get(branch).map(String::as_str) == Some(commit) {
            return Ok(Ok(()));
        }
        let tips = self.tips(std::slice::from_ref(branch))?;
        let tip = tips.get(branch);
        // What somebody else pushed on top of it has it.
        if let Some(tip) = tip {
            let repo = &self.world.repo;
            if repo.resolve(tip).is_err() {
                repo.fetch_branch(self.remote(), branch)?;
            }
            if repo.contains(tip, commit)? {
                return Ok(Ok(()));
            }
        }
        Ok(match self.bring(branch, commit, tip)? {
            Branch::There => Ok(()),
            Branch::Foreign(_) => Err(FollowUpOutcome::Diverged),
            Branch::Refused(why) => Err(FollowUpOutcome::Refused(why)),
        })
    }

    /// The same where the pull request is of several tasks: all of their work is united anew.
    async fn deliver_united(&mut self, case: &Case) -> Result<Settled<()>, SupervisorError> {
        use super::PullOutcome as O;
        let name = self.state().spec.tasks[case.position].name.clone();
        let sent = self.send(true).await?;
        let own = sent.into_iter().find(|(of, _)| *of == name).map(|(_, outcome)| outcome);
        Ok(match own {
            Some(O::Queued(why)) => Err(FollowUpOutcome::Waiting(why)),
            Some(O::Foreign(_)) => Err(FollowUpOutcome::Diverged),
            Some(O::Conflict(paths)) => Err(FollowUpOutcome::Refused(format!(
                "what was done conflicts with other tasks of the pull request in {}",
                paths.join(", ")
            ))),
            Some(O::Refused(why)) => Err(FollowUpOutcome::Refused(why)),
            _ => Ok(()),
        })
    }
}
