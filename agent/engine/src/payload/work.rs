//! How much work a payload is, counted before it is done: the parts of its schema that apply to each of its values,
//! each as often as it does.
//!
//! A validator is free to do less. It does not do more: what it asks twice (`unevaluatedProperties`) counts so.

use std::collections::BTreeMap;

use serde_json::Value;

use super::outline::{Outline, Part, count};

impl Outline {
    /// Steps that checking `payload` takes; nothing if they are more than `limit`.
    pub(super) fn steps(&self, payload: &Value, limit: u64) -> Option<u64> {
        let mut left = limit;
        self.spend(payload, BTreeMap::from([(self.root, 1)]), &mut left)?;
        Some(limit - left)
    }

    /// Takes from `left` what it takes to check `value` against parts that apply to it, each so many times. `None`:
    /// that is more than there is.
    fn spend(&self, value: &Value, mut open: BTreeMap<usize, u64>, left: &mut u64) -> Option<()> {
        let mut into: Vec<(&Part, u64)> = Vec::new();
        // What applies here stands behind what it belongs to, so every count is complete when its turn comes.
        while let Some((index, times)) = open.pop_first() {
            let part = &self.parts[index];
            take(left, times.saturating_mul(part.steps.saturating_add(part.own_steps(value))))?;
            let below = times.saturating_mul(part.times);
            for follower in &part.here {
                add(&mut open, *follower, below);
            }
            into.push((part, below));
        }
        match value {
            Value::Object(fields) => {
                into.retain(|(part, _)| part.has_members());
                for (name, field) in fields.iter().filter(|_| !into.is_empty()) {
                    let (mut fits, mut names) = (BTreeMap::new(), BTreeMap::new());
                    for (part, times) in &into {
                        part.named
                            .get(name)
                            .into_iter()
                            .chain(&part.members)
                            .for_each(|index| add(&mut fits, *index, *times));
                        part.names.iter().for_each(|index| add(&mut names, *index, *times));
                    }
                    self.spend(field, fits, left)?;
                    if !names.is_empty() {
                        self.spend(&Value::from(name.as_str()), names, left)?;
                    }
                }
            }
            Value::Array(items) => {
                into.retain(|(part, _)| part.has_elements());
                for (place, item) in items.iter().enumerate().filter(|_| !into.is_empty()) {
                    let mut fits = BTreeMap::new();
                    for (part, times) in &into {
                        part.placed
                            .get(place)
                            .into_iter()
                            .chain(&part.elements)
                            .for_each(|index| add(&mut fits, *index, *times));
                    }
                    self.spend(item, fits, left)?;
                }
            }
            _ => {}
        }
        Some(())
    }
}

impl Part {
    /// Steps that depend on how large the value itself is.
    fn own_steps(&self, value: &Value) -> u64 {
        let whole = if self.whole { count(value) as u64 } else { 0 };
        let width = match value {
            Value::String(text) => self.patterns.saturating_mul(text.len() as u64),
            Value::Array(items) if self.has_elements() => items.len() as u64,
            Value::Object(fields) if self.has_members() => {
                let names: usize = if self.patterns > 0 { fields.keys().map(String::len).sum() } else { 0 };
                (fields.len() as u64).saturating_add(self.patterns.saturating_mul(names as u64))
            }
            _ => 0,
        };
        width.saturating_add(whole)
    }

    fn has_members(&self) -> bool {
        !(self.named.is_empty() && self.members.is_empty() && self.names.is_empty())
    }

    fn has_elements(&self) -> bool {
        !(self.placed.is_empty() && self.elements.is_empty())
    }
}

fn add(counts: &mut BTreeMap<usize, u64>, index: usize, times: u64) {
    let count = counts.entry(index).or_default();
    *count = count.saturating_add(times);
}

fn take(left: &mut u64, steps: u64) -> Option<()> {
    *left = left.checked_sub(steps)?;
    Some(())
}
