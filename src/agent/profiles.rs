//! The built-in profiles, and what makes any profile usable.

use super::AgentError;
use super::placeholder::{self, Part};
use crate::model::{AgentProfile, Dialect, PromptDelivery};
use serde::Deserialize;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

#[derive(Deserialize)]
struct File {
    agent: Vec<Known>,
}

#[derive(Deserialize)]
struct Known {
    #[serde(flatten)]
    profile: AgentProfile,
    version: Vec<String>,
    install: String,
    login: String,
    #[serde(default)]
    credentials: Vec<String>,
}

struct Loaded {
    profiles: Vec<AgentProfile>,
    known: Vec<Known>,
}

#[expect(clippy::expect_used, reason = "the file is embedded and a test parses it")]
static LOADED: LazyLock<Loaded> = LazyLock::new(|| {
    let file: File =
        toml::from_str(include_str!("profiles.toml")).expect("the embedded profiles parse");
    let profiles = file.agent.iter().map(|known| known.profile.clone()).collect();
    Loaded { profiles, known: file.agent }
});

/// The profiles that need no configuration, in the order they should be offered.
#[must_use]
pub fn builtin() -> &'static [AgentProfile] {
    &LOADED.profiles
}

/// The built-in profile of that name.
#[must_use]
pub fn find_builtin(name: &str) -> Option<&'static AgentProfile> {
    builtin().iter().find(|profile| profile.name == name)
}

/// The built-in data about the program this profile starts, whatever the profile is called.
fn known(profile: &AgentProfile) -> Option<&'static Known> {
    let program = Path::new(profile.command.first()?).file_name()?.to_str()?;
    LOADED.known.iter().find(|known| {
        known.profile.output != Dialect::Shell
            && known.profile.command.first().is_some_and(|p| p == program)
    })
}

/// The arguments that make the agent print its version and exit. `--version` when nothing better is known;
/// none for the shell.
#[must_use]
pub fn version_args(profile: &AgentProfile) -> Vec<String> {
    if profile.output == Dialect::Shell {
        return Vec::new();
    }
    known(profile).map_or_else(|| vec!["--version".to_owned()], |known| known.version.clone())
}

/// The command that installs the agent, where it is known.
#[must_use]
pub fn install_hint(profile: &AgentProfile) -> Option<&'static str> {
    known(profile).map(|known| known.install.as_str()).filter(|hint| !hint.is_empty())
}

/// How to log in to the agent's provider, where it is known.
#[must_use]
pub fn login_hint(profile: &AgentProfile) -> Option<&'static str> {
    known(profile).map(|known| known.login.as_str()).filter(|hint| !hint.is_empty())
}

/// Where the agent's credentials come from, where that is known: names of variables, and files that begin
/// with `~/`.
#[must_use]
pub fn credentials(profile: &AgentProfile) -> &'static [String] {
    known(profile).map_or(&[], |known| known.credentials.as_slice())
}

/// Whether success needs a change in the worktree.
#[must_use]
pub fn requires_changes(profile: &AgentProfile) -> bool {
    profile.requires_changes.unwrap_or(!matches!(profile.output, Dialect::Plain | Dialect::Shell))
}

/// Checks a profile before anything is started with it.
///
/// # Errors
/// The first thing that is wrong with it, and what to write instead.
pub fn validate(profile: &AgentProfile) -> Result<(), AgentError> {
    let agent = || profile.name.clone();
    let Some(program) = profile.command.first().filter(|program| !program.is_empty()) else {
        return Err(AgentError::EmptyCommand { agent: agent() });
    };
    if placeholder::parts(program).iter().any(|part| matches!(part, Part::Placeholder(_))) {
        return Err(AgentError::PlaceholderProgram { agent: agent(), program: program.clone() });
    }
    for argument in &profile.command {
        if argument.contains('\0') {
            return Err(AgentError::Nul { agent: agent(), what: "the command".to_owned() });
        }
        for part in placeholder::parts(argument) {
            let Part::Placeholder(name) = part else { continue };
            if !placeholder::NAMES.contains(&name) {
                return Err(AgentError::UnknownPlaceholder {
                    agent: agent(),
                    name: name.to_owned(),
                    argument: argument.clone(),
                    hint: placeholder::nearest(name),
                });
            }
        }
    }
    if profile.prompt != PromptDelivery::Arg && placeholder::mentions(&profile.command, "prompt") {
        let delivery = if profile.prompt == PromptDelivery::Stdin { "stdin" } else { "file" };
        return Err(AgentError::PromptTwice { agent: agent(), delivery });
    }
    if let Some(resume) = &profile.resume_command {
        if !placeholder::mentions(resume, "session") {
            return Err(AgentError::NoSession { agent: agent() });
        }
        return validate(&resuming(profile, resume));
    }
    for (name, value) in &profile.env {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(AgentError::VariableName { agent: agent(), name: name.clone() });
        }
        if value.contains('\0') {
            return Err(AgentError::Nul { agent: agent(), what: format!("the variable {name}") });
        }
    }
    Ok(())
}

/// The profile as it goes on with a session.
pub(super) fn resuming(profile: &AgentProfile, resume: &[String]) -> AgentProfile {
    AgentProfile { command: resume.to_vec(), resume_command: None, ..profile.clone() }
}

/// Where the profile's program is, looking through `path` (the value of `PATH`) for a file that `can_run`.
/// A program with a slash is taken as it is.
#[must_use]
pub fn find_on_path(
    profile: &AgentProfile,
    path: &OsStr,
    can_run: impl Fn(&Path) -> bool,
) -> Option<PathBuf> {
    let program = profile.command.first().filter(|program| !program.is_empty())?;
    if program.contains('/') {
        let program = PathBuf::from(program);
        return can_run(&program).then_some(program);
    }
    // An empty entry of PATH means the current directory, which would be the repository: never trusted.
    std::env::split_paths(path)
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| folder.join(program))
        .find(|candidate| can_run(candidate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(command: &[&str], prompt: PromptDelivery) -> AgentProfile {
        AgentProfile {
            name: "mine".to_owned(),
            command: command.iter().map(ToString::to_string).collect(),
            resume_command: None,
            prompt,
            output: Dialect::Plain,
            requires_changes: None,
            env: std::collections::BTreeMap::new(),
            model: None,
            fallback: None,
            waiting: Vec::new(),
        }
    }

    #[test]
    fn every_built_in_profile_is_valid_and_named_in_the_contract() {
        let names: Vec<_> = builtin().iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["claude", "codex", "gemini", "opencode", "aider", "qwen", "shell"]);
        for profile in builtin() {
            validate(profile).unwrap();
            assert_eq!(requires_changes(profile), profile.name != "shell", "{}", profile.name);
        }
    }

    #[test]
    fn a_wrong_profile_says_what_to_write() {
        let message =
            |command: &[&str], prompt| validate(&custom(command, prompt)).unwrap_err().to_string();
        assert!(message(&[], PromptDelivery::Arg).contains("the command is empty"));
        assert!(message(&[""], PromptDelivery::Arg).contains("the command is empty"));
        assert!(message(&["{prompt}"], PromptDelivery::Arg).contains("cannot be a placeholder"));
        let unknown = message(&["a", "--p={promt}"], PromptDelivery::Arg);
        assert!(unknown.contains("{promt}") && unknown.contains("did you mean {prompt}?"));
        assert!(unknown.contains("write {{promt}}"), "{unknown}");
        assert!(message(&["a", "{prompt}"], PromptDelivery::Stdin).contains("prompt = \"stdin\""));
        assert!(message(&["a", "{prompt}"], PromptDelivery::File).contains("prompt = \"file\""));
    }

    #[test]
    fn a_session_goes_on_only_where_it_can_be_named() {
        let names: Vec<_> =
            builtin().iter().filter(|p| p.continues_sessions()).map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["claude", "codex", "opencode"]);
        let mut own = custom(&["a"], PromptDelivery::Stdin);
        let mut refused = |resume: &[&str]| {
            own.resume_command = Some(resume.iter().map(ToString::to_string).collect());
            validate(&own).map_err(|error| error.to_string())
        };
        assert!(refused(&["a", "--last"]).unwrap_err().contains("needs {session}"));
        assert!(refused(&["{session}"]).unwrap_err().contains("cannot be a placeholder"));
        assert!(
            refused(&["a", "{session}", "{prompt}"]).unwrap_err().contains("prompt = \"stdin\"")
        );
        assert_eq!(refused(&["a", "{session}"]), Ok(()));
    }

    #[test]
    fn shell_braces_and_json_are_not_placeholders() {
        for argument in
            ["${HOME}", "${name}", r#"{"a":{"b":1}}"#, "{a,b}", "{}", "{{print}}", "{ x }"]
        {
            validate(&custom(&["sh", "-c", argument], PromptDelivery::Arg)).unwrap();
        }
    }

    #[test]
    fn a_program_is_found_only_where_it_can_run() {
        let profile = custom(&["prog"], PromptDelivery::Arg);
        let found = |path: &str, runs: &[&str]| {
            find_on_path(&profile, path.as_ref(), |file| {
                runs.iter().any(|run| file == Path::new(run))
            })
        };
        let second = Some(PathBuf::from("/b/prog"));
        assert_eq!(found("/a:/b:/c", &["/b/prog", "/c/prog"]), second);
        assert_eq!(found("/a:/b", &[]), None);
        assert_eq!(found("", &["prog", "./prog"]), None);
        assert_eq!(found(":/b", &["prog", "/b/prog"]), second);
        let absolute = custom(&["/b/prog"], PromptDelivery::Arg);
        assert_eq!(find_on_path(&absolute, "".as_ref(), |_| true), second);
        assert_eq!(find_on_path(&absolute, "".as_ref(), |_| false), None);
    }

    #[test]
    fn what_is_known_of_a_program_does_not_depend_on_the_profiles_name() {
        let renamed = custom(&["/opt/bin/claude", "-p"], PromptDelivery::Stdin);
        assert_eq!(install_hint(&renamed), Some("npm install -g @anthropic-ai/claude-code"));
        assert_eq!(version_args(&renamed), ["--version"]);
        assert_eq!(install_hint(&custom(&["x"], PromptDelivery::Arg)), None);
        assert!(version_args(find_builtin("shell").unwrap()).is_empty());
    }
}
