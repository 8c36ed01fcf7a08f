//! A run's issues and pull requests: what is wanted is in the journal, what exists is looked up, and what
//! is missing is made, one request at a time.
//!
//! An intent is on the disk before its request is sent, the outcome after. A request whose outcome is not
//! known may have been done: before anything is created again, what exists is looked up, once GitHub has
//! surely finished with the request or dropped it.

mod create;
mod failure;
mod follow_up;
mod issues;
mod merge;
mod pushing;
mod rollup;
mod starting;
mod text;

pub use create::{PullChoice, PullOptions, PullOutcome, queue_pulls};
pub use follow_up::{FollowUpOptions, FollowUpOutcome, FollowedUp, follow_up_at_work};
pub use merge::{MergeOptions, MergeOutcome, MergedPull, PullStatus};

use super::clock::now;
use super::{Ledger, SupervisorError, World};
use crate::config::GitHub;
use crate::engine::{Gate, State};
use crate::forge::{Access, Calls, Facts, Forge, ForgeError, Place, Slug, Token};
use crate::git::Remote;
use crate::model::{Event, ForgeWork, Timestamp};
use crate::process::SupervisorLock;
use std::time::Duration;

/// How long a limit of GitHub is waited for. A secondary one lasts a minute or two; the primary one is for
/// the rest of an hour, and what waits for it is queued instead.
const PATIENCE: Duration = Duration::from_mins(3);

/// How far the clock here may be ahead of GitHub's without anything being overlooked, milliseconds.
const CLOCKS_APART: i64 = 60 * 60 * 1000;

/// Between two tries to be the one who asks GitHub.
const TURN: Duration = Duration::from_millis(200);

/// A run, and the repository on GitHub that its work goes to.
pub struct Desk<'a> {
    world: &'a World,
    ledger: &'a mut Ledger,
    forge: Forge,
    remote: String,
    /// The host's address, for which git gets the token where nothing else opens it.
    host_url: Option<String>,
    token: Token,
    facts: Option<Facts>,
    has_queue: Option<bool>,
    /// Whether checks are run here.
    has_checks: Option<bool>,
    /// How long after a push they may take to be reported.
    grace: Duration,
    /// That nobody else asks GitHub for this repository meanwhile; given back while nothing is asked.
    lock: Option<SupervisorLock>,
    tell: &'a mut dyn FnMut(&str),
}

impl<'a> Desk<'a> {
    /// Finds the repository and the token. Sends nothing.
    ///
    /// # Errors
    /// There is no remote, it is not on GitHub, or there is no token.
    pub async fn new(
        world: &'a World,
        ledger: &'a mut Ledger,
        config: &GitHub,
        tell: &'a mut dyn FnMut(&str),
    ) -> Result<Self, SupervisorError> {
        let target = ledger.state().spec.target.clone();
        let remote = match &config.remote {
            Some(remote) => Some(remote.clone()),
            None => world.repo.remote_of(target.as_deref())?,
        };
        let remote = remote.ok_or_else(|| {
            no_repository("there is no remote to push to; add one: git remote add origin URL")
        })?;
        let address = world.repo.remote_address(&remote)?;
        let address =
            address.ok_or_else(|| no_repository(&format!("there is no remote '{remote}'")))?;
        let place = Place::of_remote(&address);
        let slug = match &config.repository {
            Some(name) => Some(Slug::parse(name).ok_or_else(|| {
                no_repository(&format!(
                    "'{name}' is no repository; write [github] repository = \"owner/name\""
                ))
            })?),
            None => place.as_ref().map(|place| place.slug.clone()),
        };
        let unclear = || {
            no_repository(&format!(
                "the remote {remote} ({address}) does not say which repository of GitHub it is; write in orch.toml: \
                 [github] repository = \"owner/name\""
            ))
        };
        let slug = slug.ok_or_else(unclear)?;
        let host = place.as_ref().map_or("github.com", |place| place.host.as_str()).to_owned();
        let api_url = config.api_url.clone().or_else(|| place.as_ref().map(Place::api_url));
        let token = Token::find(&host, config.api_url.is_some())?;
        let forge = Forge::new(Access {
            api_url: api_url.unwrap_or_else(|| "https://api.github.com".to_owned()),
            slug,
            token: token.clone(),
            pace: config.pace,
            timeout: config.timeout,
            patience: PATIENCE,
        })
        .await?;
        let host_url = address.starts_with("https://").then(|| format!("https://{host}"));
        Ok(Self {
            world,
            ledger,
            forge,
            remote,
            host_url,
            token,
            facts: None,
            has_queue: None,
            has_checks: None,
            grace: config.checks_grace,
            lock: None,
            tell,
        })
    }

    /// The run.
    #[must_use]
    pub fn state(&self) -> &State {
        self.ledger.state()
    }

    /// Requests so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.forge.calls()
    }

    fn remote(&self) -> Remote<'_> {
        let token = self.host_url.as_deref().map(|place| (place, self.token.expose()));
        Remote { name: &self.remote, token }
    }

    fn say(&mut self, line: &str) {
        (self.tell)(line);
    }

    fn record(&mut self, events: Vec<Event>) -> Result<(), SupervisorError> {
        self.ledger.record(events).map(drop)
    }

    /// Since when this run's issues and pull requests were made, by GitHub's clock.
    fn since(&self) -> Timestamp {
        Timestamp(self.state().created_at.0.saturating_sub(CLOCKS_APART))
    }

    /// The request is about to be sent.
    fn begin(&mut self, work: ForgeWork) -> Result<(), SupervisorError> {
        self.record(vec![Event::ForgeStarting { work }])
    }

    /// It was not done, or nobody knows; the error is handed on.
    fn failed(&mut self, error: ForgeError) -> SupervisorError {
        let event = Event::ForgeFailed {
            message: crate::agent::mask(&error.to_string()),
            down: error.is_down(),
            until: error.until(),
        };
        match self.record(vec![event]) {
            Ok(()) => error.into(),
            Err(worse) => worse,
        }
    }

    /// What the repository is and allows: asked once.
    async fn facts(&mut self) -> Result<Facts, SupervisorError> {
        if let Some(facts) = &self.facts {
            return Ok(facts.clone());
        }
        match self.forge.facts().await {
            Ok(facts) => {
                self.facts = Some(facts.clone());
                Ok(facts)
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Until when nothing is asked of GitHub, because it failed or limits us.
    fn closed_until(&self) -> Option<Timestamp> {
        match self.state().github.gate(now()) {
            Gate::Open(until) => Some(until),
            _ => None,
        }
    }

    /// Takes the lock, to give it back while an agent works or checks run.
    pub fn hold(&mut self, lock: SupervisorLock) {
        self.lock = Some(lock);
    }

    /// Waits until nobody else asks GitHub for this repository, and knows what they found out.
    async fn regain(&mut self) -> Result<(), SupervisorError> {
        while self.lock.is_none() {
            match self.world.lock_forge() {
                Ok(lock) => self.lock = Some(lock),
                Err(SupervisorError::Refused(_)) => tokio::time::sleep(TURN).await,
                Err(error) => return Err(error),
            }
        }
        self.ledger.catch_up().map(drop)
    }

    /// Waits until a request whose outcome nobody knows has been done or never will: GitHub itself gives up
    /// after ten seconds, and ours waits longer than that.
    async fn settle(&mut self) {
        let Some((work, at)) = &self.state().forge.open else { return };
        let age = now().since(*at);
        let left =
            self.forge.timeout().saturating_mul(2).checked_sub(age).filter(|_| work.creates());
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            self.say(&format!("a request was cut off; waiting {left:.0?} to see what came of it"));
            tokio::time::sleep(left).await;
        }
    }
}

fn no_repository(message: &str) -> SupervisorError {
    ForgeError::NoRepository(message.to_owned()).into()
}
