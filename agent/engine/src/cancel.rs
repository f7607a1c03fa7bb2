//! Telling runs to stop.
//!
//! A cancellation is an entry in the journal of every run it concerns. Whoever leads such a run sees it there;
//! a run that nobody leads yet ends as soon as somebody does.

use std::collections::HashSet;

use tako_schemas::id::RunId;
use tako_schemas::journal::Entry;

use crate::driver::{DriveError, load};
use crate::port::{Append, Transaction};
use crate::ports::Ports;

/// Asks `run` and everything below it to stop, in the name of `by`. Runs that are over are left alone; of those that
/// were asked before, the ones that wait are led on. Returns how many were asked.
///
/// # Errors
///
/// When a journal cannot be read or written; runs that were asked by then stay asked.
pub async fn cancel(ports: &Ports, run: &RunId, by: &str) -> Result<usize, DriveError> {
    let summary = ports.journal.find(run).await?.ok_or_else(|| DriveError::Unknown { run: run.clone() })?;
    let mut concerned = HashSet::from([run.clone()]);
    let mut asked = 0;
    // In order of creation a parent comes before its children.
    for member in ports.journal.tree(&summary.root).await? {
        let below = member.parent.as_ref().is_some_and(|(parent, _)| concerned.contains(parent));
        if below {
            concerned.insert(member.run.clone());
        }
        if !concerned.contains(&member.run) {
            continue;
        }
        let (state, _) = load(ports, &member.run).await?;
        if state.ended().is_some() {
            continue;
        }
        let mut transaction = Transaction {
            at: Some(ports.clock.now()),
            // Whoever waits for a lock or a slot needs neither to end.
            urge: vec![member.run.clone()],
            ..Transaction::default()
        };
        if state.cancel.is_none() {
            let entries = vec![Entry::CancelRequested { by: by.to_owned() }];
            transaction.appends.push(Append { run: member.run.clone(), expected_seq: None, entries });
            asked += 1;
        }
        for recorded in ports.journal.commit(transaction).await?.into_iter().flatten() {
            ports.observer.entry(&member.run, &recorded).await;
        }
    }
    Ok(asked)
}
