//! `orch report`: what runs took, what failed, and how well the plan knew beforehand.

mod fold;
mod human;
mod prediction;

pub use fold::{Analytics, RunFacts};

use super::style::Style;

/// The document (`orch.report/1`) as one line of JSON.
#[must_use]
pub fn analytics_json(analytics: &Analytics) -> String {
    // Plain data with text for keys always serialises.
    format!("{}\n", serde_json::to_string(analytics).unwrap_or_default())
}

/// The same for people.
#[must_use]
pub fn analytics(analytics: &Analytics, style: Style) -> String {
    human::text(analytics, style)
}
