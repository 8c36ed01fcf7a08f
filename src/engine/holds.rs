//! What keeps new work from starting for reasons outside the tasks: a person, or the machine.

use crate::model::{Event, Resource};
use std::collections::BTreeMap;

/// Requests and shortages in force.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holds {
    /// A person paused the run.
    pub paused: bool,
    /// The number of processes a person asked for since the run began.
    pub jobs: Option<u32>,
    /// The most processes that the machine bears, and why.
    pub limit: Option<(u32, String)>,
    /// What the machine is short of, and how much is left.
    pub short: BTreeMap<Resource, String>,
}

impl Holds {
    /// Nothing new starts at all.
    #[must_use]
    pub fn all(&self) -> bool {
        self.paused || !self.short.is_empty()
    }

    /// The processes that may run at the same time, of `asked` at the beginning.
    #[must_use]
    pub fn jobs(&self, asked: u32) -> u32 {
        let jobs = self.jobs.unwrap_or(asked);
        self.limit.as_ref().map_or(jobs, |(limit, _)| jobs.min(*limit)).max(1)
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            // Whoever takes a run wants it to go on, and takes readings of its own.
            Event::SupervisorStarted { .. } => {
                *self = Self { jobs: self.jobs, ..Self::default() };
            }
            Event::PauseRequested => self.paused = true,
            Event::ContinueRequested => self.paused = false,
            Event::JobsRequested { jobs } => self.jobs = Some(*jobs),
            Event::ParallelismLimited { limit, reason } => {
                self.limit = limit.map(|limit| (limit, reason.clone()));
            }
            Event::ResourceShort { resource, detail } => {
                self.short.insert(*resource, detail.clone());
            }
            Event::ResourceRecovered { resource } => {
                self.short.remove(resource);
            }
            _ => {}
        }
    }
}
