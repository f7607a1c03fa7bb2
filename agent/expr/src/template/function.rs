//! The table of functions: names, arguments and what becomes of them.

use minijinja::value::Value;

use super::call::{collection, compare, convert, escape, event, text};
use crate::suggest;

/// What a function's result says about its arguments: a linter follows values of events into scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Yields {
    /// Text or data made of the arguments.
    Data,
    /// The arguments, safe as one word of a POSIX shell.
    Quoted,
    /// The arguments, in characters that mean nothing to a shell.
    Plain,
    /// A boolean or a number.
    Test,
}

/// What a function makes of its arguments, or why not.
pub(crate) type Implementation = fn(&[Value]) -> Result<Value, CallError>;

/// Why a call fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The arguments make no sense.
    Value(String),
    /// A field on the way is missing.
    Missing(String),
}

impl From<String> for CallError {
    fn from(message: String) -> Self {
        Self::Value(message)
    }
}

/// A function of the language.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// The call as documentation writes it.
    pub(crate) usage: &'static str,
    min: usize,
    max: usize,
    /// A piped value goes in front of the arguments instead of behind them.
    pub(crate) piped_first: bool,
    /// Fields that its arguments name may be missing.
    pub(crate) lenient: bool,
    pub(crate) yields: Yields,
    pub(crate) implementation: Implementation,
}

impl Function {
    pub(crate) fn accepts(&self, args: usize) -> bool {
        (self.min..=self.max).contains(&args)
    }

    /// `2 arguments`, `at least 1 argument`.
    pub(crate) fn arity(&self) -> String {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        match (self.min, self.max) {
            (min, max) if min == max => format!("{min} argument{}", plural(min)),
            (min, MANY) => format!("at least {min} argument{}", plural(min)),
            (min, max) => format!("{min} to {max} arguments"),
        }
    }

    const fn piped_first(mut self) -> Self {
        self.piped_first = true;
        self
    }

    const fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }
}

/// No upper bound but that of the parser.
const MANY: usize = usize::MAX;

const fn function(
    name: &'static str,
    usage: &'static str,
    arity: (usize, usize),
    yields: Yields,
    implementation: Implementation,
) -> Function {
    Function {
        name,
        usage,
        min: arity.0,
        max: arity.1,
        piped_first: false,
        lenient: false,
        yields,
        implementation,
    }
}

/// `and`, `or`, `not` and `if_then_else` become syntax before they are called.
fn syntax(_: &[Value]) -> Result<Value, CallError> {
    Err(CallError::Value("not callable".to_owned()))
}

static FUNCTIONS: &[Function] = {
    use Yields::{Data, Plain, Quoted, Test};
    &[
        function("shell_quote", "shell_quote s", (1, 1), Quoted, escape::shell_quote),
        function("json_escape", "json_escape s", (1, 1), Data, escape::json_escape),
        function("url_encode", "url_encode s", (1, 1), Plain, escape::url_encode),
        function("html_escape", "html_escape s", (1, 1), Data, escape::html_escape),
        function("event_field", "event_field path event", (2, 2), Data, event::event_field),
        function("event_has_field", "event_has_field path event", (2, 2), Test, event::event_has_field)
            .lenient(),
        function("event_filter", "event_filter substring event", (2, 2), Test, event::event_filter),
        function("default", "default fallback value", (2, 2), Data, collection::default).lenient(),
        function("empty", "empty value", (1, 1), Test, collection::empty).lenient(),
        function("trim", "trim s", (1, 1), Data, text::trim),
        function("upper", "upper s", (1, 1), Data, text::upper),
        function("lower", "lower s", (1, 1), Data, text::lower),
        function("replace", "replace old new s", (3, 3), Data, text::replace),
        function("contains", "contains part s", (2, 2), Test, text::contains),
        function("has_prefix", "has_prefix prefix s", (2, 2), Test, text::has_prefix),
        function("has_suffix", "has_suffix suffix s", (2, 2), Test, text::has_suffix),
        function("split", "split s separator", (2, 2), Data, text::split).piped_first(),
        function("join", "join list separator", (2, 2), Data, text::join).piped_first(),
        function("printf", "printf format value…", (1, MANY), Data, super::call::printf::printf),
        function("index", "index value key…", (1, MANY), Data, collection::index),
        function("to_string", "to_string value", (1, 1), Data, convert::to_string),
        function("to_int", "to_int value", (1, 1), Test, convert::to_int),
        function("to_float", "to_float value", (1, 1), Test, convert::to_float),
        function("to_bool", "to_bool value", (1, 1), Test, convert::to_bool),
        function("keys", "keys map", (1, 1), Data, collection::keys),
        function("values", "values map", (1, 1), Data, collection::values),
        function("range_map", "range_map map", (1, 1), Data, collection::range_map),
        function("len", "len value", (1, 1), Test, collection::length),
        function("length", "length value", (1, 1), Test, collection::length),
        function("first", "first list", (1, 1), Data, collection::first),
        function("last", "last list", (1, 1), Data, collection::last),
        function("if_then_else", "if_then_else condition yes no", (3, 3), Data, syntax),
        function("and", "and a b…", (1, MANY), Test, syntax),
        function("or", "or a b…", (1, MANY), Test, syntax),
        function("not", "not a", (1, 1), Test, syntax),
        function("eq", "eq a b…", (2, MANY), Test, compare::eq),
        function("ne", "ne a b", (2, 2), Test, compare::ne),
        function("lt", "lt a b", (2, 2), Test, compare::lt),
        function("le", "le a b", (2, 2), Test, compare::le),
        function("gt", "gt a b", (2, 2), Test, compare::gt),
        function("ge", "ge a b", (2, 2), Test, compare::ge),
    ]
};

/// The function called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// All functions.
pub(crate) fn all() -> &'static [Function] {
    FUNCTIONS
}

/// The hint where nothing is near.
pub(crate) const LISTED: &str = "docs/language.md lists the functions";

/// What to write instead of an unknown function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suggestion {
    /// Another name.
    Called(&'static str),
    /// Something else.
    Instead(&'static str),
}

/// What to write instead of an unknown function.
pub(crate) fn suggestion(name: &str) -> Suggestion {
    use Suggestion::{Called, Instead};
    // Names people bring from Sprig, Helm, Jinja and GitHub Actions.
    match name {
        "quote" | "squote" | "shellquote" | "shquote" => Called("shell_quote"),
        "toUpper" | "uppercase" => Called("upper"),
        "toLower" | "lowercase" => Called("lower"),
        "ternary" | "iif" => Called("if_then_else"),
        "hasPrefix" | "startsWith" | "startswith" => Called("has_prefix"),
        "hasSuffix" | "endsWith" | "endswith" => Called("has_suffix"),
        "int" | "atoi" => Called("to_int"),
        "float" | "float64" => Called("to_float"),
        "toString" | "string" => Called("to_string"),
        "count" | "size" => Called("length"),
        "format" => Called("printf"),
        "urlencode" | "urlquery" => Called("url_encode"),
        "escape" | "e" | "html" => Called("html_escape"),
        "coalesce" => Called("default"),
        "toJson" | "toJSON" | "tojson" | "to_json" | "toPrettyJson" | "json" => {
            Instead("lists and maps print as JSON by themselves: leave it out")
        }
        "hashFiles" => Instead("name the files with `cache_key_files` of the step"),
        "fromJson" | "fromJSON" | "fromjson" => Instead("read JSON in the script, for example with jq"),
        "success" | "failure" | "always" | "cancelled" => Instead("how a run stands is asked in `if`"),
        "now" | "date" => {
            Instead("the time of the event is `event.timestamp`; for another use `date` in the script")
        }
        "env" => Instead("write `.env.NAME`"),
        _ => {
            let names = FUNCTIONS.iter().map(|function| function.name);
            suggest::closest(name, names).map_or(Instead(LISTED), Called)
        }
    }
}
