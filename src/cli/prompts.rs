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
        let prompts = prompt::load(&paths, &place.cwd)?;
        if let Some(warning) = of_another_tool(&prompts) {
            eprintln!("warning: {warning}");
        }
        Ok(prompts)
    }
}

/// Front matter that means nothing here must not be taken for understood: it may name dependencies.
fn of_another_tool(prompts: &[Prompt]) -> Option<String> {
    let mut foreign = prompts.iter().filter(|prompt| prompt.foreign);
    let (first, more) = (foreign.next()?.path.display(), foreign.count());
    let others = match more {
        0 => String::new(),
        1 => " and of one more prompt".to_owned(),
        _ => format!(" and of {more} more prompts"),
    };
    Some(format!(
        "the front matter of {first}{others} was written for another tool: the agent reads it, but nothing \
         in it counts here, dependencies neither (known keys: {})",
        prompt::KEYS.join(", ")
    ))
}
