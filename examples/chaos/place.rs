//! The place of a trial: a repository with history, HOME and configuration of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

pub struct Place {
    pub root: PathBuf,
    pub repo: PathBuf,
    /// Where the agents leave their notes, outside of the repository.
    pub side: PathBuf,
    /// In the environment of everything that is started here.
    pub mark: String,
    orch: PathBuf,
}

impl Place {
    pub fn new(seed: u64) -> Self {
        let dir = tempfile::Builder::new().prefix("orch-chaos-").tempdir().unwrap();
        let root = dir.keep().canonicalize().unwrap();
        let orch =
            std::env::var_os("ORCH").map_or_else(|| "target/release/orch".into(), PathBuf::from);
        let place = Self {
            repo: root.join("repo"),
            side: root.join("side"),
            mark: format!("{seed}-{}", std::process::id()),
            orch: orch.canonicalize().unwrap(),
            root,
        };
        for dir in ["repo", "side", "home", "tmp", "prompts", "said"] {
            fs::create_dir(place.root.join(dir)).unwrap();
        }
        place.make_history();
        place
    }

    fn make_history(&self) {
        fs::write(
            self.root.join("home/.gitconfig"),
            "[user]\n\tname = Ada Chaos\n\temail = ada@example.com\n[gc]\n\tauto = 0\n",
        )
        .unwrap();
        self.git(&["init", "-q", "-b", "main"]);
        let agent = std::env::current_exe().unwrap();
        let config = format!(
            "retries = 8\ngrace = \"1s\"\n\n[agents.chaos]\ncommand = [{:?}, \"agent\", {:?}, {:?}, \"{{prompt_file}}\"]\n\
             prompt = \"file\"\noutput = \"plain\"\n",
            agent.display().to_string(),
            self.side.display().to_string(),
            self.repo.join(".git/orch").display().to_string(),
        );
        fs::write(self.repo.join("orch.toml"), config).unwrap();
        for commit in 0..12 {
            for n in 0..20 {
                let dir = self.repo.join(format!("src/part{}", n % 7));
                fs::create_dir_all(&dir).unwrap();
                let text = format!("file {n} as of commit {commit}\n").repeat(10 + n);
                fs::write(dir.join(format!("file{n}.txt")), text).unwrap();
            }
            self.git(&["add", "-A"]);
            self.git(&["commit", "-qm", &format!("Step {commit}")]);
        }
    }

    fn furnish(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.join("home"))
            .env("TMPDIR", self.root.join("tmp"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", self.root.join("home/.gitconfig"))
            .env("CHAOS_MARK", &self.mark)
            .current_dir(&self.repo)
            .stdin(Stdio::null());
        command
    }

    /// What git prints, trimmed.
    pub fn git(&self, words: &[&str]) -> String {
        let out = self.furnish(Path::new("git")).args(words).output().unwrap();
        assert!(out.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).trim_end().to_owned()
    }

    /// Starts `orch`; what it says is appended to a file.
    pub fn start(&self, words: &[&str]) -> Child {
        let said = |name: &str| {
            let file = self.root.join("said").join(name);
            File::options().create(true).append(true).open(file).unwrap()
        };
        let (out, err) = (said("stdout"), said("stderr"));
        self.furnish(&self.orch).args(words).stdout(out).stderr(err).spawn().unwrap()
    }

    /// Runs `orch` to its end.
    pub fn orch(&self, words: &[&str]) -> Output {
        self.furnish(&self.orch).args(words).output().unwrap()
    }

    /// `orch status --json`.
    pub fn status(&self) -> serde_json::Value {
        let out = self.orch(&["status", "--json"]);
        serde_json::from_slice(&out.stdout).unwrap_or_else(|error| {
            panic!("status: {error}: {}", String::from_utf8_lossy(&out.stderr))
        })
    }

    /// The lines that agents wrote.
    pub fn ledger(&self) -> Vec<String> {
        let text = fs::read_to_string(self.side.join("ledger")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub fn remove(&self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}
