//! Journals as earlier versions wrote them mean what they meant. A form that was written once is read for ever: these
//! files never change, a new form is a new file.

use super::{Outcome, Recorded, RunState, StepState};

/// What a journal's run became: its outcome, its leases, and for each step the last try and how that ended.
type Meaning = (Outcome, u32, Vec<(&'static str, u32, Outcome)>);

fn read(text: &str) -> RunState {
    let entries: Vec<Recorded> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Nothing is lost on the way through.
    for (recorded, line) in entries.iter().zip(text.lines()) {
        let again: serde_json::Value =
            serde_json::from_str(&serde_json::to_string(recorded).unwrap()).unwrap();
        let was: serde_json::Value = serde_json::from_str(line).unwrap();
        for (key, value) in was.as_object().unwrap() {
            assert_eq!(again.get(key), Some(value), "{line}");
        }
    }
    RunState::replay(&entries).unwrap().unwrap()
}

#[test]
fn journals_of_every_version_are_read() {
    use Outcome::{Cancelled, Failure, Success};
    let cases: [(&str, &str, Meaning); 3] = [
        (
            "1-exec",
            include_str!("../../corpus/journals/1-exec.jsonl"),
            (
                Failure,
                2,
                vec![
                    ("build", 1, Success),
                    ("tell", 1, Success),
                    ("fail", 1, Failure),
                    ("on_failure.tidy", 1, Success),
                ],
            ),
        ),
        (
            "2-agent",
            include_str!("../../corpus/journals/2-agent.jsonl"),
            (Cancelled, 2, vec![("build", 2, Cancelled)]),
        ),
        (
            "3-resumed",
            include_str!("../../corpus/journals/3-resumed.jsonl"),
            (Success, 2, vec![("build", 2, Success), ("test", 2, Success)]),
        ),
    ];
    for (name, text, (outcome, attempt, steps)) in cases {
        let state = read(text);
        assert_eq!((state.ended().unwrap().outcome, state.attempt), (outcome, attempt), "{name}");
        let became: Vec<_> = state
            .steps
            .iter()
            .filter_map(|(id, step)| match step {
                StepState::Finished { attempt, result, .. } => Some((id.as_str(), *attempt, result.outcome)),
                _ => None,
            })
            .collect();
        assert_eq!(became, steps, "{name}");
    }
}
