//! The state of a run, read from its journal.

use tako_schemas::id::RunId;
use tako_schemas::journal::{Recorded, RunState};

use crate::port::{Journal, JournalError};

/// Where `run` stands, with the entries that say so; `None` for an unknown run.
///
/// # Errors
///
/// When the journal cannot be read, or is none.
pub async fn read(
    journal: &dyn Journal,
    run: &RunId,
) -> Result<Option<(RunState, Vec<Recorded>)>, JournalError> {
    let entries = journal.read(run, 0).await?;
    let corrupt = |source| JournalError::Corrupt { run: run.clone(), source: Box::new(source) };
    let state = RunState::replay(&entries).map_err(corrupt)?;
    Ok(state.map(|state| (state, entries)))
}
