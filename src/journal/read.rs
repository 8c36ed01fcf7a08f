//! Reading the journal.

use super::{Journal, JournalError};
use crate::model::{Recorded, RunId, RunView, TaskId, TaskState, TaskView};
use rusqlite::{OptionalExtension, params};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// How many tasks of a run are in each state.
pub type Counts = BTreeMap<TaskState, u64>;

/// Of a journal that is read through, mapped at most: some hundred runs of a thousand tasks.
const MAPPED: i64 = 512 << 20;

/// A task that a person named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRef {
    /// Its run.
    pub run: RunId,
    /// The task.
    pub id: TaskId,
    /// Its name.
    pub name: String,
    /// Its position in the plan.
    pub index: usize,
}

impl Journal {
    /// The run that `name` means: an id, an unambiguous prefix of one, or `latest`. `None` when there is
    /// no run at all.
    ///
    /// # Errors
    /// No run by that name, or more than one.
    pub fn find_run(&self, name: &str) -> Result<Option<RunId>, JournalError> {
        let sql = |source| self.sql(source);
        if name == "latest" {
            return self
                .connection
                .query_row("SELECT id FROM runs ORDER BY ord DESC LIMIT 1", [], |row| row.get(0))
                .optional()
                .map(|id: Option<String>| id.map(RunId))
                .map_err(sql);
        }
        let mut query = self
            .connection
            .prepare("SELECT id FROM runs WHERE substr(id, 1, length(?1)) = ?1 ORDER BY ord DESC LIMIT 9")
            .map_err(sql)?;
        let ids: Vec<String> =
            query.query_map([name], |row| row.get(0)).and_then(Iterator::collect).map_err(sql)?;
        match ids.as_slice() {
            [] => Err(JournalError::NotFound(format!("no run '{name}'; see: orch status --runs"))),
            [id] => Ok(Some(RunId(id.clone()))),
            many if many.iter().any(|id| id == name) => Ok(Some(RunId(name.to_owned()))),
            many => {
                Err(JournalError::Ambiguous { name: name.to_owned(), candidates: many.join(", ") })
            }
        }
    }

    /// Whether this very event is one of the run's.
    ///
    /// # Errors
    /// A damaged file.
    pub fn has_event(&self, run: &RunId, event: &Recorded) -> Result<bool, JournalError> {
        let sql = "SELECT body FROM events
                   WHERE run = (SELECT ord FROM runs WHERE id = ?1) AND seq = ?2";
        let body: Option<String> = self
            .connection
            .query_row(sql, params![run.as_str(), event.seq.cast_signed()], |row| row.get(0))
            .optional()
            .map_err(|source| self.sql(source))?;
        Ok(body.is_some_and(|body| Recorded::from_json(&body).is_ok_and(|known| known == *event)))
    }

    /// The runs, newest first, at most `limit`.
    ///
    /// # Errors
    /// A damaged file.
    pub fn runs(&self, limit: u32) -> Result<Vec<RunView>, JournalError> {
        self.views("SELECT view FROM runs ORDER BY ord DESC LIMIT ?1", params![limit])
    }

    /// Runs that are not over, newest first, at most `limit`: at work, interrupted, or left by a
    /// supervisor that died.
    ///
    /// # Errors
    /// A damaged file.
    pub fn unfinished(&self, limit: u32) -> Result<Vec<RunView>, JournalError> {
        let sql = "SELECT view FROM runs WHERE state IN ('running', 'paused', 'interrupted')
                   ORDER BY ord DESC LIMIT ?1";
        self.views(sql, params![limit])
    }

    /// A run at a glance.
    ///
    /// # Errors
    /// A damaged file, or no such run.
    pub fn run_view(&self, run: &RunId) -> Result<RunView, JournalError> {
        self.views("SELECT view FROM runs WHERE id = ?1", [run.as_str()])?
            .pop()
            .ok_or_else(|| JournalError::NotFound(format!("no run '{run}'")))
    }

    /// The tasks of a run, in plan order.
    ///
    /// # Errors
    /// A damaged file.
    pub fn tasks(&self, run: &RunId) -> Result<Vec<TaskView>, JournalError> {
        let sql =
            "SELECT view FROM tasks WHERE run = (SELECT ord FROM runs WHERE id = ?1) ORDER BY idx";
        self.views(sql, [run.as_str()])
    }

    /// The tasks of a run, in plan order, each as the JSON object that is stored.
    ///
    /// # Errors
    /// A damaged file.
    pub fn raw_tasks(&self, run: &RunId) -> Result<Vec<Box<RawValue>>, JournalError> {
        let sql =
            "SELECT view FROM tasks WHERE run = (SELECT ord FROM runs WHERE id = ?1) ORDER BY idx";
        let mut query = self.connection.prepare(sql).map_err(|e| self.sql(e))?;
        let mut rows = query.query([run.as_str()]).map_err(|e| self.sql(e))?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(|e| self.sql(e))? {
            let body: String = row.get(0).map_err(|e| self.sql(e))?;
            out.push(RawValue::from_string(body).map_err(|source| JournalError::Unreadable {
                path: self.path.clone(),
                what: "a task".to_owned(),
                source,
            })?);
        }
        Ok(out)
    }

    /// A task at a glance.
    ///
    /// # Errors
    /// A damaged file, or no such task.
    pub fn task_view(&self, task: &TaskRef) -> Result<TaskView, JournalError> {
        let sql = "SELECT view FROM tasks WHERE id = ?1";
        self.views(sql, [task.id.as_str()])?
            .pop()
            .ok_or_else(|| JournalError::NotFound(format!("no task '{}'", task.id)))
    }

    /// The tasks of all runs that have a worktree or a branch still, oldest first.
    ///
    /// # Errors
    /// A damaged file.
    pub fn uncleaned(&self) -> Result<Vec<TaskRef>, JournalError> {
        let sql = "SELECT r.id, t.id, t.name, t.idx FROM tasks t JOIN runs r ON r.ord = t.run
                   WHERE json_extract(t.view, '$.worktree') IS NOT NULL AND ?1 IS NOT NULL AND ?2 IS NULL
                   ORDER BY t.run, t.idx";
        self.task_refs(sql, "", None)
    }

    /// The tasks of a run that are in one of the given states, in plan order, at most `limit`.
    ///
    /// # Errors
    /// A damaged file.
    pub fn tasks_in(
        &self,
        run: &RunId,
        states: &[TaskState],
        limit: usize,
    ) -> Result<Vec<TaskView>, JournalError> {
        // The choice is made on the index alone, a state at a time, in its order: what is in the rows is
        // read only for those shown.
        let of_state = |state: &TaskState| {
            format!(
                "SELECT * FROM (SELECT idx FROM tasks INDEXED BY tasks_by_state
                 WHERE run = (SELECT ord FROM runs WHERE id = ?1) AND state = '{state}'
                 ORDER BY idx LIMIT {limit})"
            )
        };
        let chosen: Vec<String> = states.iter().map(of_state).collect();
        let sql = format!(
            "SELECT view FROM tasks WHERE run = (SELECT ord FROM runs WHERE id = ?1)
             AND idx IN ({} ORDER BY 1 LIMIT {limit}) ORDER BY idx",
            chosen.join(" UNION ALL ")
        );
        self.views(&sql, [run.as_str()])
    }

    /// The state of each task of a run as it is shown, by the task's position in the plan.
    ///
    /// # Errors
    /// A damaged file.
    pub fn task_states(&self, run: &RunId) -> Result<Vec<(usize, TaskState)>, JournalError> {
        let sql = "SELECT idx, state FROM tasks INDEXED BY tasks_by_state
                   WHERE run = (SELECT ord FROM runs WHERE id = ?1)";
        let mut query = self.connection.prepare(sql).map_err(|e| self.sql(e))?;
        let rows: Vec<(i64, String)> = query
            .query_map([run.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .map_err(|e| self.sql(e))?;
        let read = |(task, state): (i64, String)| {
            Ok((usize::try_from(task).unwrap_or(usize::MAX), self.state(&state)?))
        };
        rows.into_iter().map(read).collect()
    }

    /// A state as its column has it.
    fn state(&self, word: &str) -> Result<TaskState, JournalError> {
        self.parse(&format!("\"{word}\""), "a task's state")
    }

    /// How many tasks of a run are in each state.
    ///
    /// # Errors
    /// A damaged file.
    pub fn counts(&self, run: &RunId) -> Result<Counts, JournalError> {
        let sql = "SELECT state, n FROM task_counts
                   WHERE run = (SELECT ord FROM runs WHERE id = ?1) AND n > 0";
        let mut query = self.connection.prepare(sql).map_err(|e| self.sql(e))?;
        let rows: Vec<(String, i64)> = query
            .query_map([run.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .map_err(|e| self.sql(e))?;
        rows.into_iter()
            .map(|(state, count)| Ok((self.state(&state)?, u64::try_from(count).unwrap_or(0))))
            .collect()
    }

    /// The events of a run after number `after`.
    ///
    /// # Errors
    /// A damaged file, or an event of a version this one does not know.
    pub fn events_after(&self, run: &RunId, after: u64) -> Result<Vec<Recorded>, JournalError> {
        let mut out = Vec::new();
        self.each_event_after(run, after, |recorded| out.push(recorded))?;
        Ok(out)
    }

    /// As [`Journal::events_after`], one after another: a long history need not be held at once.
    ///
    /// # Errors
    /// As there.
    pub fn each_event_after(
        &self,
        run: &RunId,
        after: u64,
        take: impl FnMut(Recorded),
    ) -> Result<(), JournalError> {
        if after > 0 {
            return self.each_event(run, after, take);
        }
        self.mapped(|| self.each_event(run, after, take))
    }

    /// `read`, while the file is mapped into memory: where most of it is read that saves a call a page, and
    /// the specification of a long run, the first of its events, is read as often as it is sought.
    pub(super) fn mapped<T>(&self, read: impl FnOnce() -> T) -> T {
        let map = |bytes: i64| {
            // What cannot be mapped is read as ever.
            let _ = self.connection.pragma_update(None, "mmap_size", bytes);
        };
        map(MAPPED);
        let found = read();
        // Not for longer: whoever overwrites the file in place would end every process that maps it.
        map(0);
        found
    }

    fn each_event(
        &self,
        run: &RunId,
        after: u64,
        mut take: impl FnMut(Recorded),
    ) -> Result<(), JournalError> {
        let sql = "SELECT body FROM events
                   WHERE run = (SELECT ord FROM runs WHERE id = ?1) AND seq > ?2 ORDER BY seq";
        let mut query = self.connection.prepare(sql).map_err(|e| self.sql(e))?;
        let mut rows =
            query.query(params![run.as_str(), after.cast_signed()]).map_err(|e| self.sql(e))?;
        while let Some(row) = rows.next().map_err(|e| self.sql(e))? {
            let body = row.get_ref(0).map_err(|e| self.sql(e))?;
            let body = body.as_str().map_err(|e| self.sql(e.into()))?;
            take(Recorded::from_json(body).map_err(|source| JournalError::Unreadable {
                path: self.path.clone(),
                what: "an event".to_owned(),
                source,
            })?);
        }
        Ok(())
    }

    /// The task that `name` means: a task id, its name, or an unambiguous prefix of either; of the
    /// given run, else of the newest run that has it.
    ///
    /// # Errors
    /// No such task, or more than one.
    pub fn find_task(&self, run: Option<&RunId>, name: &str) -> Result<TaskRef, JournalError> {
        let name = name.strip_suffix(".md").unwrap_or(name);
        let name = name.rsplit('/').next().unwrap_or(name);
        let only = run.map(RunId::as_str);
        let select = "SELECT r.id, t.id, t.name, t.idx FROM tasks t JOIN runs r ON r.ord = t.run";
        let exact = format!(
            "{select} WHERE (t.id = ?1 OR t.name = ?1) AND (?2 IS NULL OR r.id = ?2)
             ORDER BY r.ord DESC LIMIT 1"
        );
        if let Some(found) = self.task_refs(&exact, name, only)?.pop() {
            return Ok(found);
        }
        let prefix = format!(
            "{select} WHERE (substr(t.id, 1, length(?1)) = ?1 OR substr(t.name, 1, length(?1)) = ?1)
             AND (?2 IS NULL OR r.id = ?2) ORDER BY r.ord DESC LIMIT 200"
        );
        let mut found = self.task_refs(&prefix, name, only)?;
        let newest = found.first().map(|f| f.run.clone());
        found.retain(|f| Some(&f.run) == newest.as_ref());
        match found.len() {
            0 => Err(JournalError::NotFound(format!("no task '{name}'; see: orch status"))),
            1 => Ok(found.remove(0)),
            _ => Err(JournalError::Ambiguous {
                name: name.to_owned(),
                candidates: found
                    .iter()
                    .take(8)
                    .map(|f| f.name.clone())
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }

    fn task_refs(
        &self,
        sql: &str,
        name: &str,
        run: Option<&str>,
    ) -> Result<Vec<TaskRef>, JournalError> {
        let mut query = self.connection.prepare(sql).map_err(|e| self.sql(e))?;
        query
            .query_map(params![name, run], |row| {
                Ok(TaskRef {
                    run: RunId(row.get(0)?),
                    id: TaskId(row.get(1)?),
                    name: row.get(2)?,
                    index: row.get::<_, i64>(3).map(|i| usize::try_from(i).unwrap_or(0))?,
                })
            })
            .and_then(Iterator::collect)
            .map_err(|e| self.sql(e))
    }

    fn views<T: DeserializeOwned>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> Result<Vec<T>, JournalError> {
        let mut query = self.connection.prepare(sql).map_err(|e| self.sql(e))?;
        let mut rows = query.query(params).map_err(|e| self.sql(e))?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(|e| self.sql(e))? {
            let body = row.get_ref(0).map_err(|e| self.sql(e))?;
            let body = body.as_str().map_err(|e| self.sql(e.into()))?;
            out.push(self.parse(body, "a row")?);
        }
        Ok(out)
    }

    pub(super) fn parse<T: DeserializeOwned>(
        &self,
        body: &str,
        what: &str,
    ) -> Result<T, JournalError> {
        serde_json::from_str(body).map_err(|source| JournalError::Unreadable {
            path: self.path.clone(),
            what: what.to_owned(),
            source,
        })
    }
}
