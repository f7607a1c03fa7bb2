//! Ranges of versions: one grammar, read when a file is loaded and used when an event is matched.
//!
//! A range is an exact version, one or more comparators (`^`, `~`, `>=`, `>`, `<=`, `<`) that must all hold, or an
//! interval (`[1.0.0...2.0.0)`). Every version in it has three parts. Pre-releases follow the semver crate:
//! one is in a range only if the range itself names a pre-release of the same three numbers.

mod interval;
mod repair;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use semver::{Comparator, Op, Version, VersionReq};
use serde::{Deserialize, Serialize};

use interval::Interval;
pub use repair::{repaired, repaired_version};

/// No range and no version is longer.
const MAX_LEN: usize = 256;

/// Versions that are understood, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct VersionRange {
    written: String,
    bounds: Bounds,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Bounds {
    #[default]
    Any,
    Comparators(VersionReq),
    Interval(Interval),
}

/// A version, from outside this repository, that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a version")]
pub struct VersionError {
    /// What was found.
    pub found: String,
}

impl VersionError {
    /// What its producer can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        "a version has three numbers, like 1.2.0"
    }
}

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Fewer or more than three parts, or a part that is no number.
    #[error("`{found}` is not a version with three numbers")]
    Version {
        /// What stands there.
        found: String,
        /// What stands before it.
        operator: &'static str,
    },
    /// A leading `v`.
    #[error("`{found}` begins with a `v`")]
    LeadingV {
        /// What stands there.
        found: String,
    },
    /// A form that other tools know and Tako refuses.
    #[error("`{found}` is not supported in a range")]
    Unsupported {
        /// What stands there.
        found: String,
        /// What to write instead.
        instead: &'static str,
    },
    /// An exact version beside something else.
    #[error("an exact version stands alone")]
    ExactCombined,
    /// A malformed interval.
    #[error("malformed interval: {0}")]
    Interval(&'static str),
    /// An interval that holds nothing.
    #[error("the interval is empty: its lower bound lies above its upper one")]
    Empty,
    /// An interval of one version, which it leaves out.
    #[error("both bounds are `{bound}`, and one of them is left out")]
    OnePoint {
        /// The version.
        bound: String,
    },
    /// An operator, or something else, without its version.
    #[error("no version stands behind `{operator}`")]
    NoVersion {
        /// What stands there.
        operator: &'static str,
    },
    /// Too long to be meant.
    #[error("the range is longer than {MAX_LEN} bytes or has more than 32 parts")]
    TooLong,
}

impl RangeError {
    /// What the reader can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Version { found, .. } if is_any_word(found) => {
                "leave `schema_version` out to accept any version".to_owned()
            }
            Self::Version { found, operator } => match (completed(found), *operator) {
                (None, _) => "write all three numbers, like `1.2.0`".to_owned(),
                (Some(full), "") => {
                    format!("write `{full}` for exactly that one, or `^{full}` for all that are compatible")
                }
                (Some(full), operator) => format!("write all three numbers: `{operator}{full}`"),
            },
            Self::LeadingV { found } => {
                format!("write `{}`", found.trim_start_matches(['v', 'V']))
            }
            Self::Unsupported { instead, .. } => (*instead).to_owned(),
            Self::ExactCombined => "use `>=` and `<`, or only the one version".to_owned(),
            Self::Interval(_) => "an interval looks like `[1.0.0...2.0.0)` or `(1.1.0...]`".to_owned(),
            Self::Empty => "swap the bounds".to_owned(),
            Self::OnePoint { bound } => format!("write `{bound}` alone"),
            Self::NoVersion { operator } => format!("write one, like `{operator}1.2.0`"),
            Self::TooLong => "use one interval".to_owned(),
        }
    }
}

/// `1.2` → `1.2.0`, for hints.
fn completed(found: &str) -> Option<String> {
    let parts: Vec<&str> = found.split('.').collect();
    let numbers = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    (numbers && parts.len() < 3).then(|| format!("{found}{}", ".0".repeat(3 - parts.len())))
}

/// Words of other tools for any version.
fn is_any_word(text: &str) -> bool {
    matches!(text, "latest" | "any" | "all" | "newest" | "stable" | "x" | "X")
}

impl VersionRange {
    /// Whether no release can be in the range: its comparators exclude each other. Ranges that name pre-releases are
    /// taken to hold something.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Bounds::Comparators(request) = &self.bounds else { return false };
        if request.comparators.iter().any(|comparator| !comparator.pre.is_empty()) {
            return false;
        }
        // Where comparators meet there is the largest of their lower bounds, or the patch behind it.
        let mut candidates = vec![Version::new(0, 0, 0)];
        for Comparator { major, minor, patch, .. } in &request.comparators {
            let (minor, patch) = (minor.unwrap_or_default(), patch.unwrap_or_default());
            candidates.push(Version::new(*major, minor, patch));
            candidates.extend(patch.checked_add(1).map(|patch| Version::new(*major, minor, patch)));
        }
        !candidates.iter().any(|version| request.matches(version))
    }

    /// Whether every version is in the range.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.bounds == Bounds::Any
    }

    /// The range as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Whether `version` is in the range. It comes from outside, so a leading `v` is tolerated, and an empty one
    /// means any.
    ///
    /// # Errors
    ///
    /// The version is malformed, whatever the range.
    pub fn matches(&self, version: &str) -> Result<bool, VersionError> {
        if version.trim().is_empty() {
            return Ok(true);
        }
        let version = foreign_version(version)?;
        Ok(match &self.bounds {
            Bounds::Any => true,
            Bounds::Comparators(req) => req.matches(&version),
            Bounds::Interval(interval) => interval.contains(&version),
        })
    }
}

/// A version that someone else wrote: blanks around it and a leading `v` are tolerated.
///
/// # Errors
///
/// It does not have three numbers.
pub fn foreign_version(text: &str) -> Result<Version, VersionError> {
    let trimmed = text.trim();
    let bare = trimmed.strip_prefix(['v', 'V']).unwrap_or(trimmed);
    let refuse = || VersionError { found: text.chars().take(MAX_LEN).collect() };
    if bare.len() > MAX_LEN {
        return Err(refuse());
    }
    Version::parse(bare).map_err(|_| refuse())
}

/// Whether `text` is three plain numbers, as producers write them.
#[must_use]
pub fn is_plain_version(text: &str) -> bool {
    text.len() <= MAX_LEN
        && Version::parse(text).is_ok_and(|version| version.pre.is_empty() && version.build.is_empty())
}

impl FromStr for VersionRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_LEN {
            return Err(RangeError::TooLong);
        }
        let trimmed = text.trim();
        let bounds = if trimmed.is_empty() {
            Bounds::Any
        } else if trimmed.starts_with(['[', '(']) || trimmed.ends_with([']', ')']) || trimmed.contains("...")
        {
            Bounds::Interval(interval::parse(trimmed)?)
        } else {
            Bounds::Comparators(comparators(trimmed)?)
        };
        Ok(Self { written: text.to_owned(), bounds })
    }
}

/// Operators, longest first.
const OPERATORS: [(&str, Op); 7] = [
    (">=", Op::GreaterEq),
    ("<=", Op::LessEq),
    (">", Op::Greater),
    ("<", Op::Less),
    ("^", Op::Caret),
    ("~", Op::Tilde),
    ("=", Op::Exact),
];

fn comparators(text: &str) -> Result<VersionReq, RangeError> {
    refuse_foreign_forms(text)?;
    let mut found = Vec::new();
    for part in text.split(',') {
        let mut rest = part.trim();
        if rest.is_empty() {
            return Err(RangeError::Unsupported {
                found: ",".to_owned(),
                instead: "a comma stands between two comparators",
            });
        }
        while !rest.is_empty() {
            let (sign, op, after) = OPERATORS
                .iter()
                .find_map(|(sign, op)| rest.strip_prefix(sign).map(|after| (*sign, *op, after.trim_start())))
                .unwrap_or(("", Op::Exact, rest));
            if after.is_empty() {
                return Err(RangeError::NoVersion { operator: sign });
            }
            let end = after.find(char::is_whitespace).unwrap_or(after.len());
            found.push(comparator(sign, op, &after[..end])?);
            rest = after[end..].trim_start();
        }
    }
    if found.len() > 32 {
        return Err(RangeError::TooLong);
    }
    if found.len() > 1 && found.iter().any(|comparator| comparator.op == Op::Exact) {
        return Err(RangeError::ExactCombined);
    }
    Ok(VersionReq { comparators: found })
}

fn comparator(sign: &'static str, op: Op, text: &str) -> Result<Comparator, RangeError> {
    let version = version(text).map_err(|error| match error {
        RangeError::Version { found, .. } => RangeError::Version { found, operator: sign },
        other => other,
    })?;
    Ok(Comparator {
        op,
        major: version.major,
        minor: Some(version.minor),
        patch: Some(version.patch),
        pre: version.pre,
    })
}

/// A version inside a range: no `v`, three parts.
fn version(text: &str) -> Result<Version, RangeError> {
    if text.starts_with(['v', 'V']) && Version::parse(&text[1..]).is_ok() {
        return Err(RangeError::LeadingV { found: text.to_owned() });
    }
    Version::parse(text).map_err(|_| RangeError::Version { found: text.to_owned(), operator: "" })
}

/// Forms of npm, Cargo and Maven that are refused, with the way to say it here.
fn refuse_foreign_forms(text: &str) -> Result<(), RangeError> {
    const FORMS: [(&str, &str); 8] = [
        ("=>", "write `>=`"),
        ("=<", "write `<=`"),
        ("!=", "exclude a version with two subscriptions, or a filter on `schema_version`"),
        ("||", "write one subscription for each alternative"),
        ("==", "write the version alone for exactly that one"),
        ("~>", "write `~1.2.0` or `>=1.2.0 <2.0.0`"),
        (" - ", "write an interval: `[1.0.0...2.0.0]`"),
        ("..", "an interval has three dots and brackets: `[1.0.0...2.0.0)`"),
    ];
    for (form, instead) in FORMS {
        if text.contains(form) {
            return Err(RangeError::Unsupported { found: form.trim().to_owned(), instead });
        }
    }
    let wildcard = text
        .split(|c: char| c.is_whitespace() || ",<>=^~".contains(c))
        .find(|version| version.split('.').any(|part| matches!(part, "*" | "x" | "X")));
    match wildcard {
        Some("*") => Err(RangeError::Unsupported {
            found: "*".to_owned(),
            instead: "leave `schema_version` out to accept any version",
        }),
        Some(found) => Err(RangeError::Unsupported {
            found: found.to_owned(),
            instead: "write `^1.0.0` for all of 1, or `~1.2.0` for all of 1.2",
        }),
        None => Ok(()),
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl From<VersionRange> for String {
    fn from(range: VersionRange) -> Self {
        range.written
    }
}

impl TryFrom<String> for VersionRange {
    type Error = RangeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
