//! `--tasks F... | --all-prompts`, shared by `plan` and `execute`.

use super::context::Place;
use super::error::CliError;
use crate::config::Config;
use crate::git::Repo;
use crate::prompt::{self, Prompt};
use std::path::PathBuf;

/// Which prompts.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// Prompt files (Markdown).
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(super) tasks: Vec<PathBuf>,
    /// Every prompt of the prompt folder (`prompts` unless orch.toml says otherwise).
    #[arg(long)]
    pub(super) all_prompts: bool,
}

impl Which {
    pub(super) fn load(
        &self,
        place: &Place,
        repo: &Repo,
        config: &Config,
    ) -> Result<Vec<Prompt>, CliError> {
        let paths = if self.all_prompts {
            let root = repo.checkout.clone().or_else(|| repo.root.clone());
            let dir = root.unwrap_or_else(|| place.cwd.clone()).join(&config.prompts);
            // As the user would type them.
            let from_here =
                |path: PathBuf| path.strip_prefix(&place.cwd).map(PathBuf::from).unwrap_or(path);
            prompt::scan(&dir)?.into_iter().map(from_here).collect()
        } else {
            self.tasks.clone()
        };
        Ok(prompt::load(&paths, &place.cwd)?)
    }
}
