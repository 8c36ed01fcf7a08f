//! What happens around a run: people pause it and change their minds, the machine runs short of something,
//! another process meets a limit.

use crate::case::AGENTS;
use crate::world::World;
use orch::model::{AttemptId, Event, OverlapPath, Resource, StopReason, Timestamp};

impl World<'_> {
    /// One such thing.
    pub fn weather(&mut self) -> Result<(), String> {
        let event = match self.script.below(8) {
            0 if self.state.holds.paused => Event::ContinueRequested,
            0 => self.told("pause", Event::PauseRequested),
            1 => {
                let jobs = u32::try_from(1 + self.script.below(8)).expect("small");
                self.told("jobs", Event::JobsRequested { jobs })
            }
            2 => {
                let limit = [None, Some(1), Some(2), Some(4)][self.script.below(4)];
                let reason = "load".to_owned();
                self.told("limited", Event::ParallelismLimited { limit, reason })
            }
            3 => {
                let resource = [Resource::Disk, Resource::Memory][self.script.below(2)];
                if self.state.holds.short.contains_key(&resource) {
                    Event::ResourceRecovered { resource }
                } else {
                    self.told("short", Event::ResourceShort { resource, detail: "little".into() })
                }
            }
            4 => {
                let agent = AGENTS[self.script.below(3)].to_owned();
                let until = Timestamp(self.now + [-5, 20, 2_000][self.script.below(3)]);
                let detail = "elsewhere".to_owned();
                self.told("limited elsewhere", Event::AgentLimited { agent, until, detail })
            }
            5 => {
                let max_cost_usd = [None, Some(3.0), Some(30.0)][self.script.below(3)];
                self.told("budget", Event::BudgetRequested { max_cost_usd })
            }
            6 => {
                let Some(attempt) = self.any_process() else { return Ok(()) };
                self.told("stalled", Event::AttemptStalled { attempt, quiet_seconds: 60 })
            }
            _ => return self.run_out_of_memory(),
        };
        self.record(event)
    }

    fn told(&mut self, what: &'static str, event: Event) -> Event {
        self.tally.count(what);
        event
    }

    fn any_process(&mut self) -> Option<AttemptId> {
        let state = &self.state;
        let is_process = |id: &AttemptId| {
            state.step_spec(&id.task, &id.step).is_some_and(|(_, s)| s.kind.is_process())
        };
        let alive =
            self.work.iter().filter(|(id, w)| w.announced && !w.told_to_stop && is_process(id));
        let alive: Vec<AttemptId> = alive.map(|(id, _)| id.clone()).collect();
        if alive.is_empty() {
            return None;
        }
        Some(alive[self.script.below(alive.len())].clone())
    }

    /// Two tasks change the same files, in a way that merges or not; or no longer.
    pub fn overlap(&mut self) -> Result<(), String> {
        let mut tasks: Vec<usize> =
            self.work.keys().filter_map(|id| self.state.position(&id.task)).collect();
        tasks.sort_unstable();
        tasks.dedup();
        if tasks.is_empty() {
            return Ok(());
        }
        let later = self.script.below(tasks.len());
        let earlier = self.script.below(later.max(1));
        let id = |place: usize| self.state.spec.tasks[tasks[place]].id.clone();
        let (task, with) = (id(later), (earlier < later).then(|| id(earlier)));
        self.tally.count("overlap");
        if self.script.one_in(4) {
            return self.record(Event::OverlapGone { task, with });
        }
        let conflict = !self.script.one_in(4);
        let path =
            OverlapPath { path: "f".into(), conflict, lines: Vec::new(), other_lines: Vec::new() };
        self.record(Event::OverlapFound { task, with, paths: vec![path], path_count: 1 })
    }

    fn run_out_of_memory(&mut self) -> Result<(), String> {
        let Some(attempt) = self.any_process() else { return Ok(()) };
        if self.state.attempt(&attempt).is_some_and(|a| a.stopping.is_some()) {
            return Ok(());
        }
        self.tally.count("out of memory");
        let reason = StopReason::OutOfMemory;
        self.record(Event::AttemptStopping { attempt: attempt.clone(), reason })?;
        self.tell_to_stop(&attempt);
        Ok(())
    }

    /// Whoever holds the run lets it go on. Whether anybody did.
    pub fn relent(&mut self) -> Result<bool, String> {
        if self.state.holds.paused {
            self.record(Event::ContinueRequested)?;
            return Ok(true);
        }
        let Some(resource) = self.state.holds.short.keys().next().copied() else {
            return Ok(false);
        };
        self.record(Event::ResourceRecovered { resource })?;
        Ok(true)
    }
}
