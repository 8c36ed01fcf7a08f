//! Does what the queue asks for: puts candidates one on the other, has trees tested, and keeps what came
//! of it.

use super::candidates::{Candidate, Candidates};
use super::verify::{self, Verdict};
use super::{LandOptions, Landing, Outcome, TaskClash};
use crate::engine::State;
use crate::engine::queue::{self, Facts, Fate, Link, Next, Probe, Queue, Settled};
use crate::git::{Put, Work};
use crate::model::{Event, Phase, StepKind, TaskId, TaskState};
use crate::supervisor::builtin::subject;
use crate::supervisor::{Ledger, SupervisorError, World};
use crate::workflow::changelog;
use std::collections::{BTreeMap, HashMap};

/// Candidates on their way to a branch.
pub(super) struct Batch {
    into: String,
    from: String,
    candidates: Candidates,
    /// Name and id of each task of the run.
    names: Vec<(String, TaskId)>,
    facts: Facts,
    /// What came of putting a candidate onto a commit.
    puts: HashMap<(String, usize), Put>,
    outcomes: BTreeMap<usize, Outcome>,
    landed: Vec<usize>,
    /// Tasks that were not asked for and land within others, by position, and their commits.
    carried: Vec<(usize, String)>,
    to: String,
    tests: usize,
    notes: Vec<String>,
}

impl Batch {
    pub(super) fn new(
        world: &World,
        state: &State,
        options: &LandOptions,
        into: &str,
        from: &str,
    ) -> Result<Self, SupervisorError> {
        let mut candidates = Candidates::find(world, state, options, into, from)?;
        let mut notes = std::mem::take(&mut candidates.notes);
        let hooks = world.repo.merge_hooks();
        if !hooks.is_empty() && !candidates.list.is_empty() && !options.dry_run {
            notes
                .push(format!("not run, as they are for a person's commits: {}", hooks.join(", ")));
        }
        Ok(Self {
            into: into.to_owned(),
            from: from.to_owned(),
            outcomes: std::mem::take(&mut candidates.others),
            candidates,
            names: state.spec.tasks.iter().map(|t| (t.name.clone(), t.id.clone())).collect(),
            facts: Facts::default(),
            puts: HashMap::new(),
            landed: Vec::new(),
            carried: Vec::new(),
            to: from.to_owned(),
            tests: 0,
            notes,
        })
    }

    fn name(&self, candidate: usize) -> &str {
        &self.names[self.candidates.list[candidate].position].0
    }

    /// Where the branches of the candidates are that land, or are there.
    pub(super) fn heads(&self) -> Vec<(TaskId, String)> {
        let there = |position: &usize| {
            matches!(self.outcomes[position], Outcome::Merged | Outcome::AlreadyThere)
        };
        let candidates = self.candidates.list.iter().filter(|c| there(&c.position));
        let heads = candidates.map(|c| (c.position, &c.commit));
        let carried = self.carried.iter().map(|(position, commit)| (*position, commit));
        let heads = heads.chain(carried);
        heads.map(|(position, commit)| (self.names[position].1.clone(), commit.clone())).collect()
    }

    /// Merges and tests until every candidate has its outcome.
    pub(super) async fn settle(
        &mut self,
        world: &World,
        ledger: &mut Ledger,
        options: &LandOptions,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(), SupervisorError> {
        let commands: Vec<String> = options.setup.iter().chain(&options.verify).cloned().collect();
        let jobs = options.jobs.unwrap_or(ledger.state().spec.jobs);
        let queue = Queue {
            needs: self.candidates.needs.clone(),
            base: world.repo.tree_of(&self.from)?,
            jobs: usize::try_from(jobs).unwrap_or(1),
            tested: !options.verify.is_empty(),
        };
        if !options.retest {
            self.facts.tests = ledger.state().merging.tests(&commands);
        }
        let known = self.facts.tests.clone();
        loop {
            match queue::next(&queue, &self.facts) {
                Next::Chain(chain) => self.put(world, ledger.state(), options, chain)?,
                Next::Test(probes) => {
                    self.tell_of(&probes, tell);
                    self.test(world, ledger, options, &commands, probes).await?;
                }
                Next::Done(settled) => {
                    self.close(world, ledger.state(), options, &commands, &settled);
                    self.carry(world, ledger.state())?;
                    self.tell_known(&known, &settled, &queue);
                    return Ok(());
                }
            }
        }
    }

    fn tell_of(&self, probes: &[Probe], tell: &mut dyn FnMut(&str)) {
        for probe in probes {
            let names: Vec<&str> = probe.of.iter().map(|c| self.name(*c)).collect();
            let again = if probe.again { " again, as it failed" } else { "" };
            tell(&if names.is_empty() {
                format!("verifying {} without any of them{again}", self.into)
            } else {
                format!("verifying {} merged{again}: {}", names.len(), names.join(", "))
            });
        }
    }

    /// Puts candidates one on the other, each commit made once.
    fn put(
        &mut self,
        world: &World,
        state: &State,
        options: &LandOptions,
        chain: Vec<usize>,
    ) -> Result<(), SupervisorError> {
        let (mut tip, mut links) = (self.from.clone(), Vec::new());
        let mut there: Vec<String> = Vec::new();
        for task in &state.tasks {
            let landed = task.merged.as_ref().filter(|merged| merged.into == self.into);
            if let Some(head) = landed.and_then(|merged| merged.head.clone())
                && world.repo.resolve(&head).is_ok()
            {
                there.push(head);
            }
        }
        for candidate in &chain {
            let key = (tip.clone(), *candidate);
            if !self.puts.contains_key(&key) {
                let put = self.put_one(world, state, options, &tip, *candidate, &there)?;
                self.puts.insert(key.clone(), put);
            }
            links.push(match &self.puts[&key] {
                Put::Nothing => Link::Nothing,
                Put::Conflict { .. } => Link::Conflict,
                Put::Clean { commit, tree, .. } => {
                    tip.clone_from(commit);
                    there.push(self.candidates.list[*candidate].commit.clone());
                    Link::Put { tree: tree.clone() }
                }
            });
        }
        self.facts.chains.insert(chain, links);
        Ok(())
    }

    fn put_one(
        &self,
        world: &World,
        state: &State,
        options: &LandOptions,
        tip: &str,
        candidate: usize,
        there: &[String],
    ) -> Result<Put, SupervisorError> {
        let candidate = &self.candidates.list[candidate];
        let task = &state.spec.tasks[candidate.position];
        let (title, work_type) = (subject(task), task.work_type);
        let entry = |file: Option<&[u8]>| changelog::with_entry(file, work_type, &title);
        // Whoever wrote an entry need not have another.
        let log = options.changelog.as_deref().filter(|log| !candidate.files.contains(*log));
        Ok(world.repo.put(
            tip,
            &Work {
                commit: &candidate.commit,
                strategy: options.strategy,
                merge_subject: &format!("Merge {}: {}", task.name, task.title),
                squash_subject: &title,
                trailers: &[
                    ("Orch-Task", task.id.to_string()),
                    ("Orch-Run", state.spec.id.to_string()),
                ],
                landed: there,
                edit: log.map(|log| (log, &entry as crate::git::Edit<'_>)),
            },
        )?)
    }

    /// Tests at the same time, and writes down what came of it.
    async fn test(
        &mut self,
        world: &World,
        ledger: &mut Ledger,
        options: &LandOptions,
        commands: &[String],
        probes: Vec<Probe>,
    ) -> Result<(), SupervisorError> {
        let mut runs = Vec::new();
        for probe in &probes {
            let commit = self.tip_of(&probe.of);
            match verify::Run::start(world, ledger.state(), options, commands, &commit).await {
                Ok(run) => runs.push(run),
                Err(error) => {
                    verify::stop_all(runs).await;
                    return Err(error);
                }
            }
        }
        verify::wait_all(runs, |place, ended| {
            let probe = &probes[place];
            let passed = ended.verdict == Verdict::Passed;
            let known = self.facts.tests.entry(probe.tree.clone()).or_default();
            *(if passed { &mut known.green } else { &mut known.red }) += 1;
            self.tests += 1;
            let event = Event::MergeTested {
                into: self.into.clone(),
                tree: probe.tree.clone(),
                // What could not be tested is not remembered as a result of the tree.
                commands: if ended.verdict == Verdict::CouldNotRun {
                    Vec::new()
                } else {
                    commands.to_vec()
                },
                passed,
                log: ended.folder,
                tasks: probe
                    .of
                    .iter()
                    .map(|c| self.names[self.candidates.list[*c].position].1.clone())
                    .collect(),
            };
            ledger.record(vec![event]).map(drop)
        })
        .await
    }

    fn close(
        &mut self,
        world: &World,
        state: &State,
        options: &LandOptions,
        commands: &[String],
        settled: &Settled,
    ) {
        let run = world.layout.run(&state.spec.id);
        let log = |tree: &str| {
            let folder = state.merging.failed_log(tree, commands);
            // Not remembered are only those of this very batch.
            let folder = folder.or_else(|| state.merging.failed_log(tree, &[]));
            folder.map_or_else(|| run.clone(), |folder| run.join(folder))
        };
        let base = world.repo.tree_of(&self.from).unwrap_or_default();
        self.landed.clone_from(&settled.landed);
        for (candidate, fate) in settled.fates.iter().enumerate() {
            let outcome = match fate {
                Fate::Landed => Outcome::Merged,
                Fate::Nothing => Outcome::AlreadyThere,
                Fate::Conflict => self.conflict(world, state, candidate),
                Fate::Broken { tree } => Outcome::Broken {
                    log: log(tree),
                    alone: self.passed_alone(state, candidate, &options.verify),
                },
                Fate::Held { on } => Outcome::Held { on: self.name(*on).to_owned() },
                Fate::BaseFails => Outcome::BranchFails { log: log(&base) },
            };
            self.outcomes.insert(self.candidates.list[candidate].position, outcome);
        }
        self.to = self.tip_of(&self.landed);
        self.tell_squashed();
    }

    /// Finds the tasks that were not asked for and whose work is in that of those which land: it lands with it,
    /// and must not be put there again.
    fn carry(&mut self, world: &World, state: &State) -> Result<(), SupervisorError> {
        let standings = state.standings();
        for (position, task) in state.spec.tasks.iter().enumerate() {
            let now = state.task_state(position, &standings);
            let done = state.is_done(position)
                && matches!(now, TaskState::Succeeded | TaskState::Conflicted | TaskState::Merged);
            let Some(recorded) = state.commit(position).filter(|_| done) else { continue };
            if self.outcomes.contains_key(&position) {
                continue;
            }
            let tip = world.repo.branch_tip(&task.branch)?;
            let commit = tip.unwrap_or_else(|| recorded.to_owned());
            let known = state.tasks[position].merged.as_ref().is_some_and(|merged| {
                merged.into == self.into && merged.head.as_deref() == Some(&commit)
            });
            if known || world.repo.resolve(&commit).is_err() {
                continue;
            }
            if world.repo.contains(&self.from, &commit)? {
                continue;
            }
            for landed in self.landed.clone() {
                if world.repo.contains(&self.candidates.list[landed].commit, &commit)? {
                    let within = self.name(landed);
                    self.notes.push(format!(
                        "{}: {within} is built on its work, which lands with it",
                        task.name
                    ));
                    self.outcomes.insert(position, Outcome::Merged);
                    self.carried.push((position, commit));
                    break;
                }
            }
        }
        Ok(())
    }

    /// Says whose commits were not put there one by one, though that was asked for.
    fn tell_squashed(&mut self) {
        let mut tip = self.from.clone();
        for candidate in self.landed.clone() {
            let put = self.puts.get(&(tip.clone(), candidate));
            let Some(Put::Clean { commit, squashed, .. }) = put else { continue };
            let (next, squashed) = (commit.clone(), *squashed);
            if squashed {
                let note = format!(
                    "{}: lands as one commit: its commits, one by one, conflict with {} or leave out what only a \
                     merge on its branch holds",
                    self.name(candidate),
                    self.into
                );
                self.notes.push(note);
            }
            tip = next;
        }
    }

    /// The commit of these candidates, put one on the other: what is tested is what lands.
    fn tip_of(&self, candidates: &[usize]) -> String {
        let mut tip = self.from.clone();
        for candidate in candidates {
            if let Some(Put::Clean { commit, .. }) = self.puts.get(&(tip.clone(), *candidate)) {
                tip.clone_from(commit);
            }
        }
        tip
    }

    fn conflict(&self, world: &World, state: &State, candidate: usize) -> Outcome {
        let task = &state.spec.tasks[self.candidates.list[candidate].position];
        let put = self.puts.get(&(self.tip_of(&self.landed), candidate));
        let paths = match put {
            Some(Put::Conflict { paths }) => paths.clone(),
            _ => Vec::new(),
        };
        let meets = |landed: &&Candidate| paths.iter().any(|path| landed.files.contains(path));
        let mut with: Vec<&Candidate> =
            self.landed.iter().map(|c| &self.candidates.list[*c]).filter(meets).collect();
        // Of those that changed the same files, only some may be at odds with it; if none is alone, all are
        // together.
        let own = &self.candidates.list[candidate].commit;
        let clashing = |landed: &&Candidate| {
            let pair = [own.clone(), landed.commit.clone()];
            world.repo.clashes(&pair).is_ok_and(|found| !found.is_empty())
        };
        let at_odds: Vec<&Candidate> = with.iter().copied().filter(clashing).collect();
        if !at_odds.is_empty() {
            with = at_odds;
        }
        let mut with: Vec<usize> = with.into_iter().map(|landed| landed.position).collect();
        with.sort_unstable();
        let with = with.into_iter().map(|p| self.names[p].0.clone()).collect();
        Outcome::Conflict { paths, with, worktree: task.worktree.clone(), reason: None }
    }

    /// Whether the task passed the same commands in its own worktree.
    fn passed_alone(&self, state: &State, candidate: usize, verify: &[String]) -> bool {
        let task = &state.spec.tasks[self.candidates.list[candidate].position];
        let ran: Vec<&String> = task
            .steps
            .iter()
            .filter(|step| step.phase == Phase::Testing && step.skip.is_none())
            .filter_map(|step| match &step.kind {
                StepKind::Commands { run } => Some(run),
                _ => None,
            })
            .flatten()
            .collect();
        !self.landed.is_empty() && verify.iter().all(|command| ran.contains(&command))
    }

    fn tell_known(
        &mut self,
        known: &BTreeMap<String, queue::Tested>,
        settled: &Settled,
        queue: &Queue,
    ) {
        let flaky = self.facts.tests.iter().filter(|(tree, tested)| {
            tested.is_flaky() && known.get(*tree).copied().unwrap_or_default() != **tested
        });
        let flaky = flaky.count();
        if flaky > 0 {
            let times = if flaky == 1 { "once".to_owned() } else { format!("{flaky} times") };
            self.notes.push(format!(
                "flaky: the verification failed {times} and passed when it was run again on the same files; nobody \
                 is blamed for that"
            ));
        }
        let remembered = |tree: &String| {
            known.get(tree).is_some_and(|t| t.green == 0 && t.red > 1)
                && self.facts.tests.get(tree) == known.get(tree)
        };
        let from_memory = settled.fates.iter().any(|fate| match fate {
            Fate::Broken { tree } => remembered(tree),
            Fate::BaseFails => remembered(&queue.base),
            _ => false,
        });
        if self.tests == 0 && queue.tested && !settled.landed.is_empty() {
            self.notes.push(
                "what lands was tested before, with the same commands, and not again; to test anew: orch merge --retest"
                    .to_owned(),
            );
        }
        if from_memory {
            self.notes.push(
                "what failed was tested before and not again; if something outside the repository has changed: orch \
                 merge --retest"
                    .to_owned(),
            );
        }
    }

    /// Pairs of candidates that conflict with each other.
    pub(super) fn clashes(&self, world: &World) -> Result<Vec<TaskClash>, SupervisorError> {
        let list = &self.candidates.list;
        let commits: Vec<String> = list.iter().map(|c| c.commit.clone()).collect();
        let mut found = world.repo.clashes(&commits)?;
        let key = |clash: &crate::git::ClashingPair| {
            let mut key = [list[clash.one].position, list[clash.other].position];
            key.sort_unstable();
            key
        };
        found.sort_by_key(key);
        let named = |clash: crate::git::ClashingPair| TaskClash {
            tasks: key(&clash).map(|position| self.names[position].0.clone()),
            paths: clash.paths,
        };
        Ok(found.into_iter().map(named).collect())
    }

    pub(super) fn landing(&self) -> Landing {
        let name = |position: usize| self.names[position].0.clone();
        Landing {
            into: self.into.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            tasks: self.outcomes.iter().map(|(p, outcome)| (name(*p), outcome.clone())).collect(),
            checkout: None,
            clashes: Vec::new(),
            obstacle: None,
            tests: self.tests,
            notes: self.notes.clone(),
        }
    }
}
