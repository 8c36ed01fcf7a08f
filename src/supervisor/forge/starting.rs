//! Checks that have not been reported yet.
//!
//! Where no check is required, GitHub calls a pull request mergeable as soon as it is open, and the services that
//! check it need a while to notice it. So a head without any check is not merged right after its push, where
//! something shows that checks are run here: the base has some, another pull request had, or there are workflows.
//! That they do not come within a while shows that they will not (a filter by paths, say).

use super::Desk;
use crate::engine::PullRequest;
use crate::forge::Pull;
use crate::supervisor::SupervisorError;
use crate::supervisor::clock::now;

impl Desk<'_> {
    /// Whether checks of a head that GitHub would merge may yet be reported. Asks nothing of GitHub once the
    /// push is long enough ago.
    ///
    /// # Errors
    /// As every request.
    pub(super) async fn may_yet_start(
        &mut self,
        known: &PullRequest,
        pull: &Pull,
    ) -> Result<bool, SupervisorError> {
        if now().since(known.since) >= self.grace || !self.are_checks_run(&pull.base_sha).await? {
            return Ok(false);
        }
        match self.forge.checks(&pull.head_sha).await {
            Ok(checks) => Ok(checks.0.is_empty()),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Whether anything shows that checks are run in this repository: asked once.
    async fn are_checks_run(&mut self, base: &str) -> Result<bool, SupervisorError> {
        if let Some(known) = self.has_checks {
            return Ok(known);
        }
        let found = match self.forge.checks(base).await {
            Ok(checks) if !checks.0.is_empty() => Ok(true),
            Ok(_) => self.forge.has_workflows().await,
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => Ok(*self.has_checks.insert(found)),
            Err(error) => Err(self.failed(error)),
        }
    }
}
