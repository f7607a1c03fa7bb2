//! Labels of jobs and of claimers, as SQL compares them.

use tako_engine::port::JournalError;

use crate::failure::{During, check_length};

/// Most bytes of a list of labels. Every claim compares those of many jobs.
const LIMIT_BYTES: usize = 16 << 10;

/// A JSON array of `labels`.
pub(crate) fn encode(labels: &[String]) -> Result<String, JournalError> {
    let text = serde_json::to_string(labels).during("read labels")?;
    check_length("a list of labels", text.len(), LIMIT_BYTES)?;
    Ok(text)
}
