//! Intervals: `[1.0.0...2.0.0)`, a round bracket leaving its bound out, either end open.

use semver::Version;

use super::{RangeError, version};

/// Versions between two bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    lower: Option<Bound>,
    upper: Option<Bound>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    version: Version,
    inclusive: bool,
}

impl Interval {
    pub(super) fn contains(&self, version: &Version) -> bool {
        let above = self.lower.as_ref().is_none_or(|bound| {
            let order = version.cmp_precedence(&bound.version);
            order.is_gt() || (bound.inclusive && order.is_eq())
        });
        let below = self.upper.as_ref().is_none_or(|bound| {
            let order = version.cmp_precedence(&bound.version);
            order.is_lt() || (bound.inclusive && order.is_eq())
        });
        above && below && (version.pre.is_empty() || self.names_pre_release_of(version))
    }

    /// The semver crate's rule for comparators, applied to intervals.
    fn names_pre_release_of(&self, version: &Version) -> bool {
        [&self.lower, &self.upper].into_iter().flatten().any(|Bound { version: bound, .. }| {
            !bound.pre.is_empty()
                && (bound.major, bound.minor, bound.patch) == (version.major, version.minor, version.patch)
        })
    }
}

/// Reads an interval; `text` has no blanks around it.
pub(super) fn parse(text: &str) -> Result<Interval, RangeError> {
    let lower_inclusive = text.starts_with('[');
    let upper_inclusive = text.ends_with(']');
    let inner = text
        .strip_prefix(['[', '('])
        .ok_or(RangeError::Interval("it does not begin with `[` or `(`"))?
        .strip_suffix([']', ')'])
        .ok_or(RangeError::Interval("it does not end with `]` or `)`, or something follows it"))?;
    let (lower, upper) =
        inner.split_once("...").ok_or(RangeError::Interval("no `...` stands between its bounds"))?;
    if upper.contains("...") || inner.contains("....") {
        return Err(RangeError::Interval("more than one `...`"));
    }
    if inner.contains(['[', '(', ']', ')']) {
        return Err(RangeError::Interval("an interval stands alone"));
    }
    let bound = |text: &str, inclusive| match text.trim() {
        "" => Ok(None),
        text => version(text).map(|version| Some(Bound { version, inclusive })),
    };
    let interval = Interval { lower: bound(lower, lower_inclusive)?, upper: bound(upper, upper_inclusive)? };
    if let (Some(lower), Some(upper)) = (&interval.lower, &interval.upper) {
        let order = lower.version.cmp_precedence(&upper.version);
        if order.is_eq() && !(lower.inclusive && upper.inclusive) {
            return Err(RangeError::OnePoint { bound: lower.version.to_string() });
        }
        if order.is_gt() {
            return Err(RangeError::Empty);
        }
    }
    Ok(interval)
}
