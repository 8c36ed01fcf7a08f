//! What reviewers said, to the agent and back.

use super::remarks::{Open, Sorted, mark, remark_name};
use super::work::Ask;
use super::{Case, FollowUpOptions, FollowUpOutcome, Settled, prompt};
use crate::engine::Followed;
use crate::forge::Discussion;
use crate::model::{Ending, Event, FollowUpEnd, FollowUpKind, ForgeWork};
use crate::supervisor::SupervisorError;
use crate::supervisor::forge::{Desk, text};
use std::fmt::Write as _;

/// How much of a remark an answer to several repeats, characters.
const REPEATED: usize = 60;

impl Desk<'_> {
    pub(super) async fn address_one(
        &mut self,
        case: &mut Case,
        options: &FollowUpOptions,
    ) -> Result<Settled<FollowUpOutcome>, SupervisorError> {
        let number = case.known.link.number;
        let mut before = None;
        loop {
            let discussion = match self.forge.discussion(number).await {
                Ok(discussion) => discussion,
                Err(error) => return Err(self.failed(error)),
            };
            let mut sorted = Sorted::of(&discussion, &options.reviewers);
            case.unheard.clone_from(&sorted.unheard);
            let last = self.state().follow_ups.last(&case.task).cloned();
            if let Some((followed, end)) = last.as_ref().and_then(|last| done(last, number)) {
                let about = &followed.asked.about;
                let owed = |open: &Open| open.names.iter().any(|name| about.contains(name));
                let owed: Vec<Open> = sorted.open.extract_if(.., |open| owed(open)).collect();
                let answered = self.hand_over(case, end, &owed).await?;
                let answers = match answered {
                    Ok(answers) => answers,
                    Err(outcome) => return Ok(Err(outcome)),
                };
                let mut resolved = 0;
                for thread in self.to_close(&followed.asked.about, end, &discussion, &sorted) {
                    resolved += usize::from(self.close_thread(number, &thread).await?);
                }
                if answers + resolved > 0 {
                    before = Some(FollowUpOutcome::Addressed {
                        commit: end.commit.clone(),
                        answers,
                        resolved,
                        note: end.note.clone(),
                    });
                }
            }
            // What came meanwhile is for the next time: somebody decides that, and pays for it.
            if let Some(outcome) = before {
                return Ok(Ok(outcome));
            }
            if sorted.open.is_empty() {
                return Ok(Ok(FollowUpOutcome::NothingOpen));
            }
            let title = self.state().spec.tasks[case.position].title.clone();
            let ask = Ask {
                position: case.position,
                kind: FollowUpKind::Address,
                pull: number,
                about: sorted.open.iter().flat_map(|open| open.names.clone()).collect(),
                text: prompt::of_remarks(number, &title, &sorted.open),
                helper: options.helper.as_ref(),
            };
            if let Err(outcome) = self.work(case, &ask).await? {
                return Ok(Err(outcome));
            }
            // Asked anew, as it took a while: what somebody closed meanwhile is not answered.
        }
    }

    /// Pushes what was done, and answers what it was about. How many answers there were.
    async fn hand_over(
        &mut self,
        case: &Case,
        end: &FollowUpEnd,
        owed: &[Open],
    ) -> Result<Settled<usize>, SupervisorError> {
        if let Some(commit) = &end.commit
            && let Err(outcome) = self.deliver(case, commit).await?
        {
            return Ok(Err(outcome));
        }
        let mut answers = 0;
        let number = case.known.link.number;
        let (on_lines, general): (Vec<&Open>, Vec<&Open>) =
            owed.iter().partition(|open| open.place.is_some());
        for open in on_lines {
            let Some(place) = &open.place else { continue };
            let body = self.answer(case, end, &open.names, &[]);
            self.begin(ForgeWork::Answer { number, to: open.names.clone() })?;
            if let Err(error) = self.forge.reply(number, place.first, &body).await {
                return Err(self.failed(error));
            }
            self.record(vec![Event::ForgeDone])?;
            answers += 1;
        }
        if !general.is_empty() {
            let names: Vec<String> = general.iter().flat_map(|open| open.names.clone()).collect();
            let body = self.answer(case, end, &names, &general);
            self.begin(ForgeWork::Answer { number, to: names })?;
            if let Err(error) = self.forge.comment(number, &body).await {
                return Err(self.failed(error));
            }
            self.record(vec![Event::ForgeDone])?;
            answers += 1;
        }
        Ok(Ok(answers))
    }

    /// Threads that were answered with a change and are open: not those where somebody said more since, nor
    /// those that somebody opened again. What was not changed is for others to close.
    fn to_close(
        &self,
        about: &[String],
        end: &FollowUpEnd,
        discussion: &Discussion,
        sorted: &Sorted,
    ) -> Vec<String> {
        let closed = &self.state().forge.closed;
        let more = |id: &str| {
            let places = sorted.open.iter().filter_map(|open| open.place.as_ref());
            places.into_iter().any(|place| place.thread == id)
        };
        let threads = discussion.threads.iter().filter(|thread| {
            let names = thread.remarks.iter().map(|remark| remark_name(remark.id));
            end.commit.is_some()
                && thread.resolvable
                && !thread.resolved
                && names.into_iter().any(|name| about.contains(&name))
                && !closed.contains(&thread.id)
                && !more(&thread.id)
        });
        threads.map(|thread| thread.id.clone()).collect()
    }

    /// Whether GitHub lets us.
    async fn close_thread(&mut self, number: u64, thread: &str) -> Result<bool, SupervisorError> {
        use crate::forge::ForgeError as E;
        self.begin(ForgeWork::ResolveThread { number, thread: thread.to_owned() })?;
        match self.forge.resolve_thread(thread).await {
            Ok(()) => self.record(vec![Event::ForgeDone]).map(|()| true),
            Err(error @ (E::Invalid { .. } | E::Forbidden { .. } | E::NotFound(_))) => {
                drop(self.failed(error));
                Ok(false)
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// What is said to those who asked.
    fn answer(&self, case: &Case, end: &FollowUpEnd, names: &[String], to: &[&Open]) -> String {
        let state = self.state();
        let mut out = mark(&state.spec.id, &case.task, names);
        out.push('\n');
        let agent = state.follow_ups.last(&case.task).map(|last| last.asked.agent.clone());
        let agent = text::code(&agent.unwrap_or_default());
        let _ = match &end.commit {
            Some(commit) => {
                writeln!(out, "{agent} was given this, and its changes are in {commit}.")
            }
            None => writeln!(out, "{agent} was given this, and changed nothing."),
        };
        for open in to {
            let Some((by, words)) = open.said.last() else { continue };
            let mut shown: String = words.chars().take(REPEATED).collect();
            if shown.len() < words.len() {
                shown.push('…');
            }
            let _ = writeln!(out, "- {}: {}", text::code(&by.login), text::code(&shown));
        }
        if let Some(note) = &end.note {
            let _ = write!(out, "\nIt said:\n\n{}", text::fenced(note));
        }
        out
    }
}

/// A follow-up of what people said that ended well.
fn done(followed: &Followed, pull: u64) -> Option<(&Followed, &FollowUpEnd)> {
    let (end, _) = followed.end.as_ref()?;
    let is_it = followed.asked.kind == FollowUpKind::Address && followed.asked.pull == pull;
    (is_it && end.ending == Ending::Succeeded).then_some((followed, end))
}
