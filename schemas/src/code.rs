//! Every diagnostic code with its one-line meaning. A code is never used again for something else.
//!
//! `TK00xx` is about YAML itself, `TK01xx` about structure and types, `TK02xx` about names and references,
//! `TK03xx` about templates, CEL and built-in steps; these keep a file from loading, or warn whoever runs it. The
//! linter's own are `TK04xx` about what a file means, `TK05xx` about security, `TK06xx` about practice, `TK07xx` about
//! a whole repository set, and `TK08xx` about two versions of a file.

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

    /// an output that its step does not have
    UNKNOWN_OUTPUT = "TK0401";
    /// a value of a step that has not run yet
    LATER_STEP = "TK0402";
    /// an input that the workflow does not declare
    UNDECLARED_INPUT = "TK0403";
    /// `event` in a workflow that no event starts
    EVENT_WITHOUT_TRIGGER = "TK0404";
    /// a workflow that nothing starts
    NEVER_STARTED = "TK0405";
    /// values of different types are compared or combined
    TYPES = "TK0406";
    /// a condition or filter that can never be true
    NEVER_TRUE = "TK0407";
    /// a condition or filter that is always true
    ALWAYS_TRUE = "TK0408";
    /// a condition or filter that gives no boolean
    NOT_BOOLEAN = "TK0409";
    /// a comparison with a text that the value cannot have
    IMPOSSIBLE_TEXT = "TK0410";
    /// a malformed pattern, version or range in an expression
    LITERAL = "TK0411";
    /// a field that the value does not have
    UNKNOWN_FIELD = "TK0412";
    /// an input that nothing uses
    UNUSED_INPUT = "TK0413";
    /// an input that is required and has a default
    REQUIRED_WITH_DEFAULT = "TK0414";
    /// a fan-out of an event that no step before it records
    NOT_RECORDED = "TK0415";
    /// an event that is recorded and never delivered
    NOT_DELIVERED = "TK0416";
    /// a fan-out that waits without a limit
    UNLIMITED_WAIT = "TK0417";
    /// a setting of a fan-out that only counts while it waits
    NOT_WAITING = "TK0418";
    /// a file that may be gone after a waiting fan-out
    LOST_FILE = "TK0419";
    /// a container setting of a step without an image
    WITHOUT_IMAGE = "TK0420";
    /// a setting for scripts on a built-in step
    ONLY_FOR_SCRIPTS = "TK0421";
    /// an entry that stands twice in a list
    REPEATED = "TK0422";
    /// a subscription behind one that always takes its events
    SHADOWED = "TK0423";
    /// a subscription gives an input that its workflow does not declare
    UNDECLARED_MAPPING = "TK0424";
    /// a subscription leaves out an input that its workflow requires
    MISSING_MAPPING = "TK0425";
    /// a subscription gives an input a value that it refuses
    WRONG_MAPPING = "TK0426";
    /// an artifact that no step makes
    UNMADE_ARTIFACT = "TK0427";
    /// a path that leaves the workspace
    OUTSIDE = "TK0428";
    /// a malformed glob
    GLOB = "TK0429";
    /// patterns of a trigger that leave nothing
    NOTHING_LEFT = "TK0430";
    /// an unknown time zone
    TIMEZONE = "TK0431";
    /// a schedule that is never due
    NEVER_DUE = "TK0432";
    /// a limit that a shorter one makes pointless
    POINTLESS_LIMIT = "TK0433";
    /// a retry that never tries again
    ONE_ATTEMPT = "TK0434";
    /// a template where none is rendered
    NOT_RENDERED = "TK0435";
    /// an expression of another system
    FOREIGN_EXPRESSION = "TK0436";
    /// a workflow command of another system
    FOREIGN_COMMAND = "TK0437";
    /// a script that does nothing
    EMPTY_SCRIPT = "TK0438";
    /// a version range that no version fits
    EMPTY_RANGE = "TK0439";
    /// a secret that no step is given
    UNUSED_SECRET = "TK0440";
    /// a subscription that is switched off
    SWITCHED_OFF = "TK0441";
    /// an output of a step that may have none
    UNCERTAIN_OUTPUT = "TK0442";
    /// a depth limit that is looser than the usual one
    LOOSE_DEPTH = "TK0443";
    /// a JSON Schema that is not one
    EVENT_SCHEMA = "TK0451";
    /// a JSON Schema that is not there
    SCHEMA_FILE = "TK0452";
    /// a payload that its event's JSON Schema refuses
    PAYLOAD = "TK0453";
    /// a version of an event that is not declared
    EVENT_VERSION = "TK0454";
    /// a version of an event that is deprecated
    DEPRECATED_VERSION = "TK0455";
    /// an event that is declared and never emitted
    UNEMITTED = "TK0456";
    /// an event that is emitted and not declared
    UNDECLARED_EVENT = "TK0457";

    /// a value of an event in a script, unquoted
    UNQUOTED_EVENT = "TK0501";
    /// an input in a script, unquoted
    UNQUOTED_INPUT = "TK0502";
    /// `shell_quote` inside of quotes
    QUOTED_TWICE = "TK0503";
    /// `shell_quote` in a script that is no shell's
    NOT_A_SHELL = "TK0504";
    /// an image or a directory that an event chooses
    CHOSEN_BY_EVENT = "TK0505";
    /// a value of an event in what later steps get as their environment
    ENV_INJECTION = "TK0506";
    /// a variable that changes what programs run
    ENV_NAME = "TK0507";
    /// a secret in a template
    SECRET_IN_TEMPLATE = "TK0508";
    /// a credential in the file
    HARD_CODED = "TK0509";
    /// a secret among the arguments of a command
    SECRET_ARGUMENT = "TK0510";
    /// the network of the host
    HOST_NETWORK = "TK0511";
    /// a capability that is as good as root
    CAPABILITY = "TK0512";
    /// the loosest security profile
    PROFILE = "TK0513";
    /// a directory of the host that gives the host away
    HOST_DIRECTORY = "TK0514";
    /// a directory of the host that steps can change
    WRITABLE_VOLUME = "TK0515";
    /// an image without a version
    UNVERSIONED_IMAGE = "TK0516";
    /// an image without a digest
    NO_DIGEST = "TK0517";
    /// a plain-http URL
    PLAIN_HTTP = "TK0518";
    /// a URL with a password
    URL_PASSWORD = "TK0519";
    /// secrets in a workflow that pull requests start
    PULL_REQUEST_SECRETS = "TK0520";
    /// a script from the network that is run as it comes
    PIPE_TO_SHELL = "TK0521";
    /// certificates that are not checked
    NO_CERTIFICATES = "TK0522";
    /// a script that wants to be root
    ROOT = "TK0523";
    /// a shell that prints its commands where it has secrets
    TRACED_SECRET = "TK0524";
    /// files that everybody can change
    WORLD_WRITABLE = "TK0525";
    /// a secret that every step is given
    SECRET_FOR_ALL = "TK0526";
    /// a value of somebody else's event that nothing checks
    UNCHECKED_EVENT = "TK0527";
    /// the name of a secret that is not listed
    UNLISTED_SECRET = "TK0528";

    /// a workflow without a limit
    NO_TIMEOUT = "TK0601";
    /// outputs of a step without an id
    NO_ID = "TK0602";
    /// a step that is named by its position
    BY_POSITION = "TK0603";
    /// a text that other readers of YAML take for something else
    AMBIGUOUS_TEXT = "TK0604";
    /// a long script
    LONG_SCRIPT = "TK0605";
    /// another spelling of a key
    OTHER_SPELLING = "TK0606";
    /// braces around a condition
    BRACES = "TK0607";
    /// bash in a script for `sh`
    BASHISM = "TK0608";
    /// an event without a version
    NO_EVENT_VERSION = "TK0609";
    /// a schedule of every minute
    EVERY_MINUTE = "TK0610";
    /// a dear filter in front of a cheap one
    FILTER_ORDER = "TK0611";
    /// a pipe that hides a failure
    HIDDEN_FAILURE = "TK0612";
    /// an output that nothing uses
    UNUSED_OUTPUT = "TK0613";
    /// a comment that silences nothing
    USELESS_IGNORE = "TK0614";

    /// a subscription to an event that its source does not emit
    NO_PRODUCER = "TK0701";
    /// a subscription to a repository that is not in the set
    UNKNOWN_SOURCE = "TK0702";
    /// a subscription to an artifact that its source does not have
    NO_SUCH_ARTIFACT = "TK0703";
    /// an event that nobody in the set subscribes to
    NO_SUBSCRIBER = "TK0704";
    /// a range that holds none of the versions that are emitted
    NO_VERSION_FITS = "TK0705";
    /// a subscription to nothing but deprecated versions
    ONLY_DEPRECATED = "TK0706";
    /// a filter over a field that the event does not have
    FILTER_FIELD = "TK0707";
    /// an input from a field that the event does not have
    MAPPING_FIELD = "TK0708";
    /// a filter that does not fit what the event holds
    CONTRACT = "TK0709";
    /// a workflow that may start itself again
    CYCLE = "TK0710";
    /// a tree that is very deep
    DEEP_TREE = "TK0711";
    /// a tree of very many repositories
    WIDE_TREE = "TK0712";
    /// a dependent without the workflow that shall run there
    DEPENDENT_WORKFLOW = "TK0713";
    /// a dependent whose workflow requires an input that it is not given
    DEPENDENT_INPUT = "TK0714";
    /// a dependent that is not in the set
    UNKNOWN_DEPENDENT = "TK0715";
    /// a subscription to any version of an event that has versions
    ANY_VERSION = "TK0716";

    /// an event that is no longer emitted
    EVENT_GONE = "TK0801";
    /// a field that is no longer in an event
    FIELD_GONE = "TK0802";
    /// a field of an event with another type
    FIELD_RETYPED = "TK0803";
    /// a version of an event that is no longer there
    VERSION_GONE = "TK0804";
    /// an artifact that is no longer there
    ARTIFACT_GONE = "TK0805";
    /// a workflow that is no longer there
    WORKFLOW_GONE = "TK0806";
    /// an input that is newly required
    INPUT_REQUIRED = "TK0807";
    /// an input that is no longer there, or has another type
    INPUT_CHANGED = "TK0808";
    /// a field of an event that is newly deprecated
    FIELD_DEPRECATED = "TK0809";
    /// an event that has changed under the same version
    SAME_VERSION = "TK0810";
}

/// Where `code` is explained, with examples.
#[must_use]
pub fn reference(code: &str) -> String {
    format!("https://github.com/tako-ci/tako/blob/main/docs/checks.md#{}", code.to_ascii_lowercase())
}

/// The one-line meaning of `code`, if there is such a code.
#[must_use]
pub fn meaning(code: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == code).map(|(_, meaning)| meaning.trim())
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
