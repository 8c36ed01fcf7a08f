//! Whose name commits carry.

use super::checkout::run;
use super::executable::command;
use super::{GitError, Repo};

/// A person as git names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `user.name`, or what overrides it.
    pub name: String,
    /// `user.email`, or what overrides it.
    pub email: String,
}

impl Repo {
    /// The author of the commits made here, by git's own rules: `GIT_AUTHOR_NAME` and
    /// `GIT_AUTHOR_EMAIL`, then `author.*`, then `user.*`, with conditional includes.
    ///
    /// # Errors
    /// [`GitError::NoIdentity`] where git would refuse to commit.
    pub fn identity(&self) -> Result<Identity, GitError> {
        let (author, _) = self.signatures(self.open().ok().as_ref())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Identity { name: text(author.name_bytes()), email: text(author.email_bytes()) })
    }

    /// Author and committer, now.
    pub(crate) fn signatures(
        &self,
        repo: Option<&git2::Repository>,
    ) -> Result<(git2::Signature<'static>, git2::Signature<'static>), GitError> {
        if let Some(repo) = repo
            && !has_own_roles(repo)
            && let (Ok(author), Ok(committer)) = (repo.author_from_env(), repo.committer_from_env())
        {
            return Ok((author, committer));
        }
        Ok((self.asked("GIT_AUTHOR_IDENT")?, self.asked("GIT_COMMITTER_IDENT")?))
    }

    /// What git itself answers: it also knows `author.*`, and guesses where it is allowed to.
    fn asked(&self, role: &str) -> Result<git2::Signature<'static>, GitError> {
        let answer =
            run(command(&self.common_dir, &["var", role])).map_err(|error| match error {
                GitError::Executable { .. } => GitError::NoIdentity,
                other => other,
            })?;
        let answer = String::from_utf8_lossy(&answer);
        let (name, rest) = answer.split_once(" <").ok_or(GitError::NoIdentity)?;
        let (email, _) = rest.split_once('>').ok_or(GitError::NoIdentity)?;
        git2::Signature::now(name, email).map_err(|_| GitError::NoIdentity)
    }
}

/// Whether `author.*` or `committer.*` are configured, which libgit2 does not know.
fn has_own_roles(repo: &git2::Repository) -> bool {
    let Ok(config) = repo.config() else { return true };
    ["author.name", "author.email", "committer.name", "committer.email"]
        .iter()
        .any(|key| config.get_entry(key).is_ok())
}
