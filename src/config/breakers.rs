//! `[breakers]`: how many failures in a row stop what from starting, and for how long.

use super::values::{Item, Reader};
use crate::model::{BreakerRule, Policy};

/// More failures in a row than this is no breaker.
const MAX_FAILURES: u32 = 1000;

/// Reads one key; whether it is known.
pub(super) fn read(policy: &mut Policy, r: &mut Reader<'_>, item: Item<'_>) -> bool {
    let Some((name, what)) = item.key.split_once('_') else { return false };
    let rule = match name {
        "agent" => &mut policy.agent,
        "execution" => &mut policy.execution,
        "github" => &mut policy.github,
        _ => return false,
    };
    let BreakerRule { failures, cool_down_ms } = rule;
    match what {
        "failures" => *failures = r.number(item, 1, MAX_FAILURES).unwrap_or(*failures),
        "cool_down" => {
            let read = r.duration(item).and_then(|time| u64::try_from(time.as_millis()).ok());
            *cool_down_ms = read.unwrap_or(*cool_down_ms);
        }
        _ => return false,
    }
    true
}
