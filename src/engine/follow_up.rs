//! What agents were asked for after their tasks were done, because of what people or checks said on the pull
//! request.

use super::state::State;
use crate::model::{
    AttemptView, Ending, Event, FollowUp, FollowUpEnd, FollowUpKind, LogView, TaskId, Timestamp,
};
use std::collections::BTreeMap;

/// What the verification of a follow-up is called where the steps of a task are.
pub const FOLLOW_UP_VERIFY: &str = "follow-up-verify";

/// A follow-up and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// What was asked.
    pub asked: FollowUp,
    /// When.
    pub at: Timestamp,
    /// What came of it, and when; `None`: it is under way, or was when somebody killed it.
    pub end: Option<(FollowUpEnd, Timestamp)>,
    /// The task began anew since: it says nothing about the work there is now.
    retired: bool,
}

/// The follow-ups of each task, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FollowUps(BTreeMap<TaskId, Vec<Followed>>);

impl FollowUps {
    pub(super) fn apply(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::FollowUpStarting { follow_up } => {
                let asked = FollowUp::clone(follow_up);
                let known = self.0.entry(asked.task.clone()).or_default();
                known.push(Followed { asked, at, end: None, retired: false });
            }
            Event::FollowUpEnded { end } => {
                let last = self.0.get_mut(&end.task).and_then(|known| known.last_mut());
                if let Some(last) = last.filter(|last| last.end.is_none()) {
                    last.end = Some((FollowUpEnd::clone(end), at));
                }
            }
            Event::RetryRequested { tasks, .. } => {
                for task in tasks {
                    let known = self.0.get_mut(task).into_iter().flatten();
                    known.for_each(|followed| followed.retired = true);
                }
            }
            _ => {}
        }
    }

    /// All of a task, also those of before it began anew.
    pub fn of(&self, task: &TaskId) -> &[Followed] {
        self.0.get(task).map_or(&[], Vec::as_slice)
    }

    /// The last one, if it is about the work that there is now.
    #[must_use]
    pub fn last(&self, task: &TaskId) -> Option<&Followed> {
        self.of(task).last().filter(|last| !last.retired)
    }

    /// The one that has no end yet.
    #[must_use]
    pub fn open(&self, task: &TaskId) -> Option<&FollowUp> {
        self.last(task).filter(|last| last.end.is_none()).map(|last| &last.asked)
    }

    /// How often the agent was asked so about a pull request of the work that there is now. What a crash, or
    /// a session that is gone, kept from being tried does not count.
    #[must_use]
    pub fn tried(&self, task: &TaskId, kind: FollowUpKind, pull: u64) -> u32 {
        use crate::model::FailureClass as C;
        let counts = |followed: &&Followed| {
            let failure = followed.end.as_ref().and_then(|(end, _)| end.ending.failure());
            let untried = |class| matches!(class, C::Interrupted | C::SessionGone | C::Cancelled);
            !followed.retired
                && followed.asked.kind == kind
                && followed.asked.pull == pull
                && !failure.is_some_and(|failure| untried(failure.class))
        };
        u32::try_from(self.of(task).iter().filter(counts).count()).unwrap_or(u32::MAX)
    }

    /// The number of the next attempt of a kind: no two share a folder.
    #[must_use]
    pub fn next(&self, task: &TaskId, kind: FollowUpKind) -> u32 {
        let numbers = self.of(task).iter().filter(|f| f.asked.kind == kind).map(|f| f.asked.number);
        numbers.max().unwrap_or(0) + 1
    }

    /// The commit that the last one made.
    pub(super) fn commit(&self, task: &TaskId) -> Option<&str> {
        let mut all = self.of(task).iter().rev().filter(|followed| !followed.retired);
        all.find_map(|followed| followed.end.as_ref()?.0.commit.as_deref())
    }

    pub(super) fn logs(&self, task: &TaskId) -> impl Iterator<Item = LogView> + '_ {
        let log = |step: &str, attempt| LogView { step: step.to_owned(), attempt };
        self.of(task).iter().flat_map(move |followed| {
            let (asked, end) = (&followed.asked, followed.end.as_ref());
            let verified = end.and_then(|(end, _)| end.verification);
            let verified = verified.map(|number| log(FOLLOW_UP_VERIFY, number));
            std::iter::once(log(asked.kind.step(), asked.number)).chain(verified)
        })
    }

    pub(super) fn attempts(&self, task: &TaskId) -> impl Iterator<Item = AttemptView> + '_ {
        self.of(task).iter().map(|followed| {
            let end = followed.end.as_ref().map(|(end, _)| end);
            let usage = end.map(|end| end.usage.clone()).unwrap_or_default();
            AttemptView {
                number: followed.asked.number,
                step: followed.asked.kind.step().to_owned(),
                pid: None,
                started_at: followed.at,
                finished_at: followed.end.as_ref().map(|(_, at)| *at),
                seconds: None,
                exit_code: None,
                signal: None,
                outcome: end.map(|end| end.ending.outcome()),
                session: usage.session,
                cost_usd: usage.cost_usd,
                tokens: usage.tokens,
                agent: Some(followed.asked.agent.clone()),
                resources: None,
                live: None,
            }
        })
    }
}

impl State {
    /// The session that the task's last agent, if it was this one, can go on with.
    #[must_use]
    pub fn last_session(&self, task: usize, agent: &str) -> Option<String> {
        let id = &self.spec.tasks[task].id;
        if let Some(last) = self.follow_ups.last(id) {
            // What a failed one did is not in the worktree any more, as its session has it.
            let (end, _) = last.end.as_ref().filter(|(end, _)| end.ending == Ending::Succeeded)?;
            let session = end.usage.session.clone().or_else(|| last.asked.session.clone());
            return session.filter(|_| last.asked.agent == agent);
        }
        let steps = self.spec.tasks[task].steps.iter().zip(&self.tasks[task].steps);
        let agents = steps.filter(|(spec, _)| matches!(spec.kind, crate::model::StepKind::Agent));
        let last = agents.filter_map(|(_, step)| step.attempts.last()).next_back()?;
        let own = last.beginning.agent.as_deref().unwrap_or(&self.spec.tasks[task].agent);
        self.session(task, last).filter(|_| own == agent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Failure, FailureClass, Usage};

    fn starting(kind: FollowUpKind, number: u32) -> Event {
        let follow_up = FollowUp {
            task: "t".into(),
            kind,
            number,
            pull: 7,
            agent: "a".to_owned(),
            session: None,
            start: "1".to_owned(),
            about: vec!["build".to_owned()],
        };
        Event::FollowUpStarting { follow_up: Box::new(follow_up) }
    }

    fn ended(class: Option<FailureClass>, commit: Option<&str>) -> Event {
        let ending = class.map_or(Ending::Succeeded, |class| Ending::Failed {
            failure: Failure::new(class, "no"),
        });
        let end = FollowUpEnd {
            task: "t".into(),
            ending,
            commit: commit.map(str::to_owned),
            note: None,
            verification: None,
            usage: Usage::default(),
        };
        Event::FollowUpEnded { end: Box::new(end) }
    }

    #[test]
    fn what_was_tried_counts_until_the_task_begins_anew() {
        let (mut all, task) = (FollowUps::default(), TaskId::from("t"));
        let events = [
            starting(FollowUpKind::Fix, 1),
            ended(Some(FailureClass::VerifyFailed), None),
            starting(FollowUpKind::Fix, 2),
            ended(Some(FailureClass::Interrupted), None),
            starting(FollowUpKind::Address, 1),
            ended(None, Some("2")),
            starting(FollowUpKind::Fix, 3),
        ];
        for event in &events {
            all.apply(event, Timestamp(0));
        }
        assert_eq!(all.tried(&task, FollowUpKind::Fix, 7), 2, "not the one that was lost");
        assert_eq!(all.tried(&task, FollowUpKind::Fix, 8), 0, "another pull request");
        assert_eq!(all.open(&task).map(|open| open.number), Some(3));
        assert_eq!(all.commit(&task), Some("2"));
        let retry = Event::RetryRequested {
            tasks: vec!["t".into(), "other".into()],
            onto: None,
            snapshots: BTreeMap::new(),
            edited: Vec::new(),
        };
        all.apply(&retry, Timestamp(0));
        assert_eq!(all.tried(&task, FollowUpKind::Fix, 7), 0);
        assert!(all.open(&task).is_none() && all.commit(&task).is_none());
        assert_eq!(all.next(&task, FollowUpKind::Fix), 4, "its folder is taken all the same");
    }
}
