//! `orch pr create`: what is wanted is made, what exists is brought up to date.

use super::pushing::Branch;
use super::{Desk, text};
use crate::engine::{PullRequest, State, Wanted};
use crate::forge::{ForgeError, NewPull, Pull, PullState};
use crate::git::Merge;
use crate::model::{Event, FailureClass, ForgeWork, Link, PullStanding, TaskId, TaskState, slug};
use crate::supervisor::{Ledger, SupervisorError};
use std::collections::BTreeMap;

/// What pull requests are wanted.
#[derive(Clone, Debug, Default)]
pub struct PullOptions {
    /// One for all tasks.
    pub unified: bool,
    /// As drafts.
    pub draft: bool,
    /// With an issue for each task.
    pub issues: bool,
    /// The branch they go to; the run's own when not given.
    pub into: Option<String>,
}

/// Of which tasks.
#[derive(Clone, Debug)]
pub enum PullChoice {
    /// Of those that are done.
    Finished,
    /// Of these: as drafts where they are not verified.
    Named(Vec<TaskId>),
}

/// What became of a task's pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullOutcome {
    /// It is new.
    Opened(Link),
    /// It has the newest work, or text.
    Updated(Link),
    /// It is as it should be.
    Unchanged(Link),
    /// It was merged.
    Merged(Link),
    /// Somebody closed it unmerged.
    Closed(Link),
    /// Its work conflicts with that of others; it is not part of the one pull request.
    Conflict(Vec<String>),
    /// It changed nothing that is not there already.
    NothingNew,
    /// Its branch on GitHub has commits that are not from here.
    Foreign(String),
    /// GitHub, or a hook, refuses.
    Refused(String),
    /// It has not succeeded.
    NotFinished(TaskState),
    /// It is sent later, and why.
    Queued(String),
}

/// Work that becomes one pull request.
struct Group {
    tasks: Vec<usize>,
    branch: String,
    head: String,
    draft: bool,
    left_out: Vec<String>,
}

/// Records what is wanted, so that it is sent whenever GitHub can be reached. Names and states of the tasks
/// that have nothing to send are returned.
///
/// # Errors
/// The journal refuses; there is no branch for them to go to.
pub fn queue_pulls(
    ledger: &mut Ledger,
    choice: &PullChoice,
    options: &PullOptions,
) -> Result<Vec<(String, PullOutcome)>, SupervisorError> {
    let state = ledger.state();
    let into = options.into.clone().or_else(|| state.spec.target.clone()).ok_or_else(|| {
        SupervisorError::Refused(
            "the run began on a detached HEAD; say where it goes: orch pr create --into BRANCH"
                .to_owned(),
        )
    })?;
    let standings = state.standings();
    let (mut tasks, mut rest, mut merged) = (Vec::new(), Vec::new(), Vec::new());
    for (at, spec) in state.spec.tasks.iter().enumerate() {
        let now_is = state.task_state(at, &standings);
        let named = matches!(choice, PullChoice::Named(ids) if ids.contains(&spec.id));
        if !named && matches!(choice, PullChoice::Named(_)) {
            continue;
        }
        let done =
            matches!(now_is, TaskState::Succeeded | TaskState::Conflicted) && state.is_done(at);
        // Work whose verification failed can be looked at, as a draft.
        let shown = named && is_unverified(state, at) && state.commit(at).is_some();
        if done || shown {
            tasks.push(spec.id.clone());
        } else if now_is == TaskState::Merged && !named {
            merged.push((spec.name.clone(), PullOutcome::NotFinished(now_is)));
        } else if now_is != TaskState::Skipped {
            rest.push((spec.name.clone(), PullOutcome::NotFinished(now_is)));
        }
    }
    // Nothing is said of those, unless there is nothing else to say.
    if tasks.is_empty() && rest.is_empty() {
        rest = merged;
    }
    let (unified, draft, issues) = (options.unified, options.draft, options.issues);
    let is_wanted = |wanted: &Wanted| {
        let asked = (wanted.unified, wanted.draft, wanted.issues, &wanted.into);
        asked == (unified, draft, issues, &into)
            && tasks.iter().all(|task| wanted.tasks.contains(task))
    };
    if !tasks.is_empty() && !state.forge.wanted.as_ref().is_some_and(is_wanted) {
        ledger.record(vec![Event::PullRequestsRequested {
            tasks,
            unified,
            draft,
            issues,
            into,
        }])?;
    }
    Ok(rest)
}

fn is_unverified(state: &State, at: usize) -> bool {
    let view = state.task_view(at, &state.standings());
    view.error.is_some_and(|error| error.class == FailureClass::VerifyFailed)
}

impl Desk<'_> {
    /// Makes what is wanted and missing, and brings up to date what exists. GitHub not answering is an
    /// outcome: what is wanted stays so.
    ///
    /// # Errors
    /// No credentials, no such repository, the journal, git.
    pub async fn send(
        &mut self,
        now_at_once: bool,
    ) -> Result<Vec<(String, PullOutcome)>, SupervisorError> {
        let Some(wanted) = self.state().forge.wanted.clone() else { return Ok(Vec::new()) };
        let mut outcomes = BTreeMap::new();
        if let Some(until) = self.closed_until().filter(|_| !now_at_once) {
            let why = format!("GitHub failed or limited us; nothing is asked of it before {until}");
            return Ok(self.finish(&wanted, outcomes, &why));
        }
        loop {
            match self.pass(&wanted, &mut outcomes).await {
                Ok(()) => return Ok(self.finish(&wanted, outcomes, "")),
                Err(SupervisorError::Forge(
                    error @ (ForgeError::Down { .. }
                    | ForgeError::Limited { .. }
                    | ForgeError::Odd { .. }),
                )) => {
                    let why = error.to_string();
                    if error.until().is_some() || self.closed_until().is_some() {
                        return Ok(self.finish(&wanted, outcomes, &why));
                    }
                    self.say(&format!("{why}; trying again"));
                    tokio::time::sleep(self.forge.timeout().min(std::time::Duration::from_secs(2)))
                        .await;
                }
                Err(SupervisorError::Git(error @ crate::git::GitError::Executable { .. })) => {
                    let why = crate::agent::mask(&error.to_string());
                    return Ok(self.finish(&wanted, outcomes, &why));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn finish(
        &self,
        wanted: &Wanted,
        mut outcomes: BTreeMap<usize, PullOutcome>,
        why: &str,
    ) -> Vec<(String, PullOutcome)> {
        let state = self.state();
        for at in wanted.tasks.iter().filter_map(|task| state.position(task)) {
            outcomes.entry(at).or_insert_with(|| PullOutcome::Queued(why.to_owned()));
        }
        let name = |at: usize| state.spec.tasks[at].name.clone();
        outcomes.into_iter().map(|(at, outcome)| (name(at), outcome)).collect()
    }

    async fn pass(
        &mut self,
        wanted: &Wanted,
        outcomes: &mut BTreeMap<usize, PullOutcome>,
    ) -> Result<(), SupervisorError> {
        self.settle().await;
        let facts = self.facts().await?;
        if facts.archived {
            return Err(ForgeError::Forbidden {
                doing: "pull requests".to_owned(),
                message: format!("{} is archived", facts.full_name),
            }
            .into());
        }
        let mut names: Vec<String> =
            self.state().spec.tasks.iter().map(|task| task.branch.clone()).collect();
        names.extend([wanted.into.clone(), self.branch_of_run()]);
        let tips = self.tips(&names)?;
        let Some(base) = tips.get(&wanted.into).cloned() else {
            return Err(SupervisorError::Refused(format!(
                "{0} is not on {1}; push it first: git push {1} {0}",
                wanted.into, self.remote
            )));
        };
        self.warn_of_unpushed(&base, &wanted.into);
        let groups = self.groups(wanted, &base, outcomes)?;
        self.adopt_pulls(&groups, &wanted.into).await?;
        if wanted.issues && facts.has_issues {
            self.open_issues(&wanted.tasks).await?;
        }
        for group in groups {
            let (tasks, outcome) =
                (group.tasks.clone(), self.bring_up_to_date(group, wanted, &tips).await?);
            for at in tasks {
                outcomes.insert(at, outcome.clone());
            }
        }
        if wanted.issues && facts.has_issues {
            self.list_issues(&wanted.tasks).await?;
        }
        Ok(())
    }

    /// Commits of the target that GitHub does not have would be part of every pull request.
    fn warn_of_unpushed(&mut self, base: &str, into: &str) {
        let start = self.state().spec.base.clone();
        if matches!(self.world.repo.contains(base, &start), Ok(false)) {
            let remote = self.remote.clone();
            self.say(&format!(
                "{into} on {remote} does not have the commit that the run began on; what is new there shows up in every \
                 pull request until you push it: git push {remote} {into}"
            ));
        }
    }

    fn branch_of_run(&self) -> String {
        format!("orch/{}", slug(self.state().spec.id.as_str()))
    }

    /// What is to be in which pull request.
    fn groups(
        &mut self,
        wanted: &Wanted,
        base: &str,
        outcomes: &mut BTreeMap<usize, PullOutcome>,
    ) -> Result<Vec<Group>, SupervisorError> {
        let mut groups = Vec::new();
        for at in wanted.tasks.iter().filter_map(|task| self.state().position(task)) {
            let spec = self.state().spec.tasks[at].clone();
            // The branch is what a person sees, and may have added to.
            let tip = self.world.repo.branch_tip(&spec.branch)?;
            let Some(head) = tip.or_else(|| self.state().commit(at).map(str::to_owned)) else {
                continue;
            };
            let pull = self.state().forge.pull_of(&spec.id);
            if let Some(pull) = pull.filter(|pull| pull.standing != PullStanding::Open) {
                let link = pull.link.clone();
                let outcome = match pull.standing {
                    PullStanding::Merged => PullOutcome::Merged(link),
                    PullStanding::Closed => PullOutcome::Closed(link),
                    PullStanding::Open | PullStanding::Queued => PullOutcome::Unchanged(link),
                };
                outcomes.insert(at, outcome);
                continue;
            }
            let draft = wanted.draft || is_unverified(self.state(), at);
            groups.push(Group {
                tasks: vec![at],
                branch: spec.branch,
                head,
                draft,
                left_out: Vec::new(),
            });
        }
        if wanted.unified {
            self.unite(groups, base, outcomes).map(Vec::from_iter)
        } else {
            Ok(groups)
        }
    }

    /// All work merged into one commit; what conflicts is left out.
    fn unite(
        &mut self,
        groups: Vec<Group>,
        base: &str,
        outcomes: &mut BTreeMap<usize, PullOutcome>,
    ) -> Result<Option<Group>, SupervisorError> {
        let branch = self.branch_of_run();
        let pushed = self.state().forge.pushed.get(&branch).cloned();
        // From what is there already, so that nothing is merged twice.
        let start = match pushed {
            Some(pushed) if self.world.repo.resolve(&pushed).is_ok() => pushed,
            _ => self.start_here(base),
        };
        let mut united =
            Group { tasks: Vec::new(), branch, head: start, draft: false, left_out: Vec::new() };
        for group in groups {
            let at = group.tasks[0];
            let spec = &self.state().spec.tasks[at];
            let message = format!(
                "Merge {}: {}\n\nOrch-Task: {}\nOrch-Run: {}\n",
                spec.name,
                spec.title,
                spec.id,
                self.state().spec.id
            );
            match self.world.repo.merge_commits(&united.head, &group.head, &message)? {
                Merge::UpToDate => {}
                Merge::FastForward(commit) | Merge::Clean { commit, .. } => united.head = commit,
                Merge::Conflict { paths } => {
                    united.left_out.push(format!(
                        "{} (conflicts in {})",
                        spec.name,
                        paths.join(", ")
                    ));
                    outcomes.insert(at, PullOutcome::Conflict(paths));
                    continue;
                }
            }
            united.draft |= group.draft;
            united.tasks.push(at);
        }
        Ok((!united.tasks.is_empty()).then_some(united))
    }

    /// The commit of the base where it is known here, or else what the run began on.
    fn start_here(&self, base: &str) -> String {
        if self.world.repo.resolve(base).is_ok() {
            base.to_owned()
        } else {
            self.state().spec.base.clone()
        }
    }

    /// Pull requests that exist though the journal does not know it: an answer was lost, or a journal.
    async fn adopt_pulls(&mut self, groups: &[Group], into: &str) -> Result<(), SupervisorError> {
        let missing = |desk: &Self| {
            let forge = &desk.state().forge;
            groups.iter().any(|group| forge.pull_from(&group.branch).is_none())
        };
        if !missing(self) {
            return Ok(());
        }
        let since = self.since().to_string();
        let found = match self.forge.pulls_since(&since).await {
            Ok(found) => found,
            Err(error) => return Err(self.failed(error)),
        };
        for group in groups {
            if self.state().forge.pull_from(&group.branch).is_none()
                && let Some(pull) =
                    found.iter().find(|pull| pull.head == group.branch && pull.base == into)
            {
                self.adopt(group, pull)?;
            }
        }
        Ok(())
    }

    fn adopt(&mut self, group: &Group, pull: &Pull) -> Result<(), SupervisorError> {
        let tasks: Vec<TaskId> =
            group.tasks.iter().map(|at| self.state().spec.tasks[*at].id.clone()).collect();
        let mut events = vec![Event::PullRequestOpened {
            tasks: tasks.clone(),
            pull: Link { number: pull.number, url: pull.url.clone() },
            branch: group.branch.clone(),
            // What is on the branch is looked at when it is pushed.
            head: group.head.clone(),
            into: pull.base.clone(),
            draft: pull.draft,
            text: None,
        }];
        if pull.state == PullState::Closed {
            events.push(Event::PullRequestUpdated {
                tasks,
                number: pull.number,
                standing: PullStanding::Closed,
                head: group.head.clone(),
                draft: pull.draft,
                text: None,
            });
        }
        self.record(events)
    }

    async fn bring_up_to_date(
        &mut self,
        group: Group,
        wanted: &Wanted,
        tips: &BTreeMap<String, String>,
    ) -> Result<PullOutcome, SupervisorError> {
        let before = self.state().forge.pushed.get(&group.branch).cloned();
        match self.bring(&group.branch, &group.head, tips.get(&group.branch))? {
            Branch::There => {}
            Branch::Foreign(tip) => return Ok(PullOutcome::Foreign(tip)),
            Branch::Refused(why) => return Ok(PullOutcome::Refused(why)),
        }
        let moved = before.is_some_and(|before| before != group.head);
        let (title, body) = text::of_pull(self.state(), &group.tasks, &group.left_out);
        match self.state().forge.pull_from(&group.branch).cloned() {
            None => self.open(&group, &title, &body, &wanted.into).await,
            Some(pull) if pull.standing == PullStanding::Closed => {
                Ok(PullOutcome::Closed(pull.link))
            }
            Some(pull) => {
                let edited = self.edit(&pull, &group, &title, &body).await?;
                let link = pull.link;
                Ok(if edited || moved {
                    PullOutcome::Updated(link)
                } else {
                    PullOutcome::Unchanged(link)
                })
            }
        }
    }

    async fn open(
        &mut self,
        group: &Group,
        title: &str,
        body: &str,
        into: &str,
    ) -> Result<PullOutcome, SupervisorError> {
        let tasks: Vec<TaskId> =
            group.tasks.iter().map(|at| self.state().spec.tasks[*at].id.clone()).collect();
        self.begin(ForgeWork::OpenPull { branch: group.branch.clone(), tasks: tasks.clone() })?;
        let new = NewPull { head: &group.branch, base: into, title, body, draft: group.draft };
        let pull = match self.forge.open_pull(new).await {
            Ok(pull) => pull,
            Err(error @ ForgeError::Invalid { .. }) => {
                let why = error.to_string();
                drop(self.failed(error));
                // It is there, and the list did not have it yet.
                match self.forge.pull_of(&group.branch).await {
                    Ok(Some(pull)) if pull.base == into && pull.state == PullState::Open => pull,
                    Ok(_) if why.contains("No commits between") => {
                        return Ok(PullOutcome::NothingNew);
                    }
                    Ok(_) => return Ok(PullOutcome::Refused(why)),
                    Err(error) => return Err(self.failed(error)),
                }
            }
            Err(error @ ForgeError::Forbidden { .. }) => {
                let why = error.to_string();
                drop(self.failed(error));
                return Ok(PullOutcome::Refused(why));
            }
            Err(error) => return Err(self.failed(error)),
        };
        let link = Link { number: pull.number, url: pull.url };
        self.record(vec![Event::PullRequestOpened {
            tasks,
            pull: link.clone(),
            branch: group.branch.clone(),
            head: group.head.clone(),
            into: into.to_owned(),
            draft: pull.draft,
            text: Some(text::digest(body)),
        }])?;
        self.say(&format!("pull request #{}: {title}", link.number));
        Ok(PullOutcome::Opened(link))
    }

    /// Its text, and whether it is a draft. Whether anything changed.
    async fn edit(
        &mut self,
        known: &PullRequest,
        group: &Group,
        title: &str,
        body: &str,
    ) -> Result<bool, SupervisorError> {
        let number = known.link.number;
        let digest = text::digest(body);
        let ready = known.draft && !group.draft;
        if known.text.as_ref() == Some(&digest) && !ready {
            return Ok(false);
        }
        let pull = match self.forge.pull(number).await {
            Ok(pull) => pull,
            Err(error) => return Err(self.failed(error)),
        };
        let updated = |standing, draft, text: Option<String>| Event::PullRequestUpdated {
            tasks: known.tasks.clone(),
            number,
            standing,
            head: group.head.clone(),
            draft,
            text,
        };
        match pull.state {
            PullState::Open => {}
            PullState::Closed => {
                self.record(vec![updated(PullStanding::Closed, pull.draft, None)])?;
                return Ok(false);
            }
            PullState::Merged => return self.merged(&known.tasks.clone(), &pull).map(|()| true),
        }
        let new = text::replaced(&pull.body, body);
        let rewritten = new.trim_end() != pull.body.replace("\r\n", "\n").trim_end();
        if rewritten {
            self.begin(ForgeWork::EditPull { number })?;
            if let Err(error) = self.forge.edit_pull(number, title, &new).await {
                return Err(self.failed(error));
            }
        }
        if ready && pull.draft {
            self.begin(ForgeWork::ReadyPull { number })?;
            if let Err(error) = self.forge.mark_ready(&pull.node_id).await {
                return Err(self.failed(error));
            }
        }
        self.record(vec![updated(PullStanding::Open, pull.draft && !ready, Some(digest))])?;
        Ok(rewritten || ready)
    }

    /// Records that a pull request is merged, and with it its tasks.
    pub(super) fn merged(&mut self, tasks: &[TaskId], pull: &Pull) -> Result<(), SupervisorError> {
        let commit = pull.merge_commit.clone().unwrap_or_else(|| pull.head_sha.clone());
        let mut events = vec![Event::PullRequestMerged {
            tasks: tasks.to_vec(),
            number: pull.number,
            commit: commit.clone(),
        }];
        events.extend(tasks.iter().map(|task| Event::TaskMerged {
            task: task.clone(),
            into: pull.base.clone(),
            commit: commit.clone(),
            head: (tasks.len() == 1).then(|| pull.head_sha.clone()),
        }));
        self.record(events)
    }
}
