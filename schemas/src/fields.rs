//! The keys of `tako.yml`: one table for each kind of mapping, from which come the check for unknown keys, the
//! allowed words, and the JSON Schema.
//!
//! The loader reads no key that is not in its table, so what is documented and what is read cannot part.

mod shape;
mod step;
mod top;
mod workflow;

pub(crate) use shape::{Field, Shape, Table};
pub(crate) use step::{PRODUCED_EVENT, PRODUCES, RESOURCES, RETRY, STEP, VOLUME};
pub(crate) use top::{ARTIFACT, DEFAULTS, DEPENDENT, EVENT, MANIFEST, MAX_FILTERS, METADATA, SUBSCRIPTION};
pub(crate) use workflow::{
    CHECKOUT, CONCURRENCY, INPUT, REF_FILTER, SCHEDULE, TRIGGERS, VALIDATION, WORKFLOW,
};
