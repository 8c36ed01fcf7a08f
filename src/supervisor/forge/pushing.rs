//! Branches of the remote: moved to a task's work, never over what somebody else put there.

use super::Desk;
use crate::git::Pushed;
use crate::model::{Event, ForgeWork};
use crate::supervisor::SupervisorError;
use std::collections::BTreeMap;

/// What became of a branch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Branch {
    /// It is at the commit.
    There,
    /// It has commits that are not ours.
    Foreign(String),
    /// The remote, or a hook, refused.
    Refused(String),
}

impl Desk<'_> {
    /// Where branches of the remote are now.
    ///
    /// # Errors
    /// The remote cannot be reached.
    pub(super) fn tips(
        &self,
        branches: &[String],
    ) -> Result<BTreeMap<String, String>, SupervisorError> {
        Ok(self.world.repo.remote_tips(self.remote(), branches)?)
    }

    /// Brings a branch of the remote to a commit; `tip` is where it is now.
    ///
    /// # Errors
    /// The remote cannot be reached; the journal.
    pub(super) fn bring(
        &mut self,
        branch: &str,
        commit: &str,
        tip: Option<&String>,
    ) -> Result<Branch, SupervisorError> {
        let known = self.state().forge.pushed.get(branch).map(String::as_str);
        if tip.map(String::as_str) == Some(commit) {
            if known != Some(commit) {
                let (branch, commit) = (branch.to_owned(), commit.to_owned());
                self.record(vec![Event::BranchPushed { branch, commit }])?;
            }
            return Ok(Branch::There);
        }
        if let Some(tip) = tip {
            let ours = self.state().forge.ours.get(branch).is_some_and(|ours| ours.contains(tip));
            // What the work contains is not lost by moving on from it.
            let contained = || self.world.repo.contains(commit, tip).unwrap_or(false);
            if !ours && !contained() {
                return Ok(Branch::Foreign(tip.clone()));
            }
        }
        self.begin(ForgeWork::Push { branch: branch.to_owned(), commit: commit.to_owned() })?;
        let pushed = self.world.repo.push(self.remote(), commit, branch, tip.map(String::as_str));
        let outcome = match pushed {
            Ok(Pushed::Done) => {
                let (branch, commit) = (branch.to_owned(), commit.to_owned());
                self.record(vec![Event::BranchPushed { branch, commit }])?;
                return Ok(Branch::There);
            }
            Ok(Pushed::Moved) => Ok(Branch::Foreign("moved meanwhile".to_owned())),
            Ok(Pushed::Refused(why)) => Ok(Branch::Refused(why)),
            Err(error) => Err(error),
        };
        let message = match &outcome {
            Ok(_) => format!("the push of {branch} was refused"),
            Err(error) => crate::agent::mask(&error.to_string()),
        };
        self.record(vec![Event::ForgeFailed { message, down: outcome.is_err(), until: None }])?;
        Ok(outcome?)
    }
}
