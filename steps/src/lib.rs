//! The built-in steps, one file each, and the table of them.
//!
//! A step does not run workflows: it returns what it wants, and the engine does that.

mod fan_out;

use tako_engine::port::{StepHandler, StepRegistry, StepSpec};

use fan_out::FanOut;

/// Every built-in step. A new version of a step is a new line.
const STEPS: [&dyn StepHandler; 1] = [&FanOut];

/// The built-in steps that exist.
#[derive(Clone, Copy, Debug, Default)]
pub struct Registry;

impl StepRegistry for Registry {
    fn get(&self, uses: &str) -> Option<&dyn StepHandler> {
        STEPS.into_iter().find(|step| step.spec().name == uses)
    }

    fn specs(&self) -> Vec<&'static StepSpec> {
        let mut specs: Vec<_> = STEPS.iter().map(|step| step.spec()).collect();
        specs.sort_unstable_by_key(|spec| spec.name);
        specs
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn steps_are_found_by_their_exact_name() {
        for spec in Registry.specs() {
            assert_eq!(Registry.get(spec.name).map(StepHandler::spec), Some(spec));
        }
        for name in ["tako/fan-out", "tako/fan-out@v2", "Tako/fan-out@v1", "fan-out@v1", ""] {
            assert!(Registry.get(name).is_none(), "{name}");
        }
    }

    #[test]
    fn steps_say_what_they_need() {
        let specs = Registry.specs();
        let names: HashSet<_> = specs.iter().map(|spec| spec.name).collect();
        assert_eq!(names.len(), specs.len(), "no name twice");
        for spec in specs {
            let (_, version) = spec.name.split_once("@v").unwrap();
            assert!(spec.name.starts_with("tako/") && version.parse::<u32>().is_ok(), "{}", spec.name);
            assert!(!spec.summary.is_empty(), "{}", spec.name);
            for param in spec.params {
                assert!(!param.doc.is_empty(), "{} {}", spec.name, param.name);
                assert!(!(param.required && param.default.is_some()), "{} {}", spec.name, param.name);
            }
            assert!(spec.outputs.iter().all(|output| !output.doc.is_empty()), "{}", spec.name);
        }
    }
}
