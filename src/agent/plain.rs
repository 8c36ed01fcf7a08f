//! Any command: text for people, and an exit code.

use super::account::Account;
use super::phrase;

/// Reads a line of text.
pub(super) fn read(account: &mut Account, line: &str) {
    let words = phrase::one_line(line);
    if words.is_empty() {
        return;
    }
    account.stray.push(line);
    account.last = Some(words.clone());
    account.note = Some(words);
}
