//! What a plan is made from: prompts analysed, and what journal and history know.

use super::decompose::{Decomposed, Planned};
use super::intake::{IntakeError, Options, input};
use crate::analysis::code::Code;
use crate::analysis::score::WRITE_FROM;
use crate::analysis::{self, Analysis, Ground, Request, Sources, TextDependencies, Tree};
use crate::config::Config;
use crate::git::{PathHistory, Repo};
use crate::journal::{Cache, EntryKind, FinishedTask, Journal, Layout};
use crate::model::{Access, PastChange, Target};
use crate::plan::{self, Declared, Finished, History, HotFacts, PlanInput, Risk};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Analyses every prompt, or the parts it was split into.
pub(super) fn inputs(
    config: &Config,
    options: &Options,
    sources: Sources<'_>,
    decomposed: &Decomposed,
) -> Result<Vec<PlanInput>, IntakeError> {
    let requests: Vec<Request<'_>> = decomposed.tasks.iter().map(request).collect();
    let analyses = analysis::analyse(sources, &requests).map_err(|error| {
        let is_it = |task: &&Planned| task.prompt.name == error.prompt();
        let path = decomposed.tasks.iter().find(is_it).map(|task| task.prompt.path.display());
        input(path.map_or(error.to_string(), |path| format!("{path}: {error}")))
    })?;
    let names: BTreeSet<&str> = decomposed.tasks.iter().map(Planned::whole).collect();
    let own: BTreeSet<&str> =
        decomposed.tasks.iter().map(|task| task.prompt.name.as_str()).collect();
    let names: BTreeSet<&str> = names.union(&own).copied().collect();
    let mut inputs = Vec::with_capacity(decomposed.tasks.len());
    for (task, analysis) in decomposed.tasks.iter().zip(analyses) {
        let mut input = plan_input(sources.tree, task, analysis, &names);
        // Who waits for a prompt that was split waits for all of its parts.
        input.declared = input
            .declared
            .into_iter()
            .flat_map(|declared| match decomposed.parts.get(&declared.name) {
                Some(parts) => parts
                    .iter()
                    .map(|part| Declared { name: part.clone(), ..declared.clone() })
                    .collect(),
                None => vec![declared],
            })
            .collect();
        let front = &task.prompt.front;
        let agent = front.agent.clone().or_else(|| options.agent.clone());
        input.agent = agent.unwrap_or_else(|| config.agent.clone());
        inputs.push(input);
    }
    Ok(inputs)
}

fn request(task: &Planned) -> Request<'_> {
    let (prompt, part) = (&task.prompt, task.part.as_ref());
    Request {
        name: &prompt.name,
        title: &prompt.title,
        body: part.map_or(&prompt.body, |part| &part.focus),
        body_line: prompt.body_line,
        files: part.map_or(&prompt.front.files, |part| &part.files),
        files_line: prompt.front.line("files"),
        reads: part.map_or(&prompt.front.reads, |part| &part.reads),
        reads_line: prompt.front.line("reads"),
    }
}

fn plan_input(
    tree: &Tree,
    task: &Planned,
    analysis: Analysis,
    names: &BTreeSet<&str>,
) -> PlanInput {
    let (prompt, part) = (&task.prompt, task.part.as_ref());
    let body = request(task).body;
    // A part says nothing about what the whole waits for, unless its own lines do.
    let text = match part {
        Some(part) => part.common.clone(),
        None => prompt.body.clone(),
    };
    let whole = task.whole();
    let mut said = analysis::dependencies(whole, &text, prompt.body_line, names);
    if part.is_some() {
        let TextDependencies { known, .. } =
            analysis::dependencies(whole, body, prompt.body_line, names);
        said.known.extend(known);
    }
    let line = prompt.front.line("depends_on");
    let front = task.depends_on().iter().map(|name| Declared {
        name: name.clone(),
        line,
        words: Some(format!("depends_on: {name}")),
    });
    let text = said.known.into_iter().map(|found| Declared {
        name: found.name,
        line: Some(found.line),
        words: Some(found.words),
    });
    let parts = part.into_iter().flat_map(|part| part.after.clone());
    let remarks = said.unknown.into_iter().map(|found| {
        format!(
            "line {} names '{}', which is not among the prompts given: \"{}\"",
            found.line, found.name, found.words
        )
    });
    let creates = analysis.targets.iter().filter(|target| {
        !tree.contains(&target.path) && !target.path.ends_with('/') && !is_pattern(&target.path)
    });
    let judgement = analysis.judgement;
    let risks = judgement
        .risks
        .into_iter()
        .map(|risk| Risk { kind: risk.kind.to_owned(), reason: risk.reason });
    PlanInput {
        name: prompt.name.clone(),
        prompt: prompt.path.display().to_string(),
        title: prompt.title.clone(),
        skip_reason: prompt.done.clone(),
        declared: front.chain(text).chain(parts).collect(),
        priority: i64::from(prompt.front.priority),
        agent: String::new(),
        domain: prompt.front.domain.clone(),
        creates: creates.map(|target| target.path.clone()).collect(),
        targets: analysis.targets,
        possible: analysis.possible,
        scopes: analysis.scopes,
        work_type: judgement.work_type,
        complexity: judgement.complexity,
        reasons: judgement.reasons,
        research: judgement.research,
        risks: risks.collect(),
        remarks: remarks.collect(),
        part_of: part.map(|_| whole.to_owned()),
        ..PlanInput::default()
    }
}

fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '[', '{'])
}

/// What tasks of earlier runs did. A journal that cannot be read makes no plan impossible.
pub(super) fn finished(repo: &Repo) -> Vec<FinishedTask> {
    let journal = Journal::open_existing(&Layout::new(repo.state_dir()).journal());
    let finished =
        journal.and_then(|journal| journal.map_or(Ok(Vec::new()), |j| j.finished_tasks()));
    finished.unwrap_or_else(|error| {
        tracing::warn!("nothing is known of earlier runs: {error}");
        Vec::new()
    })
}

/// How long tasks took before.
pub(super) fn history(finished: &[FinishedTask]) -> History {
    History::new(finished.iter().map(|task| Finished {
        agent: task.agent.clone(),
        work_type: task.work_type,
        complexity: task.complexity,
        seconds: task.seconds,
    }))
}

/// Changes of which a share says how much a file changes nowadays, and below which it says nothing.
const RECENT: usize = 200;
const FEW: usize = 50;

/// The cache's number for histories of paths; those of the code's own entries are above 1,000.
const HISTORY: EntryKind = 7;

/// What is known of files that several tasks write. What was found at a commit is kept: it stays true.
pub(super) fn hot(repo: &Repo, base: &str, inputs: &[PlanInput]) -> BTreeMap<String, HotFacts> {
    let paths = plan::contested(inputs);
    if paths.is_empty() {
        return BTreeMap::new();
    }
    let union = repo.merged_by_union(&paths);
    let cache = Cache::open(&Layout::new(repo.state_dir()));
    let keys: Vec<String> = paths.iter().map(|path| format!("{base}:{path}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let kept = cache.get(HISTORY, &keys);
    let read = |bytes: &Vec<u8>| serde_json::from_slice::<PathHistory>(bytes).ok();
    let mut known: BTreeMap<String, PathHistory> =
        kept.iter().filter_map(|(&at, bytes)| Some((paths[at].clone(), read(bytes)?))).collect();
    let missing: Vec<String> =
        paths.iter().filter(|path| !known.contains_key(*path)).cloned().collect();
    let found = repo.path_history(base, &missing).unwrap_or_else(|error| {
        tracing::warn!("nothing is known of files that change often: {error}");
        BTreeMap::new()
    });
    let found: Vec<(String, PathHistory, Vec<u8>)> = found
        .into_iter()
        .map(|(path, seen)| {
            let bytes = serde_json::to_vec(&seen).unwrap_or_default();
            (path, seen, bytes)
        })
        .collect();
    let entries: Vec<(String, &[u8])> =
        found.iter().map(|(path, _, bytes)| (format!("{base}:{path}"), bytes.as_slice())).collect();
    let entries: Vec<(&str, &[u8])> =
        entries.iter().map(|(key, bytes)| (key.as_str(), *bytes)).collect();
    cache.put(HISTORY, &entries);
    known.extend(found.into_iter().map(|(path, seen, _)| (path, seen)));
    paths
        .into_iter()
        .map(|path| {
            let seen = known.get(&path).copied().unwrap_or_default();
            let facts = HotFacts {
                union: union.contains(&path),
                seen: seen.seen,
                changes: seen.changes,
                small: seen.small,
                pairs: seen.pairs,
                clean: seen.clean,
            };
            (path, facts)
        })
        .collect()
}

/// Makes tasks larger whose files matter to many others.
pub(super) fn grade(code: &Code<'_>, past: &[PastChange], inputs: &mut [PlanInput]) {
    let sure = |t: &&Target| t.access == Access::Write && t.confidence >= WRITE_FROM;
    let written = |input: &PlanInput| -> Vec<String> {
        input.targets.iter().filter(sure).map(|target| target.path.clone()).collect()
    };
    let all: Vec<String> = inputs.iter().flat_map(written).collect();
    let fan_in = code.importers(&all.iter().map(String::as_str).collect());

    let mut importers: HashMap<String, HashSet<(usize, String)>> = HashMap::new();
    for (task, input) in inputs.iter().enumerate() {
        for import in &input.imports {
            importers.entry(import.path.clone()).or_default().insert((task, import.by.clone()));
        }
    }
    let mut changes: HashMap<&str, Vec<usize>> = HashMap::new();
    for (number, change) in past.iter().enumerate().take(RECENT) {
        for path in &change.paths {
            changes.entry(path).or_default().push(number);
        }
    }
    for (task, input) in inputs.iter_mut().enumerate() {
        let mut others: HashSet<&str> = HashSet::new();
        let mut touched: HashSet<usize> = HashSet::new();
        let hub = input.targets.iter().filter(sure);
        let hub = hub.filter_map(|t| Some((*fan_in.get(t.path.as_str())?, t.path.as_str())));
        let hub = hub.max_by_key(|(count, path)| (*count, Reverse(*path)));
        if let Some((count, path)) = hub {
            let files =
                if count == 1 { "1 file imports" } else { &format!("{count} files import") };
            input.reasons.push(format!("fan-in: about {files} {path}"));
        }
        for target in input.targets.iter().filter(sure) {
            let by = importers.get(&target.path).into_iter().flatten();
            others.extend(by.filter(|(other, _)| *other != task).map(|(_, by)| by.as_str()));
            touched.extend(changes.get(target.path.as_str()).into_iter().flatten());
        }
        let all = past.len().clamp(FEW, RECENT);
        let ground = Ground {
            packages: input.packages.len(),
            importers: others.len(),
            fan_in: hub.map_or(0, |(count, _)| count),
            churn: touched.len() as f64 / all as f64,
        };
        if let Some((larger, reason)) = ground.raises(input.complexity) {
            input.complexity = larger;
            input.reasons.push(reason);
        }
    }
}
