//! Functions beyond the standard ones, and the environment that holds them all.
//!
//! Everything that makes text is bounded, and pays for what it makes.

use std::sync::{Arc, OnceLock};

use cel_interpreter::common::types::{
    CelBool, CelInt, CelList, CelString, DYN_TYPE, INT_TYPE, LIST_TYPE, STRING_TYPE, Type,
};
use cel_interpreter::common::value::{CowVal, Val};
use cel_interpreter::{DeclarationError, Env, ExecutionError};

use super::error::Limit;
use super::{meter, semver};

type Args<'b, 'v> = Vec<CowVal<'b, 'v>>;
type Outcome<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;
type Function = for<'b, 'v> fn(Args<'b, 'v>) -> Outcome<'b, 'v>;

/// Names of the standard library that may be called.
pub(crate) const STANDARD: [&str; 24] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "bytes",
    "type",
    "timestamp",
    "duration",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
];
/// Names that the parser expands.
pub(crate) const MACROS: [&str; 6] = ["has", "all", "exists", "exists_one", "map", "filter"];

/// The type of an argument.
#[derive(Clone, Copy)]
enum Arg {
    Int,
    List,
    Text,
}

impl Arg {
    const fn cel(self) -> Type {
        match self {
            Self::Int => INT_TYPE,
            Self::List => LIST_TYPE,
            Self::Text => STRING_TYPE,
        }
    }
}

/// Functions of texts, callable as `s.trim()` and as `trim(s)`.
const STRINGS: [(&str, &[Arg], Function); 15] = {
    use Arg::{Int, List, Text};
    [
        ("split", &[Text, Text], |args| split(&args, None)),
        ("split", &[Text, Text, Int], |args| split(&args, Some(int(&args, 2)?))),
        ("join", &[List], |args| join(&args, "")),
        ("join", &[List, Text], |args| join(&args, text(&args, 1)?)),
        ("trim", &[Text], |args| made(text(&args, 0)?.trim().to_owned())),
        ("lowerAscii", &[Text], |args| made(text(&args, 0)?.to_ascii_lowercase())),
        ("upperAscii", &[Text], |args| made(text(&args, 0)?.to_ascii_uppercase())),
        ("lower", &[Text], |args| made(text(&args, 0)?.to_lowercase())),
        ("upper", &[Text], |args| made(text(&args, 0)?.to_uppercase())),
        ("replace", &[Text, Text, Text], |args| replace(&args, None)),
        ("replace", &[Text, Text, Text, Int], |args| replace(&args, Some(int(&args, 3)?))),
        ("substring", &[Text, Int], |args| substring(&args, int(&args, 1)?, None)),
        ("substring", &[Text, Int, Int], |args| substring(&args, int(&args, 1)?, Some(int(&args, 2)?))),
        ("indexOf", &[Text, Text], |args| index_of(&args, 0)),
        ("indexOf", &[Text, Text, Int], |args| index_of(&args, int(&args, 2)?)),
    ]
};

/// The names of our functions of texts.
pub(crate) fn strings() -> impl Iterator<Item = &'static str> {
    STRINGS.iter().map(|(name, ..)| *name)
}

/// How many texts and numbers one of them takes, the text in front of the dot included; none where it is not ours.
pub(crate) fn arities(name: &str) -> Vec<usize> {
    STRINGS.iter().filter(|(known, ..)| *known == name).map(|(_, args, _)| args.len()).collect()
}

/// The environment of every evaluation, built once.
///
/// # Errors
///
/// When two functions have the same signature.
pub(crate) fn environment() -> Result<Arc<Env>, DeclarationError> {
    static ENVIRONMENT: OnceLock<Result<Arc<Env>, DeclarationError>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| build().map(Arc::new)).clone()
}

fn build() -> Result<Env, DeclarationError> {
    let mut env = Env::default().with_optional_support(false).with_stdlib();
    for (at, (name, types, function)) in STRINGS.into_iter().enumerate() {
        let id = format!("tako_{name}_{at}");
        let all = |types: &[Arg]| types.iter().map(|&arg| arg.cel()).collect();
        env.add_overload(name, &id, all(types), function)?;
        if let [target, rest @ ..] = types {
            env.add_member_overload(name, &format!("{id}_member"), target.cel(), all(rest), function)?;
        }
    }
    for (name, texts, function) in semver::FUNCTIONS {
        let types = (0..texts).map(|_| STRING_TYPE).collect();
        env.add_overload(&format!("semver.{name}"), &format!("semver_{name}"), types, function)?;
    }
    env.add_overload("@tick", "tick", vec![DYN_TYPE], meter::tick)?;
    env.add_overload("@copied", "copied", vec![DYN_TYPE], meter::copied)?;
    env.add_overload("@add", "add", vec![DYN_TYPE, DYN_TYPE], |args| meter::add(&args))?;
    env.add_overload("@matches", "matches", vec![STRING_TYPE, STRING_TYPE], |args| matches(&args))?;
    Ok(env)
}

fn wrong(message: impl ToString) -> ExecutionError {
    ExecutionError::function_error("function", message)
}

fn text<'a>(args: &'a Args<'_, '_>, at: usize) -> Result<&'a str, ExecutionError> {
    let text = args.get(at).and_then(|arg| arg.downcast_ref::<CelString<'_>>());
    let text = text.map(CelString::inner).ok_or(ExecutionError::MissingArgumentOrTarget)?;
    meter::spend(1, meter::text_cost(text.len()))?;
    Ok(text)
}

fn int(args: &Args<'_, '_>, at: usize) -> Result<i64, ExecutionError> {
    let int = args.get(at).and_then(|arg| arg.downcast_ref::<CelInt>());
    int.map(|int| *int.inner()).ok_or(ExecutionError::MissingArgumentOrTarget)
}

/// A text that was made.
fn made<'b, 'v>(text: String) -> Outcome<'b, 'v> {
    within(text.len())?;
    meter::spend(1, meter::text_cost(text.len()))?;
    Ok(CowVal::owned(CelString::from(text)))
}

fn within(bytes: usize) -> Result<(), ExecutionError> {
    if bytes > Limit::Text.bound() { Err(meter::exceed(Limit::Text)) } else { Ok(()) }
}

/// At most `limit` parts; a negative limit is none.
fn split<'b, 'v>(args: &Args<'_, '_>, limit: Option<i64>) -> Outcome<'b, 'v> {
    let (whole, separator) = (text(args, 0)?, text(args, 1)?);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let parts: Vec<&str> = match limit {
        Some(0) => Vec::new(),
        _ if separator.is_empty() => {
            let ends = whole.char_indices().map(|(at, c)| &whole[at..at + c.len_utf8()]);
            let most = limit.unwrap_or(usize::MAX);
            let mut parts: Vec<&str> = ends.take(most - 1).collect();
            let used: usize = parts.iter().map(|part| part.len()).sum();
            parts.extend(Some(&whole[used..]).filter(|rest| !rest.is_empty()));
            parts
        }
        Some(limit) => whole.splitn(limit, separator).collect(),
        None => whole.split(separator).collect(),
    };
    meter::spend(1, parts.len())?;
    let parts: Vec<Box<dyn Val + 'v>> = parts
        .into_iter()
        .map(|part| -> Box<dyn Val + 'v> { Box::new(CelString::from(part.to_owned())) })
        .collect();
    Ok(CowVal::owned(CelList::from(parts)))
}

fn join<'b, 'v>(args: &Args<'_, '_>, separator: &str) -> Outcome<'b, 'v> {
    let list = args.first().and_then(|arg| arg.downcast_ref::<CelList<'_>>());
    let list = list.ok_or(ExecutionError::MissingArgumentOrTarget)?;
    let mut out = String::new();
    for (at, item) in list.inner().iter().enumerate() {
        let item =
            item.downcast_ref::<CelString<'_>>().ok_or_else(|| wrong("`join` needs a list of strings"))?;
        if at > 0 {
            out.push_str(separator);
        }
        out.push_str(item.inner());
        within(out.len())?;
    }
    made(out)
}

/// At most `limit` times; a negative limit is none.
fn replace<'b, 'v>(args: &Args<'_, '_>, limit: Option<i64>) -> Outcome<'b, 'v> {
    let (whole, old, new) = (text(args, 0)?, text(args, 1)?, text(args, 2)?);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let times = whole.matches(old).count().min(limit);
    within(whole.len().saturating_add(times.saturating_mul(new.len().saturating_sub(old.len()))))?;
    made(whole.replacen(old, new, limit))
}

/// Characters `start` up to and without `end`.
fn substring<'b, 'v>(args: &Args<'_, '_>, start: i64, end: Option<i64>) -> Outcome<'b, 'v> {
    let whole = text(args, 0)?;
    let outside = || wrong(format!("`substring` from {start} lies outside the text"));
    let offset = |at: i64| {
        let at = usize::try_from(at).ok()?;
        let mut ends = whole.char_indices().map(|(offset, _)| offset).chain(Some(whole.len()));
        ends.nth(at)
    };
    let from = offset(start).ok_or_else(outside)?;
    let to = end.map_or(Some(whole.len()), offset).filter(|to| from <= *to).ok_or_else(outside)?;
    made(whole[from..to].to_owned())
}

/// The place, in characters, of the first occurrence at or behind `from`; -1 if there is none.
fn index_of<'b, 'v>(args: &Args<'_, '_>, from: i64) -> Outcome<'b, 'v> {
    let (whole, part) = (text(args, 0)?, text(args, 1)?);
    let mut ends = whole.char_indices().map(|(offset, _)| offset).chain(Some(whole.len()));
    let start = usize::try_from(from).ok().and_then(|from| ends.nth(from));
    let start = start.ok_or_else(|| wrong(format!("`indexOf` from {from} lies outside the text")))?;
    let found = whole[start..].find(part).map(|at| whole[..start + at].chars().count());
    Ok(CowVal::owned(CelInt::from(found.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1))))
}

/// `matches`, with a bound on the compiled expression.
fn matches<'b, 'v>(args: &Args<'_, '_>) -> Outcome<'b, 'v> {
    const COMPILED: usize = 256 << 10;
    let (whole, pattern) = (text(args, 0)?, text(args, 1)?);
    // Compiling costs more than matching.
    meter::spend(1, COMPILED / 64)?;
    let regex = regex::RegexBuilder::new(pattern).size_limit(COMPILED).nest_limit(50).build();
    let regex = regex.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => meter::exceed(Limit::Text),
        error => wrong(format!("not a regular expression: {}", error.to_string().replace('\n', " "))),
    })?;
    Ok(CowVal::owned(CelBool::from(regex.is_match(whole))))
}
