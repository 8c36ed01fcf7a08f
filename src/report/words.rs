//! Numbers as people read them.

pub use crate::model::{bytes, shell_word};
use std::time::Duration;

/// `0.4s`, `12s`, `3m04s`, `2h05m`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..=9 => format!("{:.1}s", time.as_secs_f64()),
        10..=59 => format!("{seconds}s"),
        60..=3599 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `$0.12`, or `$0.0042` below a cent.
#[must_use]
pub fn money(dollars: f64) -> String {
    // The sum of nothing is a negative zero.
    let dollars = dollars + 0.0;
    if dollars > 0.0 && dollars < 0.01 {
        format!("${dollars:.4}")
    } else {
        format!("${dollars:.2}")
    }
}

/// `1 file`, `2 files`.
#[must_use]
pub(super) fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// `1234` as `1.2k`.
#[must_use]
pub(super) fn tokens(n: u64) -> String {
    match n {
        0..=999 => n.to_string(),
        1000..=999_999 => format!("{:.1}k", n as f64 / 1e3),
        _ => format!("{:.1}M", n as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let s = |ms| duration(Duration::from_millis(ms));
        assert_eq!(
            [s(412), s(12_900), s(184_000), s(7_500_000)],
            ["0.4s", "12s", "3m04s", "2h05m"]
        );
        assert_eq!([money(0.0042), money(1.5), money(0.0)], ["$0.0042", "$1.50", "$0.00"]);
        assert_eq!(money(std::iter::empty::<f64>().sum()), "$0.00");
        assert_eq!([tokens(999), tokens(1234), tokens(2_500_000)], ["999", "1.2k", "2.5M"]);
    }
}
