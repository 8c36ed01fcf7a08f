//! What one `orch` learns of an agent's limit, every other of the same user should know: the account is one.
//!
//! One small file, replaced whole under a lock. It only ever saves attempts: where it cannot be read or
//! written, each run learns of the limit by itself.

use crate::model::{AgentProfile, Event, Failure, FailureClass, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The longest limit that is believed: the services' longest is a week, and a clock may have been wrong.
const LONGEST_MS: i64 = 8 * 24 * 3600 * 1000;

/// A limit as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Limit {
    until: Timestamp,
    detail: String,
}

/// By account, see [`account`].
type Limits = BTreeMap<String, Limit>;

/// The user's record of limits. See the [module documentation](self).
#[derive(Default)]
pub(super) struct SharedLimits {
    path: Option<PathBuf>,
    /// The file as it was when it was last read.
    read: Option<(SystemTime, u64)>,
    /// What this run has been told, by agent.
    told: HashMap<String, Timestamp>,
}

impl SharedLimits {
    /// The record at `path`; none is kept without one.
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path, ..Self::default() }
    }

    /// Where the user's record is: below `$XDG_STATE_HOME`, or `~/.local/state`.
    pub(super) fn of_user() -> Option<PathBuf> {
        let absolute = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|folder: &PathBuf| folder.is_absolute())
        };
        let state = absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
        Some(state.join("orch/limits.json"))
    }

    /// Writes down the limit that a failure of the agent tells of, if it does.
    pub(super) fn publish(&mut self, agent: &AgentProfile, failure: &Failure, now: Timestamp) {
        let limited = matches!(failure.class, FailureClass::RateLimited | FailureClass::Quota);
        let (true, Some(until), Some(path)) = (limited, failure.retry_at, &self.path) else {
            return;
        };
        self.told.insert(agent.name.clone(), until);
        let limit = Limit { until, detail: failure.message.clone() };
        if let Err(error) = add(path, account(agent), limit, now) {
            tracing::warn!(path = %path.display(), %error, "the limit is not told to other runs");
        }
    }

    /// The limits of these agents that others wrote down since the last look.
    pub(super) fn news(
        &mut self,
        agents: &BTreeMap<String, AgentProfile>,
        now: Timestamp,
    ) -> Vec<Event> {
        let Some(path) = &self.path else { return Vec::new() };
        let stamp = fs::metadata(path).and_then(|m| Ok((m.modified()?, m.len()))).ok();
        if stamp.is_none() || stamp == self.read {
            return Vec::new();
        }
        self.read = stamp;
        let limits = read(path);
        let mut events = Vec::new();
        for profile in agents.values() {
            let Some(limit) = limits.get(&account(profile)) else { continue };
            let known = self.told.get(&profile.name).is_some_and(|until| *until >= limit.until);
            if known || !is_credible(limit, now) {
                continue;
            }
            self.told.insert(profile.name.clone(), limit.until);
            events.push(Event::AgentLimited {
                agent: profile.name.clone(),
                until: limit.until,
                detail: limit.detail.clone(),
            });
        }
        events
    }
}

/// Whose limit it is: the program, and what its environment was configured to be, which is where another
/// account's key would be. Not readable back.
fn account(profile: &AgentProfile) -> String {
    let program = profile.command.first().map_or("", String::as_str);
    let program = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
    if profile.env.is_empty() {
        return program.into_owned();
    }
    // FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv): the same in every version of the program.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for (name, value) in &profile.env {
        for byte in name.bytes().chain([b'=']).chain(value.bytes()).chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{program}#{hash:016x}")
}

fn is_credible(limit: &Limit, now: Timestamp) -> bool {
    limit.until > now && limit.until.0 - now.0 <= LONGEST_MS
}

/// What the file says; nothing where it cannot be understood.
fn read(path: &Path) -> Limits {
    let text = fs::read(path).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Adds to the file, without what is over.
fn add(path: &Path, account: String, limit: Limit, now: Timestamp) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.with_extension("lock"))?;
    lock.lock()?;
    let mut limits = read(path);
    limits.insert(account, limit);
    limits.retain(|_, limit| is_credible(limit, now));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut file, &limits)?;
    file.flush()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dialect, PromptDelivery};

    const NOW: Timestamp = Timestamp(1_000_000);
    const LATER: Timestamp = Timestamp(2_000_000);

    fn agent(name: &str, program: &str, key: Option<&str>) -> AgentProfile {
        AgentProfile {
            name: name.to_owned(),
            command: vec![program.to_owned()],
            resume_command: None,
            prompt: PromptDelivery::Stdin,
            output: Dialect::Claude,
            requires_changes: None,
            env: key.map(|key| ("API_KEY".to_owned(), key.to_owned())).into_iter().collect(),
            model: None,
            fallback: None,
            waiting: Vec::new(),
        }
    }

    fn agents(all: &[AgentProfile]) -> BTreeMap<String, AgentProfile> {
        all.iter().map(|agent| (agent.name.clone(), agent.clone())).collect()
    }

    fn limit(until: Timestamp) -> Failure {
        let failure = Failure::new(FailureClass::RateLimited, "5-hour limit reached");
        Failure { retry_at: Some(until), ..failure }
    }

    struct User(tempfile::TempDir);

    impl User {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self) -> PathBuf {
            self.0.path().join("state/orch/limits.json")
        }

        fn orch(&self) -> SharedLimits {
            SharedLimits::new(Some(self.path()))
        }
    }

    #[test]
    fn what_one_learns_the_others_know_once() {
        let (user, claude) = (User::new(), agent("claude", "/usr/bin/claude", None));
        let (mut one, mut other) = (user.orch(), user.orch());
        let theirs = agents(&[agent("mine", "claude", None), agent("codex", "codex", None)]);
        assert_eq!(other.news(&theirs, NOW), []);
        one.publish(&claude, &limit(LATER), NOW);
        let told = Event::AgentLimited {
            agent: "mine".to_owned(),
            until: LATER,
            detail: "5-hour limit reached".to_owned(),
        };
        assert_eq!(other.news(&theirs, NOW), [told]);
        assert_eq!(other.news(&theirs, NOW), []);
        assert_eq!(one.news(&agents(&[claude]), NOW), [], "its own");
    }

    #[test]
    fn another_account_has_its_own_limit() {
        let user = User::new();
        user.orch().publish(&agent("a", "claude", Some("k1")), &limit(LATER), NOW);
        for key in [None, Some("k2")] {
            assert_eq!(user.orch().news(&agents(&[agent("a", "claude", key)]), NOW), []);
        }
        let same = user.orch().news(&agents(&[agent("b", "claude", Some("k1"))]), NOW);
        assert_eq!(same.len(), 1);
        let text = fs::read_to_string(user.path()).unwrap();
        assert!(!text.contains("k1"), "a key must not be written down: {text}");
    }

    #[test]
    fn what_is_over_or_cannot_be_is_not_told() {
        let (user, claude) = (User::new(), agent("claude", "claude", None));
        user.orch().publish(&claude, &limit(LATER), NOW);
        let mine = agents(std::slice::from_ref(&claude));
        assert_eq!(user.orch().news(&mine, LATER), []);
        let never = Timestamp(NOW.0 + LONGEST_MS + 1);
        user.orch().publish(&claude, &limit(never), NOW);
        assert_eq!(user.orch().news(&mine, NOW), []);
        let without_time = Failure { retry_at: None, ..limit(LATER) };
        user.orch().publish(&claude, &without_time, NOW);
        assert_eq!(user.orch().news(&mine, NOW), []);
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_no_limit_and_is_replaced() {
        let (user, claude) = (User::new(), agent("claude", "claude", None));
        fs::create_dir_all(user.path().parent().unwrap()).unwrap();
        fs::write(user.path(), "{\"claude\":").unwrap();
        let mine = agents(std::slice::from_ref(&claude));
        assert_eq!(user.orch().news(&mine, NOW), []);
        user.orch().publish(&claude, &limit(LATER), NOW);
        assert_eq!(user.orch().news(&mine, NOW).len(), 1);
    }

    #[test]
    fn without_a_place_nothing_is_kept() {
        let claude = agent("claude", "claude", None);
        let mut limits = SharedLimits::new(None);
        limits.publish(&claude, &limit(LATER), NOW);
        assert_eq!(limits.news(&agents(&[claude]), NOW), []);
    }
}
