//! A run of ten thousand tasks, played straight: what the engine costs. Ignored unless asked for, since
//! it measures and does not judge: `cargo test --release --test simulation -- --ignored --nocapture`.

use crate::case::{Case, Kind, Step, Task};
use orch::engine::{State, decide};
use orch::model::{Action, AttemptEnd, DependencyKind, Ending, Event, Policy, Recorded, Timestamp};
use std::time::Instant;

const STEPS: [Kind; 4] = [Kind::Branch, Kind::Agent, Kind::Commit, Kind::Verify];

fn run_of(tasks: usize, jobs: u32) -> State {
    let task = |place: usize| Task {
        skipped: false,
        agent: 0,
        // Half of them in chains of ten.
        after: if place % 20 < 10 && !place.is_multiple_of(10) {
            vec![(0, DependencyKind::Conflict)]
        } else {
            Vec::new()
        },
        steps: STEPS
            .map(|kind| Step { kind, skipped: kind == Kind::Verify, retries: 0, needs: 0 })
            .to_vec(),
    };
    let tasks = (0..tasks).map(task).collect();
    let spec = Case {
        jobs,
        parallel: true,
        policy: Policy::default(),
        fallbacks: [None; 3],
        tasks,
        script: Vec::new(),
    }
    .spec();
    State::new(spec, Timestamp(0))
}

#[test]
#[ignore = "measures; it has nothing to fail"]
fn what_ten_thousand_tasks_cost() {
    for tasks in [1_000, 10_000] {
        let mut state = run_of(tasks, 64);
        let (mut seq, mut decisions, mut open) = (0, 0, std::collections::VecDeque::new());
        let began = Instant::now();
        loop {
            let actions = decide(&state, Timestamp(0));
            decisions += 1;
            let mut events: Vec<Event> = Vec::new();
            for action in actions {
                match action {
                    Action::Start { attempt, .. } => {
                        open.push_back(attempt.clone());
                        events.push(Event::AttemptStarting { attempt, agent: None });
                    }
                    Action::Skip { task, step, reason } => {
                        events.push(Event::StepSkipped { task, step, reason });
                    }
                    Action::Finish { state } => events.push(Event::RunFinished { state }),
                    other => panic!("unexpected {other:?}"),
                }
            }
            if events.is_empty() {
                let Some(attempt) = open.pop_front() else { break };
                let end = Box::new(AttemptEnd::of(Ending::Succeeded));
                events.push(Event::AttemptEnded { attempt, end });
            }
            for event in events {
                seq += 1;
                state.apply(&Recorded { seq, at: Timestamp(0), event });
            }
        }
        let took = began.elapsed();
        assert!(state.finished.is_some());
        let each = took / decisions;
        println!("{tasks} tasks: {seq} events, {decisions} decisions, {took:.1?}, {each:.1?} each");
    }
}
