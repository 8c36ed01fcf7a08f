//! `orch ps`: the processes of the attempts that run.

use super::style::Style;
use super::words::{bytes, count, duration};
use crate::model::{RunId, TaskId, Timestamp};
use crate::process::LiveAttempt;
use serde::Serialize;
use std::fmt::Write;
use std::time::Duration;

/// An attempt without output and CPU use for this long is shown with its last line: what it waits for is
/// mostly there.
const QUIET: Duration = Duration::from_secs(30);

/// An attempt that runs, with its place in its run.
#[derive(Debug)]
pub struct PsRow {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
    /// Its name.
    pub name: String,
    /// The step.
    pub step: String,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The processes.
    pub live: LiveAttempt,
    /// The last line it printed.
    pub last_line: Option<String>,
}

impl PsRow {
    fn memory(&self) -> u64 {
        self.live.processes.iter().map(|process| process.memory_bytes).sum()
    }

    /// Of those that have ended too, as far as the shim has told.
    fn cpu(&self) -> Duration {
        let own: u64 = self.live.processes.iter().map(|process| process.cpu_ms).sum();
        Duration::from_millis(self.live.heartbeat.map_or(0, |beat| beat.cpu_ms).max(own))
    }

    fn quiet(&self, now: Timestamp) -> Option<Duration> {
        let beat = self.live.heartbeat?;
        Some(now.since(beat.last_cpu_at.max(self.live.last_output.unwrap_or(Timestamp(0)))))
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    supervisor: Option<u32>,
    attempts: Vec<Attempt<'a>>,
}

#[derive(Serialize)]
struct Attempt<'a> {
    run: &'a RunId,
    task: &'a TaskId,
    name: &'a str,
    step: &'a str,
    #[serde(rename = "attempt")]
    number: u32,
    shim_pid: u32,
    agent_pid: Option<u32>,
    memory_bytes: u64,
    peak_memory_bytes: Option<u64>,
    cpu_seconds: f64,
    last_output_at: Option<Timestamp>,
    last_cpu_at: Option<Timestamp>,
    quiet_seconds: Option<u64>,
    last_line: Option<&'a str>,
    processes: Vec<Process<'a>>,
}

#[derive(Serialize)]
struct Process<'a> {
    pid: u32,
    parent: u32,
    command: &'a str,
    state: &'a str,
    memory_bytes: u64,
    cpu_seconds: f64,
}

/// `orch.ps/1`; `supervisor` is the process id of the one at work.
#[must_use]
pub fn ps_json(rows: &[PsRow], supervisor: Option<u32>, now: Timestamp) -> String {
    let attempts = rows
        .iter()
        .map(|row| Attempt {
            run: &row.run,
            task: &row.task,
            name: &row.name,
            step: &row.step,
            number: row.attempt,
            shim_pid: row.live.shim.pid,
            agent_pid: row.live.agent.map(|agent| agent.pid),
            memory_bytes: row.memory(),
            peak_memory_bytes: row.live.heartbeat.map(|beat| beat.peak_memory_bytes),
            cpu_seconds: row.cpu().as_secs_f64(),
            last_output_at: row.live.last_output,
            last_cpu_at: row.live.heartbeat.map(|beat| beat.last_cpu_at),
            quiet_seconds: row.quiet(now).map(|quiet| quiet.as_secs()),
            last_line: row.last_line.as_deref(),
            processes: row
                .live
                .processes
                .iter()
                .map(|process| Process {
                    pid: process.pid,
                    parent: process.parent,
                    command: &process.command,
                    state: &process.state,
                    memory_bytes: process.memory_bytes,
                    cpu_seconds: Duration::from_millis(process.cpu_ms).as_secs_f64(),
                })
                .collect(),
        })
        .collect();
    let document = Document { schema: "orch.ps/1", supervisor, attempts };
    // Plain data with text keys always serialises.
    let mut text = serde_json::to_string(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// The human view.
#[must_use]
pub fn ps(rows: &[PsRow], supervisor: Option<u32>, now: Timestamp, style: Style) -> String {
    if rows.is_empty() {
        return "nothing runs\n".to_owned();
    }
    let mut out = String::new();
    for row in rows {
        let ago = |at: Option<Timestamp>| {
            at.map_or_else(
                || "none yet".to_owned(),
                |at| format!("{} ago", duration(now.since(at))),
            )
        };
        let head = format!("{}  {}.{}", row.name, row.step, row.attempt);
        let facts = format!(
            "{}, CPU {}, output {}, CPU use {}",
            bytes(row.memory()),
            duration(row.cpu()),
            ago(row.live.last_output),
            ago(row.live.heartbeat.map(|beat| beat.last_cpu_at)),
        );
        let rest = style.cut(&facts, super::style::columns(&head) + 2);
        let _ = writeln!(out, "{}  {rest}", style.bold(&head));
        let line = |pid: u32, state: &str, memory: &str, cpu: &str, depth: usize, command: &str| {
            let mark = state.chars().next().unwrap_or('?').to_ascii_uppercase();
            let indent = "  ".repeat(depth);
            let text = format!("  {pid:>8} {mark} {memory:>10} {cpu:>6}  {indent}{command}");
            format!("{}\n", style.cut(text.trim_end(), 0))
        };
        out.push_str(&line(row.live.shim.pid, "sleeping", "", "", 0, "orch shim"));
        for process in &row.live.processes {
            let cpu = duration(Duration::from_millis(process.cpu_ms));
            let memory = bytes(process.memory_bytes);
            let (state, depth) = (&process.state, process.depth);
            out.push_str(&line(process.pid, state, &memory, &cpu, depth, &process.command));
        }
        if row.quiet(now).is_some_and(|quiet| quiet >= QUIET)
            && let Some(last) = &row.last_line
        {
            let text = format!("  quiet; its last line: {last}");
            let _ = writeln!(out, "{}", style.dim(&style.cut(&text, 0)));
        }
    }
    let memory = bytes(rows.iter().map(PsRow::memory).sum());
    let who = supervisor.map_or_else(
        || "no supervisor is at work; go on with: orch resume".to_owned(),
        |pid| format!("supervisor: process {pid}"),
    );
    let _ = writeln!(out, "{} at work, {memory}; {who}", count(rows.len(), "attempt"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Heartbeat, LiveProcess, ProcessId};

    fn row() -> PsRow {
        let process = |pid, parent, depth, command: &str, memory_mib: u64, cpu_ms| LiveProcess {
            pid,
            parent,
            depth,
            command: command.to_owned(),
            state: "sleeping".to_owned(),
            memory_bytes: memory_mib << 20,
            cpu_ms,
        };
        PsRow {
            run: "run-20260101-120000-ab12".into(),
            task: "task-20260101-120000-ab12".into(),
            name: "fix-login".to_owned(),
            step: "implement".to_owned(),
            attempt: 2,
            live: LiveAttempt {
                shim: ProcessId { pid: 100, start: 1 },
                agent: Some(ProcessId { pid: 101, start: 1 }),
                heartbeat: Some(Heartbeat {
                    at: Timestamp(50_000),
                    last_output_at: Some(Timestamp(40_000)),
                    last_cpu_at: Timestamp(45_000),
                    memory_bytes: 150 << 20,
                    peak_memory_bytes: 300 << 20,
                    cpu_ms: 90_000,
                    processes: 2,
                }),
                last_output: Some(Timestamp(40_000)),
                processes: vec![
                    process(101, 100, 1, "claude -p", 140, 11_000),
                    process(
                        102,
                        101,
                        2,
                        "cargo test a-rather-long-argument-that-does-not-fit",
                        10,
                        400,
                    ),
                ],
            },
            last_line: Some("Proceed? [y/n]".to_owned()),
        }
    }

    #[test]
    fn a_quiet_tree_on_a_narrow_terminal() {
        let style = Style { color: false, width: Some(60) };
        insta::assert_snapshot!(ps(&[row()], Some(7), Timestamp(100_000), style), @r"
        fix-login  implement.2  150.0 MiB, CPU 1m30s, output 1m00s …
               100 S                    orch shim
               101 S  140.0 MiB    11s    claude -p
               102 S   10.0 MiB   0.4s      cargo test a-rather-lon…
          quiet; its last line: Proceed? [y/n]
        1 attempt at work, 150.0 MiB; supervisor: process 7
        ");
        assert_eq!(ps(&[], None, Timestamp(0), style), "nothing runs\n");
    }

    #[test]
    fn the_document_says_the_same() {
        let text = ps_json(&[row()], None, Timestamp(100_000));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["schema"], "orch.ps/1");
        let attempt = &json["attempts"][0];
        assert_eq!(attempt["memory_bytes"], 150 << 20);
        assert_eq!(attempt["cpu_seconds"], 90.0, "ended processes count");
        assert_eq!(attempt["quiet_seconds"], 55);
        assert_eq!(attempt["processes"][1]["parent"], 101);
    }
}
