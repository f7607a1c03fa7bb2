//! Routing: which subscriptions an event matches, and why the others do not.
//!
//! Pure. Candidates arrive already loaded; finding the repositories that declare them is
//! [`crate::port::RepoSource`]'s work.

use std::collections::HashMap;

use indexmap::IndexMap;
use tako_expr::cel::{Activation, CelError, Kind, Program, Status, Verdict as Answer};
use tako_schemas::event::Event;
use tako_schemas::id::{RepoRef, RunId};
use tako_schemas::journal::{Ancestor, Decision, Verdict};

use crate::context;
use crate::port::{Broken, Candidate, Candidates, EventKey};

/// What routing needs to know beside the event and its candidates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    /// The runs above the children, root first; the emitting run is the last.
    pub(crate) chain: &'a [Ancestor],
    /// Runs that were started for this event before, by repository and workflow.
    pub(crate) delivered: &'a HashMap<(RepoRef, String), RunId>,
    /// How deep a tree may be.
    pub(crate) max_depth: u32,
}

/// A candidate and what is to become of it.
#[derive(Clone, Debug)]
pub(crate) struct Routed<'a> {
    /// The subscription.
    pub(crate) candidate: &'a Candidate,
    /// Why it does not start a run; `None`: it does.
    pub(crate) refusal: Option<Verdict>,
}

/// The key under which the index knows `event`: the artifact its producer names, else any that the source
/// declares; `default` always.
#[must_use]
pub fn key(event: &Event, declared: impl Iterator<Item = String>) -> EventKey {
    let mut artifacts: Vec<String> = match &event.artifact {
        Some(artifact) => vec![artifact.clone()],
        None => declared.collect(),
    };
    if !artifacts.iter().any(|name| name == "default") {
        artifacts.push("default".to_owned());
    }
    EventKey { source: event.source.clone(), artifacts, kind: event.kind.clone() }
}

/// Judges every candidate, in order. Of several subscriptions of one repository that match, the first runs.
#[must_use]
pub(crate) fn route<'a>(
    event: &Event,
    candidates: &'a Candidates,
    around: Surroundings<'_>,
) -> Vec<Routed<'a>> {
    let variables = context::activation(context::of_filter(event), Status::SUCCESS);
    let mut taken: HashMap<&RepoRef, usize> = HashMap::new();
    let mut routed = Vec::with_capacity(candidates.found.len());
    for candidate in &candidates.found {
        let refusal = match taken.get(&candidate.repo) {
            Some(by) => Some(Verdict::Shadowed { by: *by }),
            None => judge(event, candidate, &variables).or_else(|| {
                // From here on the subscription has matched, whether or not a run can follow.
                taken.insert(&candidate.repo, candidate.index);
                stop(candidate, around)
            }),
        };
        routed.push(Routed { candidate, refusal });
    }
    routed
}

/// The decision that stands in the journal for a candidate that starts no run.
#[must_use]
pub(crate) fn decision(candidate: &Candidate, verdict: Verdict) -> Decision {
    Decision {
        repo: candidate.repo.clone(),
        workflow: Some(candidate.subscription.workflow.as_str().to_owned()),
        subscription: Some(candidate.index),
        verdict,
    }
}

/// The decision for a repository that could not be judged at all.
#[must_use]
pub(crate) fn broken(broken: &Broken) -> Decision {
    Decision {
        repo: broken.repo.clone(),
        workflow: None,
        subscription: None,
        verdict: Verdict::Error { reason: broken.reason.clone() },
    }
}

/// Version range, then filters.
fn judge(event: &Event, candidate: &Candidate, variables: &Activation) -> Option<Verdict> {
    let subscription = &candidate.subscription;
    if let Some(version) = event.schema_version.as_deref().filter(|version| !version.is_empty()) {
        match subscription.schema_version.matches(version) {
            Ok(true) => {}
            Ok(false) => {
                let range = subscription.schema_version.to_string();
                return Some(Verdict::RangeMismatch { range, version: version.to_owned() });
            }
            Err(error) => {
                let reason =
                    format!("{} sent `{}` with a bad schema version: {error}", event.source, event.kind);
                return Some(Verdict::Error { reason });
            }
        }
    }
    subscription
        .filters
        .iter()
        .enumerate()
        .find_map(|(number, filter)| ask(number, filter.as_str(), variables))
}

fn ask(filter: usize, expression: &str, variables: &Activation) -> Option<Verdict> {
    let failed = |error: &CelError| Verdict::Error { reason: format!("filter {}: {error}", filter + 1) };
    let program = match Program::compile(expression, Kind::Filter) {
        Ok(program) => program,
        Err(error) => return Some(failed(&error)),
    };
    let expression = expression.to_owned();
    match program.evaluate(variables) {
        Ok(Answer::True) => None,
        Ok(Answer::False) => {
            let saw: IndexMap<String, String> = program.seen(variables).into_iter().collect();
            Some(Verdict::FilterFalse { filter, expression, saw })
        }
        Err(CelError::MissingField { path }) => {
            Some(Verdict::MissingField { filter, expression, field: path })
        }
        Err(error) => Some(failed(&error)),
    }
}

/// Why a subscription that matched still starts no run.
fn stop(candidate: &Candidate, around: Surroundings<'_>) -> Option<Verdict> {
    let workflow = candidate.subscription.workflow.as_str();
    if let Some(child) = around.delivered.get(&(candidate.repo.clone(), workflow.to_owned())) {
        return Some(Verdict::Duplicate { child: child.clone() });
    }
    if around.chain.iter().any(|link| link.repo == candidate.repo && link.workflow == workflow) {
        let closing = Ancestor { repo: candidate.repo.clone(), workflow: workflow.to_owned() };
        let chain = around.chain.iter().chain([&closing]).map(ToString::to_string).collect();
        return Some(Verdict::Cycle { chain });
    }
    let depth = u32::try_from(around.chain.len()).unwrap_or(u32::MAX);
    (depth > around.max_depth).then_some(Verdict::Depth { limit: around.max_depth })
}
