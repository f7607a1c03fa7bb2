//! The JSON Schema of `tako.yml`, for editors, made from the loader's own tables of keys. Tests hold it to the loader.

mod manifest;
mod shape;
#[cfg(test)]
mod tests;

use serde_json::Value;

/// The JSON Schema of `tako.yml`, draft 2020-12.
#[must_use]
pub fn json_schema() -> Value {
    manifest::schema()
}
