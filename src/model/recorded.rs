//! An event as it is stored: one line of JSON.

use super::{AttemptEnd, AttemptId, Event, RunSpec, Timestamp};
use serde::{Deserialize, Serialize};

/// An event with its place in the run's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// From 1, without gaps, per run.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Recorded {
    /// Reads what is stored. The kinds that are most of a history are read without the detour over a tree of
    /// values that finding out an event's kind takes.
    ///
    /// # Errors
    /// It is no event of a kind that is known.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        // As they are written: the number, the time, the kind.
        let kind = text.get(..80).and_then(|head| head.split_once("\"event\":\""));
        let frequent = kind.is_some_and(|(_, kind)| FREQUENT.iter().any(|k| kind.starts_with(k)));
        if frequent
            && let Ok(flat) = serde_json::from_str::<Flat>(text)
            && let Some(recorded) = flat.into_recorded()
        {
            return Ok(recorded);
        }
        serde_json::from_str(text)
    }

    /// What is stored.
    ///
    /// # Errors
    /// None that is known.
    pub fn to_json(&self) -> serde_json::Result<String> {
        if let Event::RunCreated { spec } = &self.event {
            let event = Event::RunCreated { spec: Box::new(spec.brief()) };
            return serde_json::to_string(&Self { event, ..*self });
        }
        serde_json::to_string(self)
    }
}

/// The kinds that [`Flat`] knows, as they stand in the text.
const FREQUENT: [&str; 4] =
    ["run_created\"", "attempt_starting\"", "attempt_started\"", "attempt_ended\""];

/// What the frequent kinds have, all at once.
#[derive(Deserialize)]
struct Flat<'a> {
    seq: u64,
    at: Timestamp,
    event: &'a str,
    spec: Option<Box<RunSpec>>,
    attempt: Option<AttemptId>,
    agent: Option<String>,
    pid: Option<u32>,
    end: Option<Box<AttemptEnd>>,
}

impl Flat<'_> {
    /// `None` where something is missing that its kind has: the slow way says what.
    fn into_recorded(self) -> Option<Recorded> {
        let event = match self.event {
            "run_created" => Event::RunCreated { spec: self.spec? },
            "attempt_starting" => {
                Event::AttemptStarting { attempt: self.attempt?, agent: self.agent }
            }
            "attempt_started" => Event::AttemptStarted { attempt: self.attempt?, pid: self.pid? },
            "attempt_ended" => Event::AttemptEnded { attempt: self.attempt?, end: self.end? },
            _ => return None,
        };
        Some(Recorded { seq: self.seq, at: self.at, event })
    }
}

#[cfg(test)]
mod tests {
    use super::super::StopReason;
    use super::*;

    #[test]
    fn what_is_stored_is_read_alike_whichever_way() {
        let spec = r#"{"id":"run-1","base":"b","target":null,"jobs":1,"parallel":false,"merge":"none",
            "verify":[],"grace_ms":1,"log_cap":1,"estimate_seconds":null,"tasks":[],"agents":{}}"#;
        let spec: RunSpec = serde_json::from_str(spec).unwrap();
        let attempt = || AttemptId { task: "t".into(), step: "s".into(), number: 2 };
        let failure = crate::model::Failure::new(crate::model::FailureClass::Crashed, "a \"b\"\n");
        let reason = "no \"forge\" is used".to_owned();
        let events = [
            Event::RunCreated { spec: Box::new(spec) },
            Event::DrainRequested,
            Event::StepSkipped { task: "t".into(), step: "s".into(), reason },
            Event::AttemptStarting { attempt: attempt(), agent: None },
            Event::AttemptStarting { attempt: attempt(), agent: Some("other".to_owned()) },
            Event::AttemptStarted { attempt: attempt(), pid: 7 },
            Event::AttemptEnded { attempt: attempt(), end: Box::new(AttemptEnd::failed(failure)) },
            Event::AttemptStopping { attempt: attempt(), reason: StopReason::Cancelled },
        ];
        for event in events {
            let recorded = Recorded { seq: 7, at: Timestamp(1_767_268_800_000), event };
            let text = serde_json::to_string(&recorded).unwrap();
            assert_eq!(Recorded::from_json(&text).unwrap(), recorded);
            assert_eq!(serde_json::from_str::<Recorded>(&text).unwrap(), recorded);
        }
        let at = "\"at\":\"2026-01-01T12:00:00Z\"";
        for kind in FREQUENT {
            let text = format!("{{\"seq\":1,{at},\"event\":\"{kind}}}");
            assert!(Recorded::from_json(&text).is_err(), "{text}");
        }
    }
}
