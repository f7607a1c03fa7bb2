//! Events on their way to other repositories, and the child runs they start.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tako_expr::cel;
use tako_schemas::event::Event;
use tako_schemas::id::{RepoRef, RunId, StepId};
use tako_schemas::journal::{
    Ancestor, Created, Decision, Entry, EnvChanges, Outcome, ParentLink, Trigger, Verdict, Wait,
};

use super::Driver;
use super::prepare::Prepared;
use super::session::{Beside, DriveError, Session};
use crate::conclude;
use crate::fault::Fault;
use crate::mapping::{self, Beginning};
use crate::port::{Append, Candidate, Emission, Job, JournalError, StepOutcome, WaitRequest};
use crate::ports::Ports;
use crate::route::{self, Surroundings};
use crate::submit::siblings_of;

/// A decision may hold a filter of 4 KiB and some values; an entry takes 1 MiB.
const DECISIONS_PER_ENTRY: usize = 100;

/// What the delivery of a step's events adds to the journals and the queue.
#[derive(Default)]
struct Delivery {
    entries: Vec<Entry>,
    created: Vec<Append>,
    jobs: Vec<Job>,
    /// Why the step fails although its events were delivered.
    fault: Option<Fault>,
    /// Children of earlier steps that run for the same event.
    known: Vec<RunId>,
}

impl Driver {
    /// Delivers what a built-in step emits, and ends the step or lets it wait.
    pub(super) async fn deliver(
        &self,
        session: &mut Session<'_>,
        prepared: &Arc<Prepared>,
        index: usize,
        outcome: StepOutcome,
    ) -> Result<(), DriveError> {
        let planned = &prepared.plan.steps[index];
        let mut delivery = Delivery::default();
        for emission in &outcome.emit {
            let event = match self.event(session, prepared, index, emission, &mut delivery).await {
                Ok(event) => event,
                Err(fault) => return self.fail_step(session, prepared, index, fault).await,
            };
            let routed = self.route(session, prepared, &planned.id, &event, &outcome, &mut delivery).await;
            if let Err(fault) = routed {
                return self.fail_step(session, prepared, index, fault).await;
            }
        }
        match (delivery.fault.take(), &outcome.wait) {
            (Some(fault), _) => {
                let result = conclude::failed(&planned.step, fault, None, EnvChanges::default());
                delivery.entries.push(conclude::finished(planned, result));
            }
            (None, Some(wait)) => {
                let adopted = std::mem::take(&mut delivery.known);
                let wait = self.wait(wait, planned.step.timeout, adopted);
                delivery.entries.push(Entry::StepWaiting { step: planned.id.clone(), wait });
            }
            (None, None) => {
                let started: Vec<Value> = delivery.entries.iter().filter_map(requested).collect();
                let mut outputs = outcome.outputs.clone();
                outputs.insert("children".to_owned(), Value::Array(started));
                delivery.entries.extend(self.succeeded(session, prepared, index, outputs).await);
            }
        }
        loop {
            let beside =
                Beside { others: delivery.created.clone(), push: delivery.jobs.clone(), ..Beside::default() };
            match session.offer(delivery.entries.clone(), beside).await {
                Err(DriveError::Journal(JournalError::Conflict { .. })) => session.catch_up().await?,
                other => return other,
            }
            // A run that was told to stop starts no others.
            if let Some(fault) = Fault::cancelled(&session.state) {
                return self.fail_step(session, prepared, index, fault).await;
            }
        }
    }

    /// How long to wait: as long as the step's parameters and its own `timeout` both allow.
    fn wait(&self, wait: &WaitRequest, timeout: Option<Duration>, adopted: Vec<RunId>) -> Wait {
        let timeout = [wait.timeout, timeout].into_iter().flatten().min();
        let deadline = timeout.map(|timeout| self.ports.clock.now() + timeout);
        Wait { deadline, fail_fast: wait.fail_fast, adopted }
    }

    /// The event that `emission` means; a new one is recorded on the way.
    async fn event(
        &self,
        session: &Session<'_>,
        prepared: &Arc<Prepared>,
        index: usize,
        emission: &Emission,
        delivery: &mut Delivery,
    ) -> Result<Event, Fault> {
        let planned = &prepared.plan.steps[index];
        match emission {
            Emission::Recorded { id } => {
                let known = session.state.events.iter().find(|(_, event)| event.id == *id);
                known
                    .map(|(_, event)| event.clone())
                    .ok_or_else(|| Fault::error(format!("event `{id}` is not recorded")))
            }
            Emission::New { kind, artifact, schema_version, payload } => {
                // With nothing recorded the emitting step is itself the producer.
                let own = || planned.step.produces.artifact.as_ref().map(|name| name.as_str().to_owned());
                let mut payload = payload.clone();
                // Before anybody sees it: parts that are none may make up a secret, and a known event was masked.
                prepared.masker.hide_members(&mut payload);
                let event = conclude::Recordable {
                    kind: kind.clone(),
                    artifact: artifact.clone().or_else(own),
                    schema_version: schema_version.clone(),
                    payload,
                };
                // Tried again, or resumed: the same event, so that it finds the children of the try before.
                let known =
                    session.state.events.iter().find(|(by, known)| *by == planned.id && event.is(known));
                if let Some((_, known)) = known {
                    return Ok(known.clone());
                }
                let event = checked(event, Arc::clone(prepared)).await?;
                let created = &session.state.created;
                let event = event.into_event(self.ports.ids.event(), created, self.ports.clock.now());
                delivery
                    .entries
                    .push(Entry::EventRecorded { step: planned.id.clone(), event: event.clone() });
                Ok(event)
            }
        }
    }

    async fn route(
        &self,
        session: &Session<'_>,
        prepared: &Prepared,
        step: &StepId,
        event: &Event,
        outcome: &StepOutcome,
        delivery: &mut Delivery,
    ) -> Result<(), Fault> {
        let key = route::key(event, prepared.manifest.artifacts.keys().cloned());
        let candidates = self.ports.repos.subscribers(&key).await?;
        let ancestry = ancestry(&session.state.created);
        let delivered: HashMap<(RepoRef, String), RunId> = session
            .state
            .children
            .iter()
            .filter(|(_, child)| child.event == event.id)
            .map(|(run, child)| ((child.repo.clone(), child.workflow.clone()), run.clone()))
            .collect();
        let max_depth =
            depth_limit(&session.state.created, prepared).unwrap_or(u32::MAX).min(self.settings.max_depth);
        if ancestry.len() >= DEEP {
            tracing::warn!(depth = ancestry.len(), limit = max_depth, "the tree grows deep");
        }
        // Filters of hostile files may take their whole budget: not on the runtime's threads.
        let (judged, routed_event) = (candidates.clone(), event.clone());
        let chain = ancestry.clone();
        let work = move || {
            let around = Surroundings { chain: &chain, delivered: &delivered, max_depth };
            // All of them on one thread: the way there and back takes longer than most filters.
            cel::apart(|| {
                let routed = route::route(&routed_event, &judged, around);
                routed
                    .into_iter()
                    .map(|routed| (routed.candidate.clone(), routed.refusal))
                    .collect::<Vec<_>>()
            })
        };
        // Each filter is bounded, their number is not: the user need not wait for all of them.
        let routed = tokio::select! {
            routed = tokio::task::spawn_blocking(work) => {
                routed.map_err(|error| Fault::error(format!("matching subscriptions: {error}")))?
            }
            () = session.cancelled() => {
                let cause = "cancelled while subscriptions were matched".to_owned();
                return Err(Fault { outcome: Outcome::Cancelled, cause });
            }
        };

        let mut decisions: Vec<Decision> = candidates.broken.iter().map(route::broken).collect();
        let mut requested = Vec::new();
        for (candidate, refusal) in routed {
            if let Some(Verdict::Depth { limit }) = &refusal {
                let cause = format!(
                    "{} would be deeper than the limit of {limit} runs below the root",
                    candidate.repo
                );
                delivery.fault.get_or_insert_with(|| Fault::failure(cause));
            }
            if let Some(Verdict::Duplicate { child }) = &refusal {
                delivery.known.push(child.clone());
            }
            let verdict = match refusal {
                Some(verdict) => verdict,
                None => {
                    let child = self.ports.ids.run(self.ports.clock.now());
                    requested.push((candidate.clone(), child.clone()));
                    Verdict::Matched { child }
                }
            };
            decisions.push(route::decision(&candidate, verdict));
        }
        // A set of thousands has decisions that would not fit into one entry.
        for decisions in decisions.chunks(DECISIONS_PER_ENTRY) {
            let (step, event, decisions) = (step.clone(), event.id.clone(), decisions.to_vec());
            delivery.entries.push(Entry::EventRouted { step, event, decisions });
        }
        for (candidate, child) in requested {
            self.request(session, prepared, step, event, outcome, candidate, child, delivery).await;
        }
        Ok(())
    }

    /// Asks for one child run. One that cannot start is a failed child, not a failed delivery.
    #[expect(
        clippy::too_many_arguments,
        reason = "one child is one event, one candidate and the run above it"
    )]
    async fn request(
        &self,
        session: &Session<'_>,
        prepared: &Prepared,
        step: &StepId,
        event: &Event,
        outcome: &StepOutcome,
        candidate: Candidate,
        child: RunId,
        delivery: &mut Delivery,
    ) {
        let workflow = candidate.subscription.workflow.as_str().to_owned();
        let Ports { repos, steps, .. } = &self.ports;
        let start = mapping::begin(repos.as_ref(), steps, &self.settings, event, &candidate).await;
        let (start, fault) = match start {
            Ok(start) => (start, None),
            Err(fault) => (Beginning::default(), Some(fault)),
        };
        let Beginning { inputs, commit, claims } = start;
        let siblings = outcome.concurrency_limit;
        let created = Created {
            run: child.clone(),
            root: session.state.created.root.clone(),
            parent: Some(ParentLink { run: session.run().clone(), step: step.clone() }),
            repo: candidate.repo.clone(),
            local: None,
            commit,
            workflow: workflow.clone(),
            inputs,
            trigger: Trigger::Event { event: Box::new(event.clone()) },
            ancestors: ancestry(&session.state.created),
            depth_limit: depth_limit(&session.state.created, prepared),
            led_by: None,
            concurrency_limit: siblings,
        };
        let siblings = siblings_of(&created);
        let mut journal = vec![Entry::Created(Box::new(created))];
        delivery.entries.push(Entry::ChildRequested {
            child: child.clone(),
            step: step.clone(),
            repo: candidate.repo,
            workflow,
            event: event.id.clone(),
        });
        match fault {
            None => delivery.jobs.push(Job {
                run: child.clone(),
                root: session.state.created.root.clone(),
                tree_limit: self.settings.max_concurrent_repos,
                siblings,
                priority: 0,
                lock_key: claims.lock_key,
                supersedes: claims.supersedes,
                labels: claims.labels,
            }),
            Some(Fault { outcome, cause }) => {
                let cause = Some(cause);
                journal.push(Entry::Finished { outcome, cause: cause.clone() });
                delivery.entries.push(Entry::ChildFinished { child: child.clone(), outcome, cause });
            }
        }
        delivery.created.push(Append { run: child, expected_seq: Some(0), entries: journal });
    }
}

/// An event, if it is what its repository declares. Schemas and payloads of hostile files may take their whole budget.
async fn checked(
    event: conclude::Recordable,
    prepared: Arc<Prepared>,
) -> Result<conclude::Recordable, Fault> {
    let work = move || event.check(&prepared.plan.events).map(|()| event);
    let checked = tokio::task::spawn_blocking(work).await;
    checked.unwrap_or_else(|error| Err(Fault::error(format!("checking an event: {error}"))))
}

/// A tree of this depth is worth a word.
const DEEP: usize = 7;

/// How many runs may stand above a child: the least that any workflow above it allows below itself.
fn depth_limit(created: &Created, prepared: &Prepared) -> Option<u32> {
    let above = u32::try_from(created.ancestors.len()).unwrap_or(u32::MAX);
    let own = prepared.plan.workflow.max_depth.map(|depth| above.saturating_add(depth));
    [created.depth_limit, own].into_iter().flatten().min()
}

/// The runs above the children of a run: its own ancestors and itself.
fn ancestry(created: &Created) -> Vec<Ancestor> {
    let own = Ancestor { repo: created.repo.clone(), workflow: created.workflow.clone() };
    created.ancestors.iter().cloned().chain([own]).collect()
}

fn requested(entry: &Entry) -> Option<Value> {
    match entry {
        Entry::ChildRequested { child, repo, workflow, .. } => {
            Some(json!({ "repository": repo.to_string(), "workflow": workflow, "run": child.as_str() }))
        }
        _ => None,
    }
}
