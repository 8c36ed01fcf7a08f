//! Aider: text for people. It exits 0 whatever happened, so the text is all there is: a line that counts the
//! tokens of an answer is the evidence, an error of the service after it takes it back.

use super::account::{Account, Claim, Trouble};
use super::{classify, phrase};
use crate::model::FailureClass;

/// What must be remembered between lines.
#[derive(Debug, Default)]
pub(super) struct Grammar {
    /// An error is wrapped over several lines; they are joined.
    error: Option<String>,
}

impl Grammar {
    /// Reads a line of text.
    pub(super) fn read(&mut self, account: &mut Account, line: &str) {
        account.stray.push(line);
        let text = line.trim();
        if text.is_empty() {
            self.error = None;
        } else if is_service_error(text) {
            self.error = Some(text.to_owned());
            failed(account, text);
        } else if text.starts_with("Retrying in ") {
            self.error = None;
            if let Claim::Failed(trouble) = std::mem::take(&mut account.claim) {
                account.last = Some(phrase::one_line(&format!("{text} {}", trouble.message)));
                account.trouble = Some(trouble);
            }
        } else if let Some(error) = self.error.as_mut().filter(|error| error.len() < phrase::READ) {
            error.push(' ');
            error.push_str(phrase::shorten(text, phrase::READ));
            let error = error.clone();
            failed(account, &error);
        } else if let Some(counted) =
            text.strip_prefix("Tokens: ").filter(|t| t.contains(" received"))
        {
            count(account, counted);
            account.trouble = None;
            account.claim = Claim::Done;
        } else if let Some(class) = own_limit(text) {
            account.claim = Claim::Failed(Trouble::new(Some(class), text));
        } else if text.starts_with("Applied edit to ") {
            account.note = Some(phrase::one_line(text));
            account.goes_on(phrase::one_line(text));
        } else {
            account.last = None;
        }
    }
}

/// `litellm.AuthenticationError: AuthenticationError: ...`
fn is_service_error(text: &str) -> bool {
    text.strip_prefix("litellm.")
        .and_then(|rest| rest.split_once(':'))
        .is_some_and(|(kind, _)| kind.chars().all(char::is_alphanumeric) && is_error_kind(kind))
}

fn is_error_kind(kind: &str) -> bool {
    kind.ends_with("Error") || kind.ends_with("Exception") || kind == "Timeout"
}

fn failed(account: &mut Account, said: &str) {
    account.last = Some(phrase::one_line(said));
    account.claim = Claim::Failed(Trouble::new(classify::class_of(None, said), said));
}

/// Its own reasons to give up.
fn own_limit(text: &str) -> Option<FailureClass> {
    if text.starts_with("Only ") && text.ends_with("reflections allowed, stopping.") {
        return Some(FailureClass::MaxTurns);
    }
    (text.starts_with("Model ") && text.contains("has hit a token limit"))
        .then_some(FailureClass::ContextTooLong)
}

/// `1.0k sent, 42 received. Cost: $0.01 message, $0.02 session.`
fn count(account: &mut Account, counted: &str) {
    let tokens = &mut account.usage.tokens;
    for part in counted.split(". Cost:").next().unwrap_or(counted).split(", ") {
        let mut words = part.split_whitespace();
        let number = words.next().and_then(tokens_of).unwrap_or(0);
        match words.collect::<Vec<_>>().join(" ").trim_end_matches('.') {
            "sent" => tokens.input = tokens.input.saturating_add(number),
            "received" => tokens.output = tokens.output.saturating_add(number),
            "cache hit" => tokens.cache_read = tokens.cache_read.saturating_add(number),
            "cache write" => tokens.cache_write = tokens.cache_write.saturating_add(number),
            _ => {}
        }
    }
    account.usage.turns = Some(account.usage.turns.unwrap_or(0) + 1);
    let session = counted.split_once("Cost:").and_then(|(_, cost)| {
        let amount = cost.split_once("message, ")?.1.split_once(" session")?.0;
        amount.trim().trim_start_matches('$').parse().ok()
    });
    account.usage.cost_usd = session.or(account.usage.cost_usd);
}

/// `42`, `1.0k`, `12k`, `1.2M`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast to an integer saturates, and the number is the agent's own rounding"
)]
fn tokens_of(word: &str) -> Option<u64> {
    let (number, scale) = match word.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1e3),
        None => word.strip_suffix('M').map_or((word, 1.0), |number| (number, 1e6)),
    };
    number.replace(',', "").parse::<f64>().ok().map(|number| (number * scale).round() as u64)
}
