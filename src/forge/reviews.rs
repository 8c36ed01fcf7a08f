//! What people said about a pull request.

use super::client::Forge;
use super::error::ForgeError;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Somebody's last word on a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Who.
    pub author: String,
    /// `approved`, `changes_requested`, `commented` or `dismissed`.
    pub state: String,
    /// What they wrote.
    pub body: String,
    /// The commit they looked at.
    pub commit: Option<String>,
}

#[derive(Deserialize)]
struct Raw {
    user: Option<User>,
    state: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    commit_id: Option<String>,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

impl Forge {
    /// The last word of each reviewer: a comment takes no approval and no request for changes back.
    ///
    /// # Errors
    /// As every request.
    pub async fn reviews(&mut self, number: u64) -> Result<Vec<Review>, ForgeError> {
        let (path, doing) = self.pull_path(number, "/reviews?per_page=100");
        let raw: Vec<Raw> = self.list(path, &doing, |_| false).await?;
        Ok(last_words(raw))
    }
}

fn last_words(raw: Vec<Raw>) -> Vec<Review> {
    let mut last: BTreeMap<String, Review> = BTreeMap::new();
    for review in raw {
        let author = review.user.map_or_else(|| "ghost".to_owned(), |user| user.login);
        let state = review.state.to_ascii_lowercase();
        if state == "pending" || (state == "commented" && last.contains_key(&author)) {
            continue;
        }
        let word =
            Review { author: author.clone(), state, body: review.body, commit: review.commit_id };
        last.insert(author, word);
    }
    last.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_a_comment_is_none() {
        let raw = |login: &str, state: &str| Raw {
            user: Some(User { login: login.into() }),
            state: state.into(),
            body: String::new(),
            commit_id: None,
        };
        let words = last_words(vec![
            raw("ada", "CHANGES_REQUESTED"),
            raw("ben", "COMMENTED"),
            raw("ada", "APPROVED"),
            raw("ada", "COMMENTED"),
        ]);
        let words: Vec<_> = words.iter().map(|w| (w.author.as_str(), w.state.as_str())).collect();
        assert_eq!(words, [("ada", "approved"), ("ben", "commented")]);
    }
}
