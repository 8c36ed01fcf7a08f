//! Prompts and the agents that answer them: `sh` scripts whose behaviour a test chooses per task.

use super::{Sandbox, wait_until};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Runs `behaviour/TASK`. What a behaviour can use: `started` opens the gate `TASK.started`,
/// `wait_for GATE` waits for one; `$SANDBOX` is the sandbox, `$CHECKOUT` the user's checkout.
const SCRIPTED: &str = r#"
SANDBOX=$1
CHECKOUT=$SANDBOX/repo
echo "$ORCH_TASK_NAME $ORCH_ATTEMPT $$" >> "$SANDBOX/gates/attempts"
started() { : > "$SANDBOX/gates/$ORCH_TASK_NAME.started"; }
wait_for() { while [ ! -e "$SANDBOX/gates/$1" ]; do sleep 0.02; done; }
set -e
. "$SANDBOX/behaviour/$ORCH_TASK_NAME"
"#;

/// An attempt a scripted agent made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub task: String,
    pub number: u32,
    pub pid: i32,
}

impl Sandbox {
    /// Writes `prompts/NAME.md` for the agent `scripted`, which then does what `behaviour` (`sh`)
    /// says; `front` are further lines of front matter. Commits nothing.
    pub fn task(&self, name: &str, front: &[&str], behaviour: &str) {
        self.configure("scripted", "plain", "file", SCRIPTED);
        fs::write(self.root.join("behaviour").join(name), behaviour).unwrap();
        let mut lines = vec!["agent: scripted"];
        lines.extend(front);
        self.prompt(name, &lines, &format!("# The task {name}\n\nDo what is to be done.\n"));
    }

    /// Writes `prompts/NAME.md`.
    pub fn prompt(&self, name: &str, front: &[&str], body: &str) {
        let front = front.iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        });
        self.write(&format!("prompts/{name}.md"), format!("---\n{front}---\n{body}"));
    }

    /// An agent that prints a recorded transcript of a real one, does `edits` (`sh`) in its worktree
    /// and exits with `code`; and a prompt for it, `prompts/NAME.md`.
    pub fn replay(&self, name: &str, dialect: &str, transcript: &str, code: i32, edits: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/transcripts");
        let shown = |stream: &str| folder.join(format!("{transcript}.{stream}"));
        assert!(shown("stdout").is_file(), "no transcript at {}", shown("stdout").display());
        let script = format!(
            "cat > /dev/null\n{edits}\ncat '{}'\n[ ! -e '{err}' ] || cat '{err}' >&2\nexit {code}\n",
            shown("stdout").display(),
            err = shown("stderr").display(),
        );
        self.configure(name, dialect, "stdin", &script);
        self.prompt(name, &[&format!("agent: {name}")], &format!("# Replay {name}\n\nGo on.\n"));
    }

    /// Adds an agent to `orch.toml`, unless it is there.
    pub fn configure(&self, name: &str, dialect: &str, delivery: &str, script: &str) {
        let file = self.root.join("agents").join(name);
        fs::write(&file, script).unwrap();
        let toml = self.repo.join("orch.toml");
        // A test that wants retries asks for them; and what does not go is killed soon.
        let plain = "retries = 0\ngrace = \"1s\"\n\n";
        let mut config = fs::read_to_string(&toml).unwrap_or_else(|_| plain.to_owned());
        let head = format!("[agents.{name}]\n");
        if config.contains(&head) {
            return;
        }
        let (file, root) = (file.display(), self.root.display());
        let last = if delivery == "file" { ", \"{prompt_file}\"" } else { "" };
        let _ = write!(
            config,
            "{head}command = [\"/bin/sh\", \"{file}\", \"{root}\"{last}]\nprompt = \"{delivery}\"\noutput = \"{dialect}\"\n\n"
        );
        fs::write(toml, config).unwrap();
    }

    /// Adds to `orch.toml`.
    pub fn config(&self, toml: &str) {
        let file = self.repo.join("orch.toml");
        let config = fs::read_to_string(&file).unwrap_or_default();
        fs::write(file, format!("{config}{toml}\n")).unwrap();
    }

    /// Where the gate `name` is: agents and tests wait for one another there.
    pub fn gate(&self, name: &str) -> PathBuf {
        self.root.join("gates").join(name)
    }

    /// Opens a gate.
    pub fn open(&self, name: &str) {
        fs::write(self.gate(name), "").unwrap();
    }

    /// Waits until the behaviour of `task` has said `started`.
    #[track_caller]
    pub fn wait_for_start(&self, task: &str) {
        let gate = self.gate(&format!("{task}.started"));
        wait_until(&format!("the agent of {task} started"), || gate.exists());
    }

    /// Every attempt the scripted agent made, oldest first.
    pub fn attempts(&self) -> Vec<Attempt> {
        let log = fs::read_to_string(self.gate("attempts")).unwrap_or_default();
        let attempt = |line: &str| {
            let mut words = line.split(' ');
            Some(Attempt {
                task: words.next()?.to_owned(),
                number: words.next()?.parse().ok()?,
                pid: words.next()?.parse().ok()?,
            })
        };
        log.lines().map(|line| attempt(line).unwrap_or_else(|| panic!("bad line {line}"))).collect()
    }

    /// How many attempts the scripted agent made for `task`.
    pub fn attempts_of(&self, task: &str) -> usize {
        self.attempts().iter().filter(|a| a.task == task).count()
    }
}
