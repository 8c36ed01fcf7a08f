//! The steps of a task, which are mostly those of many: shared in memory, and stored once a run.

use super::{StepSpec, TaskSpec};
use serde::de::{Error, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// The steps of a task, in the workflow's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Steps {
    listed: Arc<Vec<StepSpec>>,
    /// They are those of the task at this position, an earlier one. Only while tasks are read or stored.
    same_as: Option<usize>,
}

impl From<Vec<StepSpec>> for Steps {
    fn from(steps: Vec<StepSpec>) -> Self {
        Self { listed: Arc::new(steps), same_as: None }
    }
}

impl Deref for Steps {
    type Target = Vec<StepSpec>;

    fn deref(&self) -> &Self::Target {
        &self.listed
    }
}

impl DerefMut for Steps {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.listed)
    }
}

impl Serialize for Steps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.same_as {
            None => self.listed.as_slice().serialize(serializer),
            Some(task) => task.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Steps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = Steps;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of steps, or the position of an earlier task that has the same")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Steps, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Steps::from)
    }

    fn visit_u64<E: Error>(self, task: u64) -> Result<Steps, E> {
        let task = usize::try_from(task).map_err(E::custom)?;
        Ok(Steps { same_as: Some(task), ..Steps::default() })
    }
}

/// The tasks as they are stored: each list of steps with the first task that has it.
pub(super) fn brief(tasks: &[TaskSpec]) -> Vec<TaskSpec> {
    let mut first: Vec<usize> = Vec::new();
    let stored = |(position, task): (usize, &TaskSpec)| {
        let same_as = first.iter().copied().find(|&other| tasks[other].steps == task.steps);
        if same_as.is_none() {
            first.push(position);
            return task.clone();
        }
        TaskSpec { steps: Steps { same_as, ..Steps::default() }, ..task.clone() }
    };
    tasks.iter().enumerate().map(stored).collect()
}

/// Reads tasks, stored briefly or in full.
pub(super) fn linked<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<TaskSpec>, D::Error> {
    let mut tasks = Vec::<TaskSpec>::deserialize(from)?;
    for position in 0..tasks.len() {
        let Some(other) = tasks[position].steps.same_as else { continue };
        if other >= position {
            let what =
                format!("task {position} has the steps of task {other}, which is no earlier one");
            return Err(D::Error::custom(what));
        }
        tasks[position].steps = tasks[other].steps.clone();
    }
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    use crate::model::{Event, Recorded, RunSpec, Timestamp};
    use serde_json::{Value, json};

    fn run(steps: &[Value]) -> Value {
        let task = |steps: &Value| {
            json!({"id": "t", "name": "t", "prompt": "t.md", "title": "T", "branch": "b", "worktree": "w",
                "agent": "a", "model": null, "role": null, "workflow": "w", "work_type": "feature",
                "complexity": "low", "depends_on": [], "writes": [], "skip": null, "steps": steps})
        };
        let tasks: Vec<Value> = steps.iter().map(task).collect();
        json!({"id": "run-1", "base": "b", "target": null, "jobs": 1, "parallel": false, "merge": "none",
            "verify": [], "grace_ms": 1, "log_cap": 1, "estimate_seconds": null, "tasks": tasks, "agents": {}})
    }

    fn steps(id: &str) -> Value {
        json!([{"id": id, "phase": "implementation", "kind": {"kind": "agent"}, "needs": [], "skip": null,
            "timeout_ms": null, "idle_timeout_ms": null, "retries": 0}])
    }

    #[test]
    fn what_tasks_have_in_common_is_stored_once_and_read_back_by_whom_it_is_told_to() {
        let told = run(&[steps("a"), steps("b"), steps("a"), json!([]), steps("b"), steps("a")]);
        let spec: RunSpec = serde_json::from_value(told.clone()).unwrap();
        // As others are told of it: in full.
        assert_eq!(serde_json::to_value(&spec).unwrap()["tasks"], told["tasks"]);
        let event = Event::RunCreated { spec: Box::new(spec) };
        let recorded = Recorded { seq: 1, at: Timestamp(0), event };
        let text = recorded.to_json().unwrap();
        let stored: Value = serde_json::from_str(&text).unwrap();
        let kept: Vec<&Value> =
            stored["spec"]["tasks"].as_array().unwrap().iter().map(|t| &t["steps"]).collect();
        let (a, b, none) = (steps("a"), steps("b"), json!([]));
        assert_eq!(kept, [&a, &b, &json!(0), &none, &json!(1), &json!(0)]);
        assert_eq!(Recorded::from_json(&text).unwrap(), recorded);
        assert_eq!(serde_json::from_str::<Recorded>(&text).unwrap(), recorded);
    }

    #[test]
    fn steps_of_a_task_that_comes_later_are_refused() {
        for other in [0, 7] {
            let wrong = serde_json::from_value::<RunSpec>(run(&[json!(other)])).unwrap_err();
            let what = format!("task 0 has the steps of task {other}, which is no earlier one");
            assert!(wrong.to_string().starts_with(&what), "{wrong}");
        }
    }
}
