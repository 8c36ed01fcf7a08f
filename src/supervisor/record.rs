//! What a run was asked to do, as a file beside its attempts: with it a run is known even where the journal
//! is not, and a prompt that a power failure took is written again.

use super::world::create_dir;
use super::{SupervisorError, World};
use crate::journal::Layout;
use crate::model::{RunId, RunSpec, TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// `runs/RUN/run.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RunRecord {
    /// When the run was created.
    pub(super) created_at: Timestamp,
    /// What was asked for.
    pub(super) spec: RunSpec,
    /// The text of each task's prompt, by its id.
    pub(super) prompts: BTreeMap<String, String>,
}

fn place(layout: &Layout, run: &crate::model::RunId) -> PathBuf {
    layout.run(run).join("run.json")
}

impl RunRecord {
    /// Writes the record so that it survives a power failure: one sync for all prompts.
    pub(super) fn store(&self, layout: &Layout) -> Result<(), SupervisorError> {
        let path = place(layout, &self.spec.id);
        let dir = layout.run(&self.spec.id);
        create_dir(&dir)?;
        let write = || {
            let mut file = tempfile::Builder::new().prefix(".run-").tempfile_in(&dir)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            // The names on the way to it, as far as they may be new.
            for above in dir.ancestors().take(4) {
                File::open(above)?.sync_all()?;
            }
            Ok(())
        };
        write().map_err(SupervisorError::io(format!("write {}", path.display())))
    }

    /// The record of the run whose directory is `dir`; `None` where there is none that can be read.
    pub(super) fn read(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(dir.join("run.json")).ok()?).ok()
    }

    /// Writes the prompts again that are not as they were.
    pub(super) fn restore_prompts(&self, layout: &Layout) -> Result<(), SupervisorError> {
        for task in &self.spec.tasks {
            let Some(text) = self.prompts.get(task.id.as_str()) else { continue };
            let path = layout.prompt(&self.spec.id, &task.id);
            let whole = fs::metadata(&path).is_ok_and(|file| file.len() == text.len() as u64);
            if !whole {
                create_dir(&layout.task(&self.spec.id, &task.id))?;
                fs::write(&path, text)
                    .map_err(SupervisorError::io(format!("write {}", path.display())))?;
            }
        }
        Ok(())
    }
}

/// Makes sure that a task's prompt is there, as it was when the run was created. What was not synced is missing
/// or empty after a power failure; the record, which was, takes a while to read and mends all of them.
pub(super) fn ensure_prompt(
    world: &World,
    run: &RunId,
    task: &TaskId,
) -> Result<(), SupervisorError> {
    // Attempts are prepared side by side, and one of them mends it for all.
    let _turn = world.prompts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let prompt = fs::metadata(world.layout.prompt(run, task));
    if prompt.is_ok_and(|file| file.len() > 0) {
        return Ok(());
    }
    match RunRecord::read(&world.layout.run(run)) {
        Some(record) => record.restore_prompts(&world.layout),
        // A run of an earlier version has none.
        None => Ok(()),
    }
}
