//! Any command: text for people, and an exit code.

use super::account::Account;

/// Reads a line of text: the last one is both what it does now and, in the end, its closing words.
pub(super) fn read(account: &mut Account, line: &str) {
    account.stray.push(line);
    account.last = None;
}
