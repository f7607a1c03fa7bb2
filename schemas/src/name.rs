//! The names a file may give to things, each kind with its pattern.

/// What is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// An artifact.
    Artifact,
    /// A workflow.
    Workflow,
    /// An output of a step.
    Output,
    /// An input of a workflow.
    Input,
    /// A step's id.
    Step,
    /// A short event type.
    EventType,
    /// An environment variable.
    Env,
}

impl Name {
    /// The pattern in the dialect of JSON Schema.
    #[must_use]
    pub const fn pattern(self) -> &'static str {
        match self {
            Self::Artifact | Self::Workflow | Self::Output => "^[a-zA-Z][a-zA-Z0-9_-]*$",
            Self::Input => "^[A-Za-z_][A-Za-z0-9_-]*$",
            Self::Step => "^[A-Za-z_][A-Za-z0-9_-]{0,63}$",
            Self::EventType => "^[a-z][a-z0-9_]*$",
            Self::Env => "^[^=\\s\\x00-\\x1f\\x7f-\\x9f]+$",
        }
    }

    /// What is named, with its article.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Artifact => "an artifact name",
            Self::Workflow => "a workflow name",
            Self::Output => "an output name",
            Self::Input => "an input name",
            Self::Step => "a step id",
            Self::EventType => "an event type",
            Self::Env => "the name of an environment variable",
        }
    }

    /// What such a name consists of.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Artifact | Self::Workflow | Self::Output => {
                "begin with a letter; letters, digits, `_` and `-` may follow"
            }
            Self::Input => "begin with a letter or `_`; letters, digits, `_` and `-` may follow",
            Self::Step => "begin with a letter or `_`; up to 63 letters, digits, `_` and `-` may follow",
            Self::EventType => "begin with a small letter; small letters, digits and `_` may follow",
            Self::Env => "use neither `=` nor white space",
        }
    }

    /// The name of that kind that `text` most likely means: `tests-passed` as an event type is `tests_passed`.
    #[must_use]
    pub fn repaired(self, text: &str) -> Option<String> {
        let small = self == Self::EventType;
        let mut repaired = String::new();
        for c in text.trim().chars().take(64) {
            match c {
                // Words run together: `LibraryBuilt`.
                'A'..='Z' if small => {
                    if repaired.ends_with(|c: char| c.is_ascii_lowercase()) {
                        repaired.push('_');
                    }
                    repaired.push(c.to_ascii_lowercase());
                }
                '-' if small => repaired.push('_'),
                'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => repaired.push(c),
                ' ' | '.' | '/' | ':' => repaired.push(if small { '_' } else { '-' }),
                _ => return None,
            }
        }
        (self != Self::Env && repaired != text && self.matches(&repaired)).then_some(repaired)
    }

    /// Whether `text` is such a name.
    #[must_use]
    pub fn matches(self, text: &str) -> bool {
        let mut bytes = text.bytes();
        let Some(first) = bytes.next() else { return false };
        match self {
            Self::Artifact | Self::Workflow | Self::Output => {
                first.is_ascii_alphabetic() && bytes.all(is_word)
            }
            Self::Input => (first.is_ascii_alphabetic() || first == b'_') && bytes.all(is_word),
            Self::Step => {
                text.len() <= 64 && (first.is_ascii_alphabetic() || first == b'_') && bytes.all(is_word)
            }
            Self::EventType => {
                first.is_ascii_lowercase()
                    && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            }
            Self::Env => !text.contains(|c: char| c == '=' || c.is_whitespace() || c.is_control()),
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    const ALL: [Name; 7] =
        [Name::Artifact, Name::Workflow, Name::Output, Name::Input, Name::Step, Name::EventType, Name::Env];

    #[test]
    fn names() {
        let cases = [
            (Name::Artifact, "go-lib", true),
            (Name::Artifact, "1lib", false),
            (Name::Workflow, "_ci", false),
            (Name::Workflow, "ci/cd", false),
            (Name::Input, "version-bump", true),
            (Name::Input, "_x", true),
            (Name::Step, "step-1", true),
            (Name::Step, "a.b", false),
            (Name::EventType, "library_built", true),
            (Name::EventType, "Library", false),
            (Name::EventType, "library-built", false),
            (Name::Env, "npm_config_//registry", true),
            (Name::Env, "A B", false),
            (Name::Env, "A=B", false),
            (Name::Output, "", false),
        ];
        for (kind, text, good) in cases {
            assert_eq!(kind.matches(text), good, "{kind:?} {text:?}");
        }
    }

    proptest! {
        #[test]
        fn matcher_and_pattern_agree(text in "[a-cA-C0-2_=. \t-]{0,5}") {
            for kind in ALL {
                prop_assert_eq!(kind.matches(&text), Regex::new(kind.pattern()).unwrap().is_match(&text));
            }
        }
    }
}
