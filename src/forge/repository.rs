//! Which repository of which GitHub a remote is, and what GitHub says of it.

use super::client::{Call, Forge};
use super::error::ForgeError;
use serde::Deserialize;
use std::fmt;

/// `owner/name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slug {
    /// The account or organisation.
    pub owner: String,
    /// The repository's name.
    pub name: String,
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl Slug {
    /// Reads `owner/name`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (owner, name) = text.split_once('/')?;
        let name = name.strip_suffix(".git").unwrap_or(name);
        let is_plain = |part: &str| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        (is_plain(owner) && is_plain(name))
            .then(|| Self { owner: owner.to_owned(), name: name.to_owned() })
    }
}

/// A repository and the GitHub that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The host, such as `github.com`.
    pub host: String,
    /// The repository.
    pub slug: Slug,
}

impl Place {
    /// Reads a remote's address: `https://host/owner/name.git`, `ssh://git@host:22/owner/name`,
    /// `git@host:owner/name.git`. `None` for a path, and for what has more or fewer parts.
    #[must_use]
    pub fn of_remote(address: &str) -> Option<Self> {
        let (host, path) = match address.split_once("://") {
            Some(("file", _)) => return None,
            Some((_, rest)) => rest.split_once('/')?,
            // As git has it: a colon before any slash.
            None => {
                let (host, path) = address.split_once(':')?;
                if host.contains('/') || host.is_empty() {
                    return None;
                }
                (host, path)
            }
        };
        let host = host.rsplit('@').next().unwrap_or(host);
        let host = host.split(':').next().unwrap_or(host).to_ascii_lowercase();
        // GitHub answers SSH on port 443 there.
        let host = if host == "ssh.github.com" { "github.com".to_owned() } else { host };
        let slug = Slug::parse(path.trim_matches('/'))?;
        (!host.is_empty()).then_some(Self { host, slug })
    }

    /// Where its REST API is.
    #[must_use]
    pub fn api_url(&self) -> String {
        match self.host.as_str() {
            "github.com" | "www.github.com" => "https://api.github.com".to_owned(),
            // GitHub Enterprise Cloud with data residency.
            host if host.ends_with(".ghe.com") => format!("https://api.{host}"),
            // GitHub Enterprise Server.
            host => format!("https://{host}/api/v3"),
        }
    }
}

/// What GitHub says of the repository.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "as GitHub has them")]
pub struct Facts {
    /// `owner/name` as it is called by now.
    pub full_name: String,
    /// Where its pages are.
    pub html_url: String,
    /// Whether it takes issues.
    #[serde(default)]
    pub has_issues: bool,
    /// Whether nothing in it changes any more.
    #[serde(default)]
    pub archived: bool,
    /// Whether pull requests may be merged with a merge commit; not told to those who may only read.
    #[serde(default = "yes")]
    pub allow_merge_commit: bool,
    /// Whether squashed.
    #[serde(default = "yes")]
    pub allow_squash_merge: bool,
    /// Whether rebased.
    #[serde(default = "yes")]
    pub allow_rebase_merge: bool,
    /// Whether a pull request can be told to merge itself.
    #[serde(default)]
    pub allow_auto_merge: bool,
}

fn yes() -> bool {
    true
}

impl Forge {
    /// What GitHub says of the repository. From then on it is called as it is called by now.
    ///
    /// # Errors
    /// As every request.
    pub async fn facts(&mut self) -> Result<Facts, ForgeError> {
        let doing = format!("repository {}", self.slug);
        let facts: Facts = self.json(Call::get(format!("/repos/{}", self.slug), &doing)).await?;
        if let Some(slug) = Slug::parse(&facts.full_name) {
            self.slug = slug;
        }
        Ok(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_says_which_repository_it_is() {
        for (address, host, slug) in [
            ("https://github.com/o/r.git", "github.com", "o/r"),
            ("https://github.com/o/r", "github.com", "o/r"),
            ("https://x-access-token:abc@github.com/o/r.git/", "github.com", "o/r"),
            ("git@github.com:o/r.git", "github.com", "o/r"),
            ("ssh://git@ssh.github.com:443/o/r.git", "github.com", "o/r"),
            ("ssh://git@ghe.example.com:2222/o/my.repo.git", "ghe.example.com", "o/my.repo"),
            ("git@GHE.example.com:o/r", "ghe.example.com", "o/r"),
            ("git://github.com/o/r", "github.com", "o/r"),
        ] {
            let place = Place::of_remote(address).expect(address);
            assert_eq!((place.host.as_str(), place.slug.to_string().as_str()), (host, slug));
        }
        for address in [
            "/srv/git/r.git",
            "../r",
            "file:///srv/o/r",
            "https://github.com/o",
            "https://gitlab.com/a/b/c.git",
            "git@github.com:r.git",
            "./a:b/c",
            "",
        ] {
            assert_eq!(Place::of_remote(address), None, "{address}");
        }
    }

    #[test]
    fn each_kind_of_host_has_its_own_address_for_requests() {
        let api = |address| Place::of_remote(address).expect(address).api_url();
        assert_eq!(api("git@github.com:o/r"), "https://api.github.com");
        assert_eq!(api("git@acme.ghe.com:o/r"), "https://api.acme.ghe.com");
        assert_eq!(api("https://git.acme.com/o/r"), "https://git.acme.com/api/v3");
    }
}
