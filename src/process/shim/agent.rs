//! Executing the agent.

use crate::process::platform;
use crate::process::spec::{KEY_VARIABLE, ShimSpec};
use std::fs::File;
use std::io;
use std::os::fd::RawFd;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// Executes the spec's command, or says in one line why that is impossible.
pub(super) fn spawn(spec: &ShimSpec, key: &str, group: Option<RawFd>) -> Result<Child, String> {
    let Some((program, arguments)) = spec.argv.split_first() else {
        return Err("the command is empty; set the agent's `command`".to_owned());
    };
    // Otherwise the kernel's "no such file" could mean the program as well.
    if !spec.cwd.is_dir() {
        return Err(format!("the working directory {} does not exist", spec.cwd.display()));
    }
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&spec.cwd);
    for name in &spec.env_remove {
        command.env_remove(name);
    }
    command.envs(&spec.env).env(KEY_VARIABLE, nested(std::env::var(KEY_VARIABLE).ok(), key));
    let input = match &spec.stdin {
        None => Stdio::null(),
        Some(path) => match File::open(path) {
            Ok(file) => file.into(),
            Err(e) => return Err(format!("open {} as standard input: {e}", path.display())),
        },
    };
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let (shim, mark) = (std::process::id(), platform::mark(key));
    #[expect(unsafe_code, reason = "the parent-death signal can only be set in the child")]
    // SAFETY: only system calls, no allocation, no locks.
    unsafe {
        command.pre_exec(move || {
            platform::prepare_agent(shim, group, mark)?;
            platform::close_on_exec();
            Ok(())
        });
    }
    command.spawn().map_err(|e| explain(spec, program, &e))
}

/// The keys of the attempts around this one come first: ending an outer attempt ends this one.
fn nested(outer: Option<String>, key: &str) -> String {
    match outer {
        Some(outer) if !outer.is_empty() => format!("{outer}:{key}"),
        _ => key.to_owned(),
    }
}

fn explain(spec: &ShimSpec, program: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            format!("{program}: not found; install it, or correct the agent's `command`")
        }
        io::ErrorKind::PermissionDenied => {
            format!("{program}: not executable ({error}); check its permissions")
        }
        io::ErrorKind::ArgumentListTooLong => {
            let longest = spec.argv.iter().map(String::len).max().unwrap_or(0);
            format!(
                "{program}: its arguments and environment are longer than the system allows \
                 (longest argument: {longest} bytes); pass the prompt by stdin or file"
            )
        }
        io::ErrorKind::InvalidInput => {
            format!("{program}: an argument or variable contains a NUL byte")
        }
        _ => format!("{program}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_within_an_attempt_carries_both_keys() {
        assert_eq!(nested(None, "b"), "b");
        assert_eq!(nested(Some("a".into()), "b"), "a:b");
    }
}
