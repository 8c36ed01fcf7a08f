//! Checks that failed, to the agent and back, until they pass or it was asked often enough.

use super::prompt::Failing;
use super::work::Ask;
use super::{Case, FollowUpOptions, FollowUpOutcome, Settled, prompt};
use crate::forge::{Check, CheckState, Checks};
use crate::model::{Ending, FollowUpKind};
use crate::supervisor::SupervisorError;
use crate::supervisor::forge::Desk;
use std::time::{Duration, Instant};

/// Between two looks at checks: a tenth of the time so far, within these bounds.
const LOOKS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

impl Desk<'_> {
    pub(super) async fn fix_one(
        &mut self,
        case: &mut Case,
        options: &FollowUpOptions,
    ) -> Result<Settled<FollowUpOutcome>, SupervisorError> {
        let mut fixes = 0;
        loop {
            if let Err(outcome) = self.deliver_last(case).await? {
                return Ok(Err(outcome));
            }
            let (checks, waited) = match self.ended_checks(case, options).await? {
                Ok(found) => found,
                Err(outcome) => return Ok(Err(outcome)),
            };
            let failed = names(&checks, CheckState::Failed);
            if failed.is_empty() {
                let pending = names(&checks, CheckState::Pending);
                return Ok(Ok(match () {
                    () if pending.is_empty() && !checks.0.is_empty() => {
                        FollowUpOutcome::Passed(fixes)
                    }
                    () if waited => FollowUpOutcome::Waiting(still_out(&pending)),
                    () => FollowUpOutcome::Pending(pending),
                }));
            }
            let number = case.known.link.number;
            let tries = self.state().follow_ups.tried(&case.task, FollowUpKind::Fix, number);
            if tries >= options.most {
                return Ok(Err(FollowUpOutcome::GivenUp { tries, checks: failed }));
            }
            let failing = self.evidence(checks).await?;
            let title = self.state().spec.tasks[case.position].title.clone();
            let ask = Ask {
                position: case.position,
                kind: FollowUpKind::Fix,
                pull: number,
                about: failed.clone(),
                text: prompt::of_checks(number, &title, &failing),
                helper: options.helper.as_ref(),
            };
            let end = match self.work(case, &ask).await? {
                Ok(end) => end,
                Err(outcome) => return Ok(Err(outcome)),
            };
            let Some(commit) = end.commit else {
                let note = end.note;
                return Ok(Err(FollowUpOutcome::NotMended { checks: failed, note }));
            };
            fixes += 1;
            if options.wait.is_none() {
                return Ok(self
                    .deliver(case, &commit)
                    .await?
                    .map(|()| FollowUpOutcome::Fixed { commit, checks: failed }));
            }
        }
    }

    /// Pushes what the last follow-up did, where that is not done: its `orch` was killed, or could not.
    async fn deliver_last(&mut self, case: &Case) -> Result<Settled<()>, SupervisorError> {
        let last = self.state().follow_ups.last(&case.task);
        let end = last.and_then(|last| last.end.as_ref()).map(|(end, _)| end);
        let end = end.filter(|end| end.ending == Ending::Succeeded);
        match end.and_then(|end| end.commit.clone()) {
            Some(commit) => self.deliver(case, &commit).await,
            None => Ok(Ok(())),
        }
    }

    /// The checks of the pull request's head: once they have ended, where they are waited for, which takes that
    /// those which failed before have started again. Whether that took too long.
    async fn ended_checks(
        &mut self,
        case: &Case,
        options: &FollowUpOptions,
    ) -> Result<Settled<(Checks, bool)>, SupervisorError> {
        let began = Instant::now();
        let mut said = String::new();
        loop {
            let pull = match self.look(case, options).await? {
                Ok(pull) => pull,
                Err(outcome) => return Ok(Err(outcome)),
            };
            let checks = match self.forge.checks(&pull.head_sha).await {
                Ok(checks) => checks,
                Err(error) => return Err(self.failed(error)),
            };
            let Some(limit) = options.wait else { return Ok(Ok((checks, false))) };
            let last = self.state().follow_ups.last(&case.task);
            let fix = last.filter(|last| {
                let commit = last.end.as_ref().and_then(|(end, _)| end.commit.as_deref());
                last.asked.kind == FollowUpKind::Fix && commit == Some(&*pull.head_sha)
            });
            // Also where nothing was fixed: checks of a head that has just been pushed are not there at once.
            let due = fix.map(|fix| fix.asked.about.clone()).unwrap_or_default();
            let missing: Vec<&String> = due
                .iter()
                .filter(|name| !checks.0.iter().any(|check| check.name == **name))
                .collect();
            let pending = names(&checks, CheckState::Pending);
            let late = pending.is_empty() && !missing.is_empty();
            if late && began.elapsed() >= self.grace {
                let names: Vec<&str> = missing.iter().map(|name| name.as_str()).collect();
                return Ok(Err(FollowUpOutcome::Waiting(format!(
                    "{} did not start again within {:.0?} of the push; does it conflict with {}?",
                    names.join(", "),
                    self.grace,
                    pull.base
                ))));
            }
            let known = self.state().forge.pull(pull.number).cloned();
            let none_yet = match known.filter(|_| checks.0.is_empty()) {
                Some(known) => self.may_yet_start(&known, &pull).await?,
                None => false,
            };
            if pending.is_empty() && !late && !none_yet {
                return Ok(Ok((checks, false)));
            }
            if began.elapsed() >= limit {
                return Ok(Ok((checks, true)));
            }
            let waits =
                if pending.is_empty() { "checks to start".to_owned() } else { pending.join(", ") };
            if said != waits {
                self.say(&format!("#{}: waiting for {waits}", case.known.link.number));
                said = waits;
            }
            self.lock = None;
            let short = LOOKS.0.min(self.forge.pace().saturating_mul(2));
            tokio::time::sleep((began.elapsed() / 10).clamp(short, LOOKS.1)).await;
            self.regain().await?;
        }
    }

    /// What there is to know about the checks that failed. What GitHub does not give is left out.
    async fn evidence(&mut self, checks: Checks) -> Result<Vec<Failing>, SupervisorError> {
        let mut all = Vec::new();
        for check in checks.0.into_iter().filter(|check| check.state == CheckState::Failed) {
            let Check { name, url, summary, run, .. } = check;
            let (mut annotations, mut log) = (Vec::new(), None);
            if let Some(run) = run {
                if run.annotations > 0 {
                    annotations = match self.forge.annotations(run).await {
                        Ok(annotations) => annotations,
                        Err(error) => return Err(self.failed(error)),
                    };
                }
                if run.is_action {
                    log = match self.forge.job_log(run).await {
                        Ok(log) => log,
                        // Where it is kept is not GitHub itself: what else is known has to do.
                        Err(error) => {
                            self.say(&format!("the log of {name} cannot be had: {error}"));
                            None
                        }
                    };
                }
            }
            all.push(Failing { name, url, summary, annotations, log });
        }
        Ok(all)
    }
}

fn names(checks: &Checks, state: CheckState) -> Vec<String> {
    checks.named(state).into_iter().map(str::to_owned).collect()
}

fn still_out(pending: &[String]) -> String {
    if pending.is_empty() {
        return "no check has been reported".to_owned();
    }
    format!("checks have not ended: {}", pending.join(", "))
}
