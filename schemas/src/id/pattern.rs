//! The forms of ids as regular expressions, in the part of ECMA-262 that every engine knows: no look-around.
//!
//! What they do not say is how long a component may be; the parsers do.

/// A component that could neither leave a directory nor pose as a flag: no `.`, no `..`, no leading `-`.
macro_rules! component {
    () => {
        r"([A-Za-z0-9_]|\.[A-Za-z0-9_-]|\.\.[A-Za-z0-9._-])[A-Za-z0-9._-]*"
    };
}

/// Components with slashes between them.
macro_rules! branch {
    () => {
        concat!(component!(), "(/", component!(), ")*")
    };
}

/// `owner/repo`.
macro_rules! repo {
    () => {
        concat!(component!(), "/", component!())
    };
}

pub(crate) const RUN_ID: &str = "^exec-[0-9]{8}-[0-9]{6}-[0-9a-f]{8}$";
pub(crate) const STEP_ID: &str = r"^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*$";
pub(crate) const REPO_ID: &str = concat!("^", repo!(), "$");
pub(crate) const REPO_REF: &str = concat!("^", repo!(), "(:", branch!(), ")?$");
/// `owner/repo:artifact`.
pub(crate) const ARTIFACT_REF: &str = concat!("^", repo!(), ":[a-zA-Z][a-zA-Z0-9_-]*$");
/// `owner/repo:branch`, `./path:branch`, `file://path:branch`.
pub(crate) const DEPENDENT_REPO: &str =
    concat!("^(", repo!(), r"|\.[\s\S]*|file://[\s\S]+):", branch!(), "$");
/// `owner/repo/event_type`: what an event's type is on the wire.
pub(crate) const WIRE_TYPE: &str = concat!("^", repo!(), "/[a-z][a-z0-9_]*$");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::id::{RepoId, RepoRef, RunId, StepId};
    use crate::subscription::ArtifactRef;

    fn matches(pattern: &str, text: &str) -> bool {
        Regex::new(pattern).unwrap().is_match(text)
    }

    proptest! {
        #[test]
        fn parsers_and_patterns_agree(
            text in "([a-bB0_.-]|\\.\\.|/|:|a/b|a/b:c|ä|\n| ){0,5}",
            id in "exec-[0-9]{7,9}-[0-9]{5,7}-[0-9a-fA-Fg]{7,9}",
        ) {
            prop_assert_eq!(matches(REPO_ID, &text), text.parse::<RepoId>().is_ok());
            prop_assert_eq!(matches(REPO_REF, &text), text.parse::<RepoRef>().is_ok());
            prop_assert_eq!(matches(STEP_ID, &text), text.parse::<StepId>().is_ok());
            prop_assert_eq!(matches(ARTIFACT_REF, &text), text.parse::<ArtifactRef>().is_ok());
            prop_assert_eq!(matches(RUN_ID, &id), id.parse::<RunId>().is_ok());
        }
    }

    #[test]
    fn a_run_id_matches_its_pattern() {
        let id = RunId::new(time::macros::datetime!(2026-07-26 14:30:22 UTC), 7);
        assert!(matches(RUN_ID, id.as_str()));
    }
}
