//! Every diagnostic code with its one-line meaning. A code is never used again for something else.
//!
//! `TK00xx` is about YAML itself, `TK01xx` about structure and types, `TK02xx` about names and references,
//! `TK03xx` about templates, CEL and built-in steps.

macro_rules! codes {
    ($(#[doc = $meaning:literal] $name:ident = $code:literal;)*) => {
        $(#[doc = $meaning] pub const $name: &str = $code;)*

        /// All codes with their meanings, in order.
        pub const ALL: &[(&str, &str)] = &[$(($code, $meaning)),*];
    };
}

codes! {
    /// the file is not valid YAML
    SYNTAX = "TK0001";
    /// the file is larger than 1 MiB
    TOO_LARGE = "TK0002";
    /// aliases expand to more than 100,000 nodes or 10 MB
    EXPANDS_TOO_FAR = "TK0003";
    /// the nesting is deeper than 64 levels
    TOO_DEEP = "TK0004";
    /// a key stands twice in one mapping
    DUPLICATE_KEY = "TK0005";
    /// the file holds more than one document, or a directive
    SEVERAL_DOCUMENTS = "TK0006";
    /// a template that is not quoted
    UNQUOTED_TEMPLATE = "TK0007";
    /// an alias without an anchor before it
    UNKNOWN_ANCHOR = "TK0008";
    /// a merge key whose value is not a mapping
    WRONG_MERGE = "TK0009";
    /// a key that is not a plain text
    WRONG_KEY = "TK0010";
    /// a tag other than those of YAML's core schema, or one that does not fit its value
    WRONG_TAG = "TK0011";
    /// a control character
    CONTROL_CHARACTER = "TK0012";
    /// a tab where YAML wants blanks
    TAB = "TK0013";

    /// a key that means nothing here
    UNKNOWN_KEY = "TK0101";
    /// a required key is missing
    MISSING_KEY = "TK0102";
    /// a value of the wrong type
    WRONG_TYPE = "TK0103";
    /// a step without exactly one of `run` and `uses`
    RUN_AND_USES = "TK0104";
    /// a value that is not one of those allowed
    NOT_ALLOWED = "TK0105";
    /// a malformed duration
    DURATION = "TK0106";
    /// a malformed amount of CPU, memory or disk
    QUANTITY = "TK0107";
    /// a malformed version range
    RANGE = "TK0108";
    /// a version that is not three plain numbers
    VERSION = "TK0109";
    /// a malformed number, or one out of its bounds
    NUMBER = "TK0110";
    /// nothing where something is required
    EMPTY = "TK0111";
    /// more entries than allowed
    TOO_MANY = "TK0112";
    /// a malformed environment variable
    ENV = "TK0113";
    /// a validation that does not fit its input's type
    VALIDATION = "TK0114";
    /// a default that its own input would refuse
    DEFAULT = "TK0115";
    /// a regular expression that does not compile
    PATTERN = "TK0116";
    /// an output's source that is malformed
    OUTPUT_SOURCE = "TK0117";
    /// an unknown trigger
    TRIGGER = "TK0118";
    /// a malformed repository reference
    REPOSITORY = "TK0119";
    /// a malformed artifact reference
    ARTIFACT_REF = "TK0120";
    /// a malformed cron expression
    CRON = "TK0121";
    /// `with` beside `run`
    WITH_WITHOUT_USES = "TK0122";
    /// one thing said under two spellings of its key
    TWO_SPELLINGS = "TK0123";
    /// a workflow without steps
    NO_STEPS = "TK0124";

    /// a malformed name
    NAME = "TK0201";
    /// two steps of one workflow share an id
    DUPLICATE_STEP = "TK0202";
    /// a workflow that this file does not declare
    UNKNOWN_WORKFLOW = "TK0203";
    /// an artifact that this file does not declare
    UNKNOWN_ARTIFACT = "TK0204";

    /// a template that does not compile
    TEMPLATE = "TK0301";
    /// a path whose first segment does not exist there
    UNKNOWN_ROOT = "TK0302";
    /// a step that the workflow does not have
    UNKNOWN_STEP = "TK0303";
    /// a malformed shell
    SHELL = "TK0304";
    /// a CEL expression that does not compile
    CEL = "TK0305";
    /// a built-in step that does not exist
    UNKNOWN_USES = "TK0306";
    /// a parameter that its built-in step does not take, or a missing one
    PARAMETER = "TK0307";
    /// something that this version cannot do, without which the run would mean something else
    UNSUPPORTED = "TK0310";
    /// something that this version does not honour
    WITHOUT_EFFECT = "TK0311";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_are_unique_and_ascending() {
        assert!(ALL.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(ALL.iter().all(|(code, meaning)| code.len() == 6 && !meaning.trim().is_empty()));
    }
}
