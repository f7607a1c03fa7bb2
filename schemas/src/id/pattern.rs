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

/// `owner/repo:artifact`.
pub(crate) const ARTIFACT_REF: &str = concat!("^", repo!(), ":[a-zA-Z][a-zA-Z0-9_-]*$");
/// `owner/repo:branch`, `./path:branch`, `file://path:branch`.
pub(crate) const DEPENDENT_REPO: &str =
    concat!("^(", repo!(), r"|\.[\s\S]*|file://[\s\S]+):", branch!(), "$");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::subscription::ArtifactRef;

    proptest! {
        #[test]
        fn parser_and_pattern_agree(text in "([a-bB0_.-]|\\.\\.|/|:|a/b|a/b:c|ä|\n| ){0,5}") {
            let matches = Regex::new(ARTIFACT_REF).unwrap().is_match(&text);
            prop_assert_eq!(matches, text.parse::<ArtifactRef>().is_ok());
        }
    }
}
