//! `semver.*`: versions in expressions. They come from outside, so a leading `v` is tolerated.

use std::cell::Cell;

use cel_interpreter::ExecutionError;
use cel_interpreter::common::types::{CelBool, CelInt, CelString};
use cel_interpreter::common::value::CowVal;
use semver::{Version, VersionReq};

/// Decides whether a version lies in a range: `(range, version)`. The range's grammar belongs to the caller.
pub type Satisfies = fn(&str, &str) -> Result<bool, String>;

/// How version ranges are read.
#[derive(Clone, Copy, Debug)]
pub struct Semver {
    /// Decides `semver.satisfies`.
    pub satisfies: Satisfies,
}

impl Default for Semver {
    fn default() -> Self {
        Self { satisfies: cargo_range }
    }
}

/// Ranges as the semver crate reads them, but for a bare version, which means exactly that version.
fn cargo_range(range: &str, version: &str) -> Result<bool, String> {
    let range = range.trim();
    let exact = range.starts_with(|c: char| c.is_ascii_digit());
    let range = if exact { format!("={range}") } else { range.to_owned() };
    let range = VersionReq::parse(&range).map_err(|error| format!("`{range}` is not a range: {error}"))?;
    Ok(range.matches(&parse(version)?))
}

thread_local! {
    static SATISFIES: Cell<Satisfies> = const { Cell::new(cargo_range) };
}

/// Sets how this thread reads ranges; done before each evaluation.
pub(crate) fn install(semver: Semver) {
    SATISFIES.set(semver.satisfies);
}

fn parse(text: &str) -> Result<Version, String> {
    let text = text.trim();
    let plain = text.strip_prefix(['v', 'V']).unwrap_or(text);
    Version::parse(plain).map_err(|error| format!("`{}` is not a version: {error}", shortened(text)))
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

type Args<'b, 'v> = Vec<CowVal<'b, 'v>>;
type Outcome<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;
type Function = for<'b, 'v> fn(Args<'b, 'v>) -> Outcome<'b, 'v>;

/// A function's name, its number of texts and what it does.
pub(crate) const FUNCTIONS: [(&str, usize, Function); 7] = [
    ("major", 1, |args| number(&args, "semver.major", |version| version.major)),
    ("minor", 1, |args| number(&args, "semver.minor", |version| version.minor)),
    ("patch", 1, |args| number(&args, "semver.patch", |version| version.patch)),
    ("prerelease", 1, |args| {
        let version = version(&args, 0, "semver.prerelease")?;
        Ok(CowVal::owned(CelString::from(version.pre.as_str().to_owned())))
    }),
    ("compare", 2, |args| {
        let (a, b) = (version(&args, 0, "semver.compare")?, version(&args, 1, "semver.compare")?);
        Ok(CowVal::owned(CelInt::from(a.cmp_precedence(&b) as i64)))
    }),
    ("satisfies", 2, |args| {
        let (version, range) = (text(&args, 0)?, text(&args, 1)?);
        let satisfies = SATISFIES.get()(range, version);
        let satisfies =
            satisfies.map_err(|message| ExecutionError::function_error("semver.satisfies", message))?;
        Ok(CowVal::owned(CelBool::from(satisfies)))
    }),
    ("is_valid", 1, |args| Ok(CowVal::owned(CelBool::from(parse(text(&args, 0)?).is_ok())))),
];

fn text<'a>(args: &'a Args<'_, '_>, at: usize) -> Result<&'a str, ExecutionError> {
    let text = args.get(at).and_then(|arg| arg.downcast_ref::<CelString<'_>>());
    text.map(CelString::inner).ok_or(ExecutionError::MissingArgumentOrTarget)
}

fn version(args: &Args<'_, '_>, at: usize, function: &str) -> Result<Version, ExecutionError> {
    parse(text(args, at)?).map_err(|message| ExecutionError::function_error(function, message))
}

fn number<'b, 'v>(args: &Args<'_, '_>, function: &str, part: fn(&Version) -> u64) -> Outcome<'b, 'v> {
    let number = i64::try_from(part(&version(args, 0, function)?));
    let number = number.map_err(|_| ExecutionError::function_error(function, "the number is too large"))?;
    Ok(CowVal::owned(CelInt::from(number)))
}
