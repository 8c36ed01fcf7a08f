//! Where a token comes from. It is held in memory only, and shown by nothing.

use super::error::ForgeError;
use octocrab::secrecy::{ExposeSecret, SecretString};
use std::process::{Command, Stdio};

/// Variables that carry a token, in the order of the `gh` tool's documentation, for github.com and for
/// GitHub Enterprise Server. What `orch` starts does not inherit them.
pub const TOKEN_VARIABLES: [&str; 4] =
    ["GITHUB_TOKEN", "GH_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GH_ENTERPRISE_TOKEN"];

/// A token. Its `Debug` shows nothing of it.
#[derive(Clone, Debug)]
pub struct Token(SecretString);

impl Token {
    /// The first of `GITHUB_TOKEN`, `GH_TOKEN` and what `gh auth token` says. Of another host than GitHub's
    /// own: the enterprise ones, and the others only where it is `certain` that the host is a GitHub, because
    /// somebody who may see that token said so.
    ///
    /// # Errors
    /// None has one, or it is not one line of plain characters.
    pub fn find(host: &str, certain: bool) -> Result<Self, ForgeError> {
        let is_cloud = host == "github.com" || host.ends_with(".ghe.com");
        let [github, gh, enterprise, gh_enterprise] = TOKEN_VARIABLES;
        let names: &[&str] = match (is_cloud, certain) {
            (true, _) => &[github, gh],
            (false, true) => &[enterprise, gh_enterprise, github, gh],
            (false, false) => &[enterprise, gh_enterprise],
        };
        for name in names {
            if let Ok(text) = std::env::var(name)
                && !text.trim().is_empty()
            {
                return Self::read(&text, name);
            }
        }
        let said = Command::new("gh")
            .args(["auth", "token", "--hostname", host])
            .env("GH_PROMPT_DISABLED", "1")
            .stdin(Stdio::null())
            .output();
        match said {
            Ok(output) if output.status.success() => {
                Self::read(&String::from_utf8_lossy(&output.stdout), "gh auth token")
            }
            _ => Err(ForgeError::Auth(format!(
                "no token for {host}: set {}, or log in with: gh auth login --hostname {host}",
                names[0]
            ))),
        }
    }

    /// What `from` said. It becomes part of a header, so it must be able to.
    fn read(text: &str, from: &str) -> Result<Self, ForgeError> {
        let text = text.trim();
        if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(ForgeError::Auth(format!("what {from} says is not a token")));
        }
        Ok(Self(SecretString::from(text.to_owned())))
    }

    /// The token itself, for the header and for git's credentials helper.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(super) fn secret(&self) -> SecretString {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word_and_never_shown() {
        let token = Token::read(" ghp_secret\n", "x").unwrap();
        assert_eq!(token.expose(), "ghp_secret");
        assert!(!format!("{token:?}").contains("secret"), "{token:?}");
        for bad in ["", " ", "two words", "a\nb", "é"] {
            let told = Token::read(bad, "GITHUB_TOKEN").unwrap_err().to_string();
            assert_eq!(told, "what GITHUB_TOKEN says is not a token");
        }
    }
}
