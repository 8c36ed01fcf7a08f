//! Money: what was spent, what those under way may still cost, and whether another one may start.
//!
//! What an attempt is going to cost is taken to be what the dearest one of its agent did. An agent of which
//! nothing is known yet runs one at a time; one that ends well without a price has none.

use super::agents::Taken;
use super::progress::Attempt;
use super::state::State;
use crate::model::{AttemptEnd, BudgetView, Ending, Failure, FailureClass};

/// Money, in millionths of a dollar, so that sums are exact.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Budget {
    /// The most that may be spent.
    pub most: Option<u64>,
    /// What was.
    pub spent: u64,
}

/// Dollars as millionths, rounded up.
pub(super) fn micros(dollars: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates; never negative"
    )]
    let micros = (dollars.max(0.0) * 1e6).ceil() as u64;
    micros
}

/// What an ended attempt is charged with. One that ran and was ended before it could say what it cost is
/// charged as the dearest of its agent.
pub(super) fn charge(attempt: &Attempt, end: &AttemptEnd, dearest: Option<u64>) -> u64 {
    use FailureClass as C;
    let unsaid = match &end.ending {
        Ending::Succeeded => false,
        Ending::Failed { failure } => matches!(
            failure.class,
            C::Timeout | C::Idle | C::Cancelled | C::Interrupted | C::Killed
        ),
    };
    match end.usage.cost_usd {
        Some(cost) => micros(cost),
        None if unsaid && attempt.pid.is_some() => dearest.unwrap_or(0),
        None => 0,
    }
}

/// What the end of an attempt says about what its agent costs.
pub(super) fn learn(dearest: Option<u64>, end: &AttemptEnd) -> Option<u64> {
    let known = match (end.usage.cost_usd, &end.ending) {
        (Some(cost), _) => Some(micros(cost)),
        (None, Ending::Succeeded) => Some(0),
        (None, Ending::Failed { .. }) => None,
    };
    dearest.max(known)
}

impl State {
    /// Whether another attempt of the agent can be paid whatever those under way cost.
    pub(super) fn can_pay(&self, task: usize, agent: &str, taken: &Taken) -> bool {
        let Some(most) = self.budget.most else { return true };
        if self.unpayable(task, agent).is_some() {
            return false;
        }
        let price = |name: &str| self.agent(name).and_then(|known| known.dearest);
        let running = self.agents.iter().map(|(name, known)| (name.as_str(), known.running));
        let promised: u64 = running
            .chain(taken.iter())
            .map(|(name, n)| u64::from(n) * price(name).unwrap_or(0))
            .sum();
        let committed = self.budget.spent + promised;
        if let Some(price) = price(agent) {
            return committed + price <= most;
        }
        let alone = self.agent(agent).is_none_or(|known| known.running == 0);
        alone && taken.of(agent) == 0 && committed < most
    }

    /// Why no further attempt of the agent can ever be paid for this task.
    #[must_use]
    pub fn unpayable(&self, task: usize, agent: &str) -> Option<Failure> {
        let price = self.agent(agent).and_then(|known| known.dearest);
        let spent = self.budget.spent;
        if let Some(most) = self.budget.most
            && price.map_or(spent >= most, |price| spent + price > most)
        {
            let next = price.map_or(String::new(), |price| {
                format!(", and an attempt of {agent} has cost up to {}", dollars(price))
            });
            let text =
                format!("not started: {} of {} are spent{next}", dollars(spent), dollars(most));
            return Some(
                Failure::new(FailureClass::Budget, text)
                    .suggest("allow more with: orch retry --failed --max-cost-usd USD"),
            );
        }
        let most = micros(self.spec.policy.max_task_cost_usd?);
        let own = &self.tasks[task];
        let again = own.dearest > 0 && own.spent + own.dearest > most;
        (own.spent >= most && own.spent > 0 || again).then(|| {
            let asked_again = own.steps.iter().any(|step| step.forgiven > 0);
            let since = if asked_again { " since it was last asked for" } else { "" };
            let text = format!(
                "not tried again: the task has cost {} of {}{since}, its dearest attempt {}",
                dollars(own.spent),
                dollars(most),
                dollars(own.dearest)
            );
            Failure::new(FailureClass::Budget, text)
                .suggest("orch retry lets it cost as much again")
        })
    }

    /// What the task at `task` cost since a person last asked for it and what it may, in US dollars, where
    /// there is a limit to that.
    #[must_use]
    pub fn task_budget(&self, task: usize) -> Option<BudgetView> {
        let max_usd = self.spec.policy.max_task_cost_usd?;
        Some(BudgetView { spent_usd: self.tasks[task].spent as f64 / 1e6, max_usd })
    }

    /// What was spent, where there is a limit.
    pub(super) fn budget_view(&self) -> Option<BudgetView> {
        let max_usd = self.budget.most? as f64 / 1e6;
        Some(BudgetView { spent_usd: self.budget.spent as f64 / 1e6, max_usd })
    }
}

/// To the hundredth of a cent: rounded to cents, a limit looks as if it were not reached yet.
fn dollars(micros: u64) -> String {
    let text = format!("${:.4}", micros as f64 / 1e6);
    text.strip_suffix("00").map_or(text.clone(), str::to_owned)
}
