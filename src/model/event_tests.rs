//! Events as they are stored.

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
