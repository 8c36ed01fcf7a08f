//! Splitting by the prompt's own structure: deterministic, and only where every part says which files it
//! writes, no two parts write the same, and not all of them wait for each other.

use super::{Part, Planned, Verdict, part_name};
use crate::analysis::score::WRITE_FROM;
use crate::analysis::{self, Request, Sources, Tree, parts};
use crate::model::{Access, Target};
use crate::plan::Declared;
use crate::prompt::Prompt;
use std::collections::BTreeSet;
use std::ops::Range;

/// More parts than this are a list of remarks and no list of tasks.
const MAX_PARTS: usize = 20;
/// What the heading of a section about checks is, lower case ([`analysis::is_about`]).
const CHECKS: &[&str] = &[
    "test",
    "run the test",
    "run test",
    "validat",
    "check",
    "how to test",
    "prüf",
    "vérifi",
    "prueba",
    "テスト",
    "検証",
    "测试",
    "验证",
];
/// Words that begin a part that goes on from the one before it, lower case.
const THEN: &[&str] = &[
    "then ",
    "then,",
    "afterwards",
    "after that",
    "next,",
    "finally",
    "lastly",
    "based on the above",
    "dann ",
    "danach",
    "anschließend",
    "ensuite",
    "puis ",
    "enfin",
    "luego",
    "después",
    "finalmente",
    "その後",
    "最後に",
    "次に",
    "然后",
    "最后",
];

/// A way to take a prompt apart, and what each part touches.
struct Way {
    parts: Vec<analysis::Part>,
    targets: Vec<Vec<Target>>,
}

/// Splits each prompt, or says why it stays one.
pub(super) fn split(tree: &Tree, prompts: Vec<Prompt>) -> Vec<Verdict> {
    let ways = ways(tree, &prompts);
    prompts.into_iter().zip(ways).map(|(prompt, ways)| decide(prompt, ways)).collect()
}

/// The ways of each prompt. All parts of all prompts are read at once: what the tree is indexed for is needed once.
fn ways(tree: &Tree, prompts: &[Prompt]) -> Vec<Vec<Way>> {
    let all: Vec<Vec<Vec<analysis::Part>>> = prompts
        .iter()
        .map(|prompt| if prompt.done.is_none() { parts(&prompt.body) } else { Vec::new() })
        .collect();
    let read = |way: &&Vec<analysis::Part>| way.len() <= MAX_PARTS;
    let places: Vec<(&Prompt, &analysis::Part)> = prompts
        .iter()
        .zip(&all)
        .flat_map(|(prompt, ways)| {
            ways.iter().filter(read).flatten().map(move |part| (prompt, part))
        })
        .collect();
    let foci: Vec<String> = places
        .iter()
        .map(|(prompt, part)| only(&prompt.body, std::slice::from_ref(&part.lines)))
        .collect();
    let requests: Vec<Request<'_>> = places
        .iter()
        .zip(&foci)
        .map(|((prompt, part), focus)| request(prompt, &part.title, focus))
        .collect();
    // By the text alone: what history and similarity add is too weak to cut a prompt by. Without globs of front
    // matter there is nothing to refuse.
    let found = analysis::analyse(Sources::new(tree), &requests).unwrap_or_default();
    let mut found = found.into_iter().map(|found| found.targets);
    let way = |parts: Vec<analysis::Part>| {
        let count = if read(&&parts) { parts.len() } else { 0 };
        Way { targets: found.by_ref().take(count).collect(), parts }
    };
    let mut way = way;
    all.into_iter().map(|ways| ways.into_iter().map(&mut way).collect()).collect()
}

fn decide(prompt: Prompt, ways: Vec<Way>) -> Verdict {
    if let Some(done) = &prompt.done {
        let reason = format!("it is done: {done}");
        return (Err(prompt), reason);
    }
    if ways.is_empty() {
        return (
            Err(prompt),
            "it has neither sections nor a list of more than one part".to_owned(),
        );
    }
    let mut why_not = None;
    for way in ways {
        match groups(&prompt, way) {
            Ok((parts, groups)) => {
                let reason = format!("{} parts write different files", groups.len());
                return (Ok(made(&prompt, &parts, &groups)), reason);
            }
            Err(reason) => {
                why_not.get_or_insert(reason);
            }
        }
    }
    (Err(prompt), why_not.unwrap_or_default())
}

/// Whether a part only says how the work is checked, which holds for all of it: `## Testing`, and no file to write.
fn is_check(part: &analysis::Part, targets: &[Target]) -> bool {
    analysis::is_about(&part.title, CHECKS) && !targets.iter().any(is_written)
}

/// Parts that become one task.
struct Group {
    /// Indices of the parts.
    parts: Vec<usize>,
    /// Groups that come first, by index, with the line that says so.
    after: Vec<(usize, u32, String)>,
    files: Vec<String>,
}

fn groups(prompt: &Prompt, way: Way) -> Result<(Vec<analysis::Part>, Vec<Group>), String> {
    if way.parts.len() > MAX_PARTS {
        return Err(format!(
            "{} parts are more than {MAX_PARTS}: it is rather a list of remarks",
            way.parts.len()
        ));
    }
    let read = way.parts.into_iter().zip(way.targets);
    let (parts, targets): (Vec<analysis::Part>, Vec<Vec<Target>>) =
        read.filter(|(part, targets)| !is_check(part, targets)).unzip();
    if parts.len() < 2 {
        return Err("only one of its parts is a change".to_owned());
    }
    let way = &parts;
    let shell = prompt.front.agent.as_deref() == Some("shell");
    for (part, targets) in parts.iter().zip(&targets) {
        let focus = only(&prompt.body, std::slice::from_ref(&part.lines));
        if shell && prompt.part(String::new(), String::new(), focus).sh_blocks().next().is_none() {
            return Err(format!("its part '{}' has no sh block", part.title));
        }
        if !targets.iter().any(is_written) {
            return Err(format!("its part '{}' does not say which files it writes", part.title));
        }
    }
    if shell
        && prompt
            .part(String::new(), String::new(), rest(&prompt.body, way))
            .sh_blocks()
            .next()
            .is_some()
    {
        return Err(
            "it has an sh block outside its parts, which would run in each of them".to_owned()
        );
    }
    // Parts that write the same become one.
    let mut group_of: Vec<usize> = (0..way.len()).collect();
    let mut shared = BTreeSet::new();
    for a in 0..way.len() {
        for b in a + 1..way.len() {
            if let Some(path) = overlap(&targets[a], &targets[b]) {
                shared.insert(path);
                let (keep, drop) = (group_of[a].min(group_of[b]), group_of[a].max(group_of[b]));
                group_of.iter_mut().filter(|group| **group == drop).for_each(|group| *group = keep);
            }
        }
    }
    let heads: Vec<usize> = (0..way.len()).filter(|&part| group_of[part] == part).collect();
    let place = |part: usize| heads.iter().position(|&head| head == group_of[part]).unwrap_or(0);
    if heads.len() < 2 {
        let paths: Vec<String> = shared.into_iter().take(3).collect();
        return Err(format!("its parts write the same files: {}", paths.join(", ")));
    }
    let mut groups: Vec<Group> = heads
        .iter()
        .map(|&head| Group {
            parts: (0..way.len()).filter(|&part| group_of[part] == head).collect(),
            after: Vec::new(),
            files: Vec::new(),
        })
        .collect();
    for (later, part) in way.iter().enumerate() {
        for (earlier, line, words) in before(prompt, way, &targets, later, part) {
            let (from, to) = (place(earlier), place(later));
            if from != to && groups[to].after.iter().all(|(other, ..)| *other != from) {
                groups[to].after.push((from, line, words));
            }
        }
    }
    for group in &mut groups {
        let own = |glob: &&String| {
            group.parts.iter().any(|&p| targets[p].iter().any(|t| t.path == **glob))
        };
        group.files = prompt.front.files.iter().filter(own).cloned().collect();
    }
    match side_by_side(&groups) {
        None => Err("its parts wait for each other in a circle".to_owned()),
        Some(1) => {
            Err("its parts go one after the other: nothing would run side by side".to_owned())
        }
        Some(_) => Ok((parts, groups)),
    }
}

fn is_written(target: &Target) -> bool {
    target.access == Access::Write && target.confidence >= WRITE_FROM
}

/// A path that both write.
fn overlap(a: &[Target], b: &[Target]) -> Option<String> {
    let inside = |path: &str, other: &str| other.ends_with('/') && path.starts_with(other);
    a.iter().filter(|t| is_written(t)).find_map(|x| {
        let meets =
            |y: &&Target| x.path == y.path || inside(&x.path, &y.path) || inside(&y.path, &x.path);
        b.iter().filter(|t| is_written(t)).find(meets).map(|_| x.path.clone())
    })
}

/// The parts that `later` says come before it: it reads what they write, names their number, or
/// begins with a word such as "then".
fn before(
    prompt: &Prompt,
    way: &[analysis::Part],
    targets: &[Vec<Target>],
    later: usize,
    part: &analysis::Part,
) -> Vec<(usize, u32, String)> {
    let lines: Vec<(usize, &str)> =
        prompt.body.lines().enumerate().skip(part.lines.start).take(part.lines.len()).collect();
    let at = |line: usize| prompt.body_line.saturating_add(u32::try_from(line).unwrap_or(u32::MAX));
    let mut found = Vec::new();
    for (earlier, other) in targets.iter().enumerate().filter(|(earlier, _)| *earlier != later) {
        let reads = targets[later].iter().filter(|t| t.access == Access::Read);
        let mut needs = reads.filter(|t| other.iter().any(|o| is_written(o) && o.path == t.path));
        if let Some(read) = needs.next() {
            let line = read.evidence.first().map_or(at(part.lines.start), |evidence| evidence.line);
            found.push((
                earlier,
                line,
                format!("reads {}, which part {} writes", read.path, earlier + 1),
            ));
        }
    }
    for &(number, line) in &lines {
        let lower = line.to_lowercase();
        for (earlier, other) in way.iter().enumerate().filter(|(earlier, _)| *earlier != later) {
            let named =
                ["step", "part", "task", "item", "schritt", "teil", "étape", "paso", "ステップ"];
            let cues =
                ["after", "depends on", "needs", "once", "requires", "nach", "après", "después de"];
            let says =
                |cue: &&str| named.iter().any(|what| has_words(&lower, cue, what, other.number));
            if cues.iter().any(says) {
                found.push((earlier, at(number), line.trim().to_owned()));
            }
        }
    }
    if let Some(&(number, line)) =
        lines.iter().find(|(_, line)| !line.trim_matches(['#', ' ']).is_empty())
    {
        let lower = line.to_lowercase();
        let text =
            lower.trim_start_matches(|c: char| "#-*+.) []".contains(c) || c.is_ascii_digit());
        if later > 0 && THEN.iter().any(|word| text.starts_with(word)) {
            found.push((later - 1, at(number), line.trim().to_owned()));
        }
    }
    found
}

/// `after step 2` in a line, as words.
fn has_words(line: &str, cue: &str, what: &str, number: usize) -> bool {
    let phrase = format!("{cue} {what} {number}");
    line.match_indices(&phrase).any(|(at, _)| {
        let after = line[at + phrase.len()..].chars().next();
        !after.is_some_and(|c| c.is_ascii_digit())
    })
}

/// How many groups can run at the same time at most, level by level; `None` for a circle.
fn side_by_side(groups: &[Group]) -> Option<usize> {
    let mut level = vec![None; groups.len()];
    let mut left: Vec<usize> = (0..groups.len()).collect();
    while !left.is_empty() {
        let before = left.len();
        let ready: Vec<usize> = left
            .iter()
            .copied()
            .filter(|&group| groups[group].after.iter().all(|(first, ..)| level[*first].is_some()))
            .collect();
        for &group in &ready {
            let first = groups[group].after.iter().filter_map(|(first, ..)| level[*first]).max();
            level[group] = Some(first.map_or(0, |first: usize| first + 1));
        }
        left.retain(|group| level[*group].is_none());
        if left.len() == before {
            return None;
        }
    }
    let count = |wanted: usize| level.iter().filter(|level| **level == Some(wanted)).count();
    (0..groups.len()).map(count).max()
}

fn made(prompt: &Prompt, way: &[analysis::Part], groups: &[Group]) -> Vec<Planned> {
    let names: Vec<String> = groups
        .iter()
        .enumerate()
        .map(|(i, group)| part_name(&prompt.name, i + 1, &way[group.parts[0]].title))
        .collect();
    let common = rest(&prompt.body, way);
    groups
        .iter()
        .zip(&names)
        .map(|(group, name)| {
            let own: Vec<Range<usize>> = group.parts.iter().map(|&p| way[p].lines.clone()).collect();
            let titles: Vec<&str> = group.parts.iter().map(|&p| way[p].title.as_str()).collect();
            let title = titles.join("; ");
            let others: Vec<Range<usize>> = way
                .iter()
                .map(|part| part.lines.clone())
                .filter(|lines| !own.contains(lines))
                .collect();
            let text = without(&prompt.body, &others);
            let text = format!(
                "{}\n\nThis is one part of a larger request, '{}'. Do only this part; other agents do the others.\n",
                text.trim_end(),
                prompt.title
            );
            let after = group.after.iter().map(|(first, line, words)| Declared {
                name: names[*first].clone(),
                line: Some(*line),
                words: Some(words.clone()),
            });
            let part = Part {
                whole: prompt.name.clone(),
                focus: only(&prompt.body, &own),
                common: common.clone(),
                files: group.files.clone(),
                reads: Vec::new(),
                after: after.collect(),
                depends_on: prompt.front.depends_on.clone(),
            };
            Planned { prompt: prompt.part(name.clone(), title, text), part: Some(part) }
        })
        .collect()
}

fn request<'a>(prompt: &'a Prompt, title: &'a str, body: &'a str) -> Request<'a> {
    Request {
        name: &prompt.name,
        title,
        body,
        body_line: prompt.body_line,
        files: &[],
        files_line: None,
        reads: &[],
        reads_line: None,
    }
}

/// The body with only these lines, each where it was.
fn only(body: &str, ranges: &[Range<usize>]) -> String {
    let keep = |number: usize| ranges.iter().any(|range| range.contains(&number));
    let line = |(number, line)| if keep(number) { line } else { "" };
    body.lines().enumerate().map(line).collect::<Vec<&str>>().join("\n")
}

/// What is in no part, each line where it was.
fn rest(body: &str, way: &[analysis::Part]) -> String {
    let inside = |number: usize| way.iter().any(|part| part.lines.contains(&number));
    let line = |(number, line)| if inside(number) { "" } else { line };
    body.lines().enumerate().map(line).collect::<Vec<&str>>().join("\n")
}

/// The body without these lines.
fn without(body: &str, ranges: &[Range<usize>]) -> String {
    let keep = |number: &usize| !ranges.iter().any(|range| range.contains(number));
    let lines = body.lines().enumerate().filter(|(number, _)| keep(number));
    lines.map(|(_, line)| line).collect::<Vec<&str>>().join("\n")
}
