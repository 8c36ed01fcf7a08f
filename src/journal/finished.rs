//! What finished tasks changed and how long they took: what later predictions and estimates are made from.

use super::{Journal, JournalError};
use crate::model::{Complexity, TaskId, TaskView, WorkType};

/// Runs that are looked at, the newest: what older ones say of today's agents and code is little.
const MAX_RUNS: u32 = 50;
/// Tasks that are read, at most.
const MAX_TASKS: u32 = 500;
/// A run whose first event is larger is left out, bytes: reading it would take longer than the plan.
const MAX_SPEC: u32 = 4 << 20;

/// A task that did what was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedTask {
    /// The task.
    pub id: TaskId,
    /// Its title: one line of what was asked for.
    pub title: String,
    /// The commit it began at.
    pub start: Option<String>,
    /// The paths it changed.
    pub changed: Vec<String>,
    /// Its agent.
    pub agent: String,
    /// Type.
    pub work_type: WorkType,
    /// Size.
    pub complexity: Complexity,
    /// Seconds that its steps took, one after the other; waiting for a slot, a limit or a person left out.
    pub seconds: f64,
}

impl Journal {
    /// Tasks of the newest runs that succeeded, newest run first.
    ///
    /// # Errors
    /// A damaged file.
    pub fn finished_tasks(&self) -> Result<Vec<FinishedTask>, JournalError> {
        // Type and size are in the run's first event, the times in the task's projection.
        let sql = "SELECT t.view, json_extract(s.value, '$.work_type'), json_extract(s.value, '$.complexity')
                   FROM (SELECT ord FROM runs ORDER BY ord DESC LIMIT ?1) r
                   JOIN events e ON e.run = r.ord AND e.seq = 1 AND length(e.body) <= ?3
                   JOIN json_each(e.body, '$.spec.tasks') s
                   JOIN tasks t ON t.run = r.ord AND t.idx = s.key
                   WHERE t.state IN ('succeeded', 'merged') ORDER BY r.ord DESC, t.idx LIMIT ?2";
        let mut query = self.connection.prepare(sql).map_err(|e| self.sql(e))?;
        let mut rows = query.query([MAX_RUNS, MAX_TASKS, MAX_SPEC]).map_err(|e| self.sql(e))?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(|e| self.sql(e))? {
            let (view, work_type, complexity): (String, String, String) =
                (|| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))().map_err(|e| self.sql(e))?;
            let view: TaskView = self.parse(&view, "a task")?;
            let seconds = seconds(&view);
            out.push(FinishedTask {
                id: view.id,
                title: view.title,
                start: view.start,
                changed: view.files_changed,
                agent: view.agent,
                work_type: self.parse(&format!("\"{work_type}\""), "a task's type")?,
                complexity: self.parse(&format!("\"{complexity}\""), "a task's size")?,
                seconds,
            });
        }
        Ok(out)
    }
}

/// The attempts that are listed, and the other steps.
fn seconds(task: &TaskView) -> f64 {
    let listed = task.attempts.iter().filter_map(|attempt| {
        if let Some(seconds) = attempt.seconds {
            return Some(seconds);
        }
        let millis = attempt.finished_at?.0.saturating_sub(attempt.started_at.0);
        Some(millis as f64 / 1000.0)
    });
    let steps = task.steps.iter().filter(|step| task.attempts.iter().all(|a| a.step != step.id));
    listed.sum::<f64>() + steps.filter_map(|step| step.seconds).sum::<f64>()
}
