//! Whose lease it is.

use tako_engine::port::{JournalError, Lease};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Owner, Phase, RunState};

use crate::app::App;
use crate::auth::Caller;
use crate::refusal::Refusal;

/// Trees are never this deep.
const DEEPEST: usize = 1000;

/// The name of the agent that asks. Only agents come here.
pub(super) fn name_of(caller: &Caller) -> Result<&str, Refusal> {
    caller.agent().ok_or_else(|| Refusal::forbidden("only agents may do this"))
}

/// Whether `owner` is a process of `agent`. Its id is what leases are told apart by, so it must not be another
/// agent's.
pub(super) fn belongs_to(owner: &Owner, agent: &str) -> bool {
    owner.id.strip_prefix(agent).is_some_and(|rest| rest.starts_with('/'))
}

/// Refuses a lease that is not one of `agent`.
pub(super) fn check(lease: &Lease, agent: &str) -> Result<(), Refusal> {
    if lease.owner.agent.as_deref() == Some(agent) && belongs_to(&lease.owner, agent) {
        return Ok(());
    }
    Err(Refusal::forbidden(format!("the lease of {} is not one of agent `{agent}`", lease.run)))
}

/// The lease as the run's journal has it, if `lease` is the one in force there.
pub(super) fn in_force(state: &RunState, lease: &Lease) -> Result<Lease, Refusal> {
    match &state.phase {
        Phase::Active { owner }
            if owner.id == lease.owner.id
                && owner.agent == lease.owner.agent
                && state.attempt == lease.attempt =>
        {
            let (run, root) = (lease.run.clone(), state.created.root.clone());
            Ok(Lease { run, root, owner: owner.clone(), attempt: lease.attempt, errand: lease.errand })
        }
        _ => Err(JournalError::LeaseLost { run: lease.run.clone(), attempt: lease.attempt }.into()),
    }
}

/// Refuses unless `agent` holds the lease of a run above `run`.
pub(crate) async fn leads_above(app: &App, agent: &str, run: &RunId) -> Result<(), Refusal> {
    let leases = app.parts.queue.leases().await?;
    let own = |run: &RunId| {
        leases.iter().any(|lease| lease.run == *run && lease.owner.agent.as_deref() == Some(agent))
    };
    let refuse = || Refusal::forbidden(format!("agent `{agent}` leads no run above {run}"));
    let mut below = run.clone();
    for _ in 0..DEEPEST {
        let found = app.parts.desk.journal.find(&below).await?;
        let Some((parent, _)) = found.and_then(|found| found.parent) else { return Err(refuse()) };
        if own(&parent) {
            return Ok(());
        }
        below = parent;
    }
    Err(refuse())
}
