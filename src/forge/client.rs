//! One request and its answer: paced, within the limits, and never sent again where it may have done
//! something.

use super::error::ForgeError;
use super::limits::{self, Headers};
use super::{Slug, Token};
use crate::model::Timestamp;
use octocrab::Octocrab;
use octocrab::service::middleware::cache::mem::InMemoryCache;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::error::Error;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A request that only reads is sent so often, as a lost packet is no reason to give up.
const READS: u32 = 3;

/// Before a read is sent again, the first time; doubled afterwards.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// Pages of a list that are read at most: 5,000 entries at 100 a page.
const PAGES: u32 = 50;

/// How a repository is reached, and how patiently.
#[derive(Clone, Debug)]
pub struct Access {
    /// Where the REST API is.
    pub api_url: String,
    /// The repository.
    pub slug: Slug,
    /// Who asks.
    pub token: Token,
    /// The least time between two writes: GitHub asks for a second between requests that create content,
    /// and blocks bursts.
    pub pace: Duration,
    /// How long an answer may take. GitHub itself gives up after ten seconds.
    pub timeout: Duration,
    /// How long a limit is waited for; a longer one is an error.
    pub patience: Duration,
}

/// Requests so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// That read.
    pub reads: u32,
    /// That change something.
    pub writes: u32,
}

/// A repository on GitHub. One request at a time.
#[derive(Debug)]
pub struct Forge {
    rest: Octocrab,
    /// Its GraphQL API is not below its REST API everywhere.
    graphql: Octocrab,
    pub(super) slug: Slug,
    access: Access,
    last_write: Option<Instant>,
    calls: Calls,
}

pub(super) enum Verb {
    Get,
    Post(Value),
    Put(Value),
    Patch(Value),
    Delete,
    GraphQl(Value),
    /// GraphQL that only reads.
    Query(Value),
}

impl Verb {
    fn is_read(&self) -> bool {
        matches!(self, Self::Get | Self::Query(_))
    }
}

/// A request, and how it is called in messages.
pub(super) struct Call<'a> {
    pub verb: Verb,
    pub path: String,
    pub doing: &'a str,
}

impl<'a> Call<'a> {
    pub(super) fn get(path: String, doing: &'a str) -> Self {
        Self { verb: Verb::Get, path, doing }
    }

    pub(super) fn post(path: String, body: Value, doing: &'a str) -> Self {
        Self { verb: Verb::Post(body), path, doing }
    }
}

/// An answer of a status below 300.
pub(super) struct Reply {
    pub status: u16,
    pub text: String,
    next: Option<String>,
}

/// What GitHub says when it refuses.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    message: String,
    errors: Vec<Value>,
}

impl Forge {
    /// A client. Nothing is sent yet.
    ///
    /// # Errors
    /// An address that is none; a machine without certificates.
    #[expect(
        clippy::unused_async,
        reason = "octocrab starts a task, so this must be inside a runtime"
    )]
    pub async fn new(access: Access) -> Result<Self, ForgeError> {
        let build = |address: &str| {
            let wrong = |error: octocrab::Error| {
                ForgeError::NoRepository(format!(
                    "cannot make requests to {address}: {}",
                    cause(&error)
                ))
            };
            Octocrab::builder()
                .base_uri(address)
                .map_err(wrong)?
                .user_access_token(access.token.secret())
                .set_connect_timeout(Some(access.timeout))
                .set_read_timeout(Some(access.timeout))
                .set_write_timeout(Some(access.timeout))
                .cache(InMemoryCache::new())
                .build()
                .map_err(wrong)
        };
        let rest = access.api_url.trim_end_matches('/');
        if !is_safe(rest) {
            return Err(ForgeError::NoRepository(format!(
                "'{rest}' is no address for a token to be sent to; write for example: [github] api_url = \
                 \"https://github.example.com/api/v3\""
            )));
        }
        // GitHub Enterprise Server: /api/v3 and /api/graphql.
        let (rest, graphql) = (build(rest)?, build(rest.strip_suffix("/v3").unwrap_or(rest))?);
        let slug = access.slug.clone();
        Ok(Self { rest, graphql, slug, access, last_write: None, calls: Calls::default() })
    }

    /// The repository.
    #[must_use]
    pub fn slug(&self) -> &Slug {
        &self.slug
    }

    /// Requests so far, those that were refused or got no answer included.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.calls
    }

    /// How long an answer may take: what was sent longer ago than twice this has happened or never will.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.access.timeout
    }

    /// The least time between two writes.
    #[must_use]
    pub fn pace(&self) -> Duration {
        self.access.pace
    }

    /// Sends a request and reads its answer.
    pub(super) async fn json<T: DeserializeOwned>(
        &mut self,
        call: Call<'_>,
    ) -> Result<T, ForgeError> {
        let reply = self.send(&call).await?;
        read(&reply.text, call.doing)
    }

    /// Reads a list to its end, page by page, or to the page for which `enough` is true.
    pub(super) async fn list<T: DeserializeOwned>(
        &mut self,
        path: String,
        doing: &str,
        enough: impl Fn(&[T]) -> bool,
    ) -> Result<Vec<T>, ForgeError> {
        let (mut all, mut next) = (Vec::new(), Some(path));
        for _ in 0..PAGES {
            let Some(path) = next.take() else { break };
            let reply = self.send(&Call::get(path, doing)).await?;
            let page: Vec<T> = read(&reply.text, doing)?;
            next = reply.next.filter(|_| !enough(&page));
            all.extend(page);
        }
        Ok(all)
    }

    /// Sends a request; a limit that lifts soon is waited for, because what it refused was not done.
    pub(super) async fn send(&mut self, call: &Call<'_>) -> Result<Reply, ForgeError> {
        let (mut refused, mut failed) = (0, 0);
        let mut patience = self.access.patience;
        loop {
            let error = match self.once(call, refused).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let wait = match &error {
                ForgeError::Limited { until, .. } => {
                    refused += 1;
                    until.since(clock())
                }
                ForgeError::Down { .. } if call.verb.is_read() && failed + 1 < READS => {
                    failed += 1;
                    READ_AGAIN * (1 << (failed - 1))
                }
                _ => return Err(error),
            };
            if wait > patience {
                return Err(error);
            }
            // However short the waits are that it names, they come to an end.
            patience = patience.saturating_sub(wait.max(Duration::from_millis(100)));
            tracing::debug!(?wait, doing = call.doing, "waiting before the request is sent again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(&mut self, call: &Call<'_>, refused: u32) -> Result<Reply, ForgeError> {
        let is_read = call.verb.is_read();
        if is_read {
            self.calls.reads += 1;
        } else {
            let since = self.last_write.map(|last| last.elapsed());
            if let Some(left) = since.and_then(|since| self.access.pace.checked_sub(since)) {
                tokio::time::sleep(left).await;
            }
            self.calls.writes += 1;
        }
        let down = |message: String| ForgeError::Down { doing: call.doing.to_owned(), message };
        let answer = tokio::time::timeout(self.access.timeout, self.exchange(call)).await;
        if !is_read {
            self.last_write = Some(Instant::now());
        }
        let (reply, headers) = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(down(cause(&error))),
            Err(_) => return Err(down(format!("nothing within {:?}", self.access.timeout))),
        };
        tracing::debug!(status = reply.status, path = call.path, "answer");
        judge(reply, headers, call, refused)
    }

    async fn exchange(&self, call: &Call<'_>) -> Result<(Reply, Headers), octocrab::Error> {
        let path = call.path.as_str();
        let response = match &call.verb {
            Verb::Get => self.rest._get(path).await?,
            Verb::Post(body) => self.rest._post(path, Some(body)).await?,
            Verb::Put(body) => self.rest._put(path, Some(body)).await?,
            Verb::Patch(body) => self.rest._patch(path, Some(body)).await?,
            Verb::Delete => self.rest._delete(path, None::<&()>).await?,
            Verb::GraphQl(body) | Verb::Query(body) => self.graphql._post(path, Some(body)).await?,
        };
        let status = response.status().as_u16();
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let headers = Headers {
            retry_after: header("retry-after").and_then(|v| v.parse().ok()),
            remaining: header("x-ratelimit-remaining").and_then(|v| v.parse().ok()),
            reset: header("x-ratelimit-reset").and_then(|v| v.parse().ok()),
            date: header("date").and_then(http_date),
        };
        let next = header("link").and_then(limits::next_page).map(str::to_owned);
        let text = self.rest.body_to_string(response).await?;
        Ok((Reply { status, text, next }, headers))
    }
}

/// Whether nobody on the way can read what is sent there.
fn is_safe(address: &str) -> bool {
    let host = |rest: &str| rest.split(['/', ':']).next().unwrap_or_default().to_owned();
    match address.split_once("://") {
        Some(("https", rest)) => !host(rest).is_empty(),
        Some(("http", rest)) => matches!(host(rest).as_str(), "localhost" | "127.0.0.1"),
        _ => false,
    }
}

/// From a status to what it means.
fn judge(
    reply: Reply,
    headers: Headers,
    call: &Call<'_>,
    refused: u32,
) -> Result<Reply, ForgeError> {
    let (status, doing) = (reply.status, call.doing.to_owned());
    if (200..300).contains(&status) {
        return Ok(reply);
    }
    let said: Refusal = serde_json::from_str(&reply.text).unwrap_or_default();
    let message = words(&said, status);
    let now = clock();
    if let Some(wait) = limits::wait(status, headers, &said.message, refused, now.0 / 1000) {
        return Err(ForgeError::Limited { until: now.after(wait), message });
    }
    Err(match status {
        401 => ForgeError::Auth(format!(
            "GitHub does not accept the token ({message}); set another GITHUB_TOKEN, or: gh auth login"
        )),
        403 | 451 => ForgeError::Forbidden { doing, message },
        404 | 410 => ForgeError::NotFound(doing),
        405 | 409 => ForgeError::NotNow { doing, status, message },
        400 | 422 => ForgeError::Invalid { doing, message },
        500.. => ForgeError::Down { doing, message },
        _ => ForgeError::Odd { doing, message },
    })
}

/// GitHub's words in one line: what it says of each field is often all there is.
fn words(said: &Refusal, status: u16) -> String {
    let mut parts = Vec::new();
    if !said.message.is_empty() {
        parts.push(said.message.clone());
    }
    for error in &said.errors {
        let text = |key: &str| error.get(key).and_then(Value::as_str);
        match (error.as_str(), text("message"), text("field"), text("code")) {
            (Some(words), ..) | (None, Some(words), ..) => parts.push(words.to_owned()),
            (None, None, Some(field), Some(code)) => parts.push(format!("{field} is {code}")),
            _ => {}
        }
    }
    if parts.is_empty() {
        return format!("status {status}");
    }
    let line = parts.join(": ").split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(300).collect()
}

pub(super) fn read<T: DeserializeOwned>(text: &str, doing: &str) -> Result<T, ForgeError> {
    serde_json::from_str(text)
        .map_err(|error| ForgeError::Odd { doing: doing.to_owned(), message: error.to_string() })
}

/// What is at the bottom of it.
fn cause(error: &octocrab::Error) -> String {
    let mut at: &dyn Error = error;
    while let Some(below) = at.source() {
        at = below;
    }
    let text = at.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

fn http_date(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text).ok().map(|time| time.timestamp().as_second())
}

fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, text: &str) -> ForgeError {
        let reply = Reply { status, text: text.to_owned(), next: None };
        let call = Call::get("/x".to_owned(), "pull request 7");
        judge(reply, Headers::default(), &call, 0).err().expect("it is an error")
    }

    #[test]
    fn a_status_has_a_class_and_githubs_words() {
        let invalid = class(
            422,
            r#"{"message":"Validation Failed","errors":[{"resource":"PullRequest","code":"custom",
                "message":"A pull request already exists for o:b."}]}"#,
        );
        let text = "GitHub refuses pull request 7: Validation Failed: A pull request already exists for o:b.";
        assert_eq!(invalid.to_string(), text);
        let field = class(422, r#"{"message":"Bad","errors":[{"field":"head","code":"invalid"}]}"#);
        assert!(field.to_string().ends_with("Bad: head is invalid"), "{field}");
        assert!(matches!(class(401, "{}"), ForgeError::Auth(_)));
        assert!(matches!(class(403, "{}"), ForgeError::Forbidden { .. }));
        assert!(matches!(class(404, "<html>"), ForgeError::NotFound(_)));
        assert!(matches!(class(409, "{}"), ForgeError::NotNow { status: 409, .. }));
        assert!(class(502, "<html>Bad gateway").is_down());
        assert!(
            class(403, r#"{"message":"You have exceeded a secondary rate limit"}"#)
                .until()
                .is_some()
        );
    }

    #[test]
    fn a_token_is_sent_where_nobody_listens() {
        for good in ["https://api.github.com", "http://127.0.0.1:80", "http://localhost/api/v3"] {
            assert!(is_safe(good), "{good}");
        }
        for bad in
            ["http://ghe.example.com", "nonsense", "https://", "ftp://x", "http://127.0.0.1.evil"]
        {
            assert!(!is_safe(bad), "{bad}");
        }
    }

    #[test]
    fn githubs_clock_is_read() {
        assert_eq!(http_date("Tue, 15 Nov 1994 08:12:31 GMT"), Some(784_887_151));
        assert_eq!(http_date("yesterday"), None);
    }
}
