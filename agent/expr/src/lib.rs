//! The two small languages of a `tako.yml`: templates (`{{ .inputs.name }}`) and CEL (`if:`, `filters:`).
//!
//! Pure: no I/O and no clock but the deadline of an evaluation. Both languages are written by people we do not
//! know, so everything is bounded: source, nesting, work, memory, output and time. Positions are byte ranges of
//! the string that was compiled; the caller maps them to its file.

mod cache;
pub mod cel;
mod foreign;
mod suggest;
pub mod template;
pub mod types;
