//! Whether a step that did not succeed is tried again, and when. Pure.

use std::time::Duration;

use tako_schemas::journal::Outcome;
use tako_schemas::workflow::Step;

/// Longest pause between two tries, however the pauses grow.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// How often something is tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tries {
    /// Tries in all, the first included.
    pub attempts: u32,
    /// Pause before the second try.
    pub delay: Duration,
    /// Factor by which the pause grows.
    pub backoff: f64,
}

impl Tries {
    /// What errors of the system get that no `retry` speaks of.
    pub const SYSTEM: Self = Self { attempts: 3, delay: Duration::from_millis(500), backoff: 2.0 };

    /// The pause behind the `failed`th try in a row that did not succeed, from 1; `None` after the last one.
    #[must_use]
    pub fn pause(self, failed: u32) -> Option<Duration> {
        if failed >= self.attempts {
            return None;
        }
        let exponent = i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.delay.as_secs_f64() * self.backoff.powi(exponent);
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE))
    }
}

/// The pause before `step` is tried again after `failed` tries in a row that did not succeed, the last one with
/// `outcome`; `None`: it is over. Errors of the system are always tried again, failures where the step asks for it,
/// what was cancelled never.
#[must_use]
pub(crate) fn pause(step: &Step, system: Tries, outcome: Outcome, failed: u32) -> Option<Duration> {
    let asked = step.retry.as_ref();
    let own =
        asked.map(|retry| Tries { attempts: retry.attempts, delay: retry.delay, backoff: retry.backoff });
    let tries = match outcome {
        Outcome::Success | Outcome::Cancelled => return None,
        Outcome::Error => own.filter(|_| asked.is_some_and(|retry| retry.on_system)).unwrap_or(system),
        Outcome::Failure | Outcome::TimedOut => {
            own.filter(|_| asked.is_some_and(|retry| retry.on_failure))?
        }
    };
    tries.pause(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(attempts: u32, delay: u64, backoff: f64) -> Tries {
        Tries { attempts, delay: Duration::from_secs(delay), backoff }
    }

    #[test]
    fn pauses_grow_and_end() {
        let cases = [
            ("doubling", tries(4, 1, 2.0), vec![1, 2, 4]),
            ("steady", tries(3, 5, 1.0), vec![5, 5]),
            ("one try", tries(1, 5, 1.0), vec![]),
            ("bounded", tries(4, 1800, 10.0), vec![1800, 3600, 3600]),
            ("beyond numbers", tries(3, u64::MAX / 2, 1e300), vec![3600, 3600]),
        ];
        for (name, tries, want) in cases {
            let got: Vec<u64> =
                (1..).map_while(|failed| tries.pause(failed)).map(|it| it.as_secs()).collect();
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn errors_are_tried_again_and_failures_on_request() {
        let step = |keys: &str| {
            let text = format!("version: 1\nworkflows: {{a: {{steps: [{{run: x{keys}}}]}}}}\n");
            let file = tako_schemas::diagnostic::SourceFile::new("tako.yml", text);
            tako_schemas::load::load(&file).manifest.unwrap().workflows["a"].steps[0].clone()
        };
        let system = tries(2, 7, 1.0);
        let cases = [
            ("nothing said", "", Outcome::Failure, None),
            ("nothing said", "", Outcome::Error, Some(7)),
            ("both", ", retry: {delay: 3s}", Outcome::Failure, Some(3)),
            ("both", ", retry: {delay: 3s}", Outcome::Error, Some(3)),
            ("a timeout is a failure", ", retry: {delay: 3s}", Outcome::TimedOut, Some(3)),
            ("system alone", ", retry: {delay: 3s, on: system}", Outcome::Failure, None),
            ("failure alone", ", retry: {delay: 3s, on: failure}", Outcome::Error, Some(7)),
            ("cancelled", ", retry: {delay: 3s}", Outcome::Cancelled, None),
        ];
        for (name, keys, outcome, want) in cases {
            let got = pause(&step(keys), system, outcome, 1).map(|pause| pause.as_secs());
            assert_eq!(got, want, "{name}: {outcome}");
        }
    }
}
