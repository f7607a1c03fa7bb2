//! Patterns of branches and tags, as GitHub has them.
//!
//! `*` stops at `/`, `**` does not, `?` and `+` count what stands before them, `[…]` is one character of several, `\`
//! takes the next one as it is, and a pattern behind `!` takes back what earlier ones allowed.

use regex::{Regex, RegexBuilder};

use crate::shown::shown;

/// Longest pattern, in bytes; names of branches are shorter.
const MAX_BYTES: usize = 1_024;

/// A text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is no pattern of branches")]
pub struct RefPatternError {
    /// The text, shortened.
    pub pattern: String,
}

/// Whether the last of `patterns` that is about `name` speaks for it.
///
/// # Errors
///
/// The first text that is no pattern.
pub fn selects(patterns: &[String], name: &str) -> Result<bool, RefPatternError> {
    let mut selected = false;
    for pattern in patterns {
        let (means, regex) = compile(pattern)?;
        if regex.is_match(name) {
            selected = means;
        }
    }
    Ok(selected)
}

/// Checks that `pattern` is one.
///
/// # Errors
///
/// It is not.
pub fn check(pattern: &str) -> Result<(), RefPatternError> {
    compile(pattern).map(|_| ())
}

/// Whether the pattern allows or takes back, and what it is about.
fn compile(pattern: &str) -> Result<(bool, Regex), RefPatternError> {
    let (means, text) = match pattern.strip_prefix('!') {
        Some(rest) => (false, rest),
        None => (true, pattern),
    };
    let wrong = || RefPatternError { pattern: shown(pattern) };
    if pattern.len() > MAX_BYTES {
        return Err(wrong());
    }
    let regex = regex(text).map_err(|_| wrong())?;
    Ok((means, regex))
}

/// `pattern` as a regular expression, of bounded size.
fn regex(pattern: &str) -> Result<Regex, regex::Error> {
    let mut text = String::from(r"\A(?s:");
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '*' if rest.next_if_eq(&'*').is_some() => text.push_str(".*"),
            '*' => text.push_str("[^/]*"),
            '?' | '+' | '[' | ']' => text.push(c),
            '-' => text.push('-'),
            '\\' => text.extend(rest.next().map(|c| regex::escape(c.encode_utf8(&mut [0; 4])))),
            other => text.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    text.push_str(r")\z");
    RegexBuilder::new(&text).size_limit(1 << 20).build()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_are_githubs() {
        let cases: &[(&str, &[&str], &str, bool)] = &[
            ("a name is itself", &["main"], "main", true),
            ("a name is not a beginning", &["main"], "main2", false),
            ("a name is not an end", &["main"], "x/main", false),
            ("case counts", &["Main"], "main", false),
            ("a dot is a dot", &["v1.2"], "v1x2", false),
            ("a star stays in its part", &["feature/*"], "feature/a", true),
            ("a star stops at a slash", &["feature/*"], "feature/a/b", false),
            ("a star alone", &["*"], "main", true),
            ("a star alone stops at a slash", &["*"], "a/b", false),
            ("two stars do not stop", &["feature/**"], "feature/a/b", true),
            ("two stars alone", &["**"], "a/b/c", true),
            ("two stars inside", &["releases/**-alpha"], "releases/beta/3-alpha", true),
            ("two stars between slashes", &["a/**/z"], "a/b/c/z", true),
            ("a star in the middle", &["v*-rc"], "v2-rc", true),
            ("a question mark makes optional", &["v1?"], "v", true),
            ("a class", &["v[12]"], "v2", true),
            ("outside a class", &["v[12]"], "v3", false),
            ("a range, more than once", &["v[0-9]+"], "v2026", true),
            ("an escaped star", &["a\\*"], "ab", false),
            ("any of several", &["main", "dev"], "dev", true),
            ("taken back", &["release/**", "!release/**-alpha"], "release/1-alpha", false),
            ("taken back and given again", &["r/**", "!r/a/**", "r/a/x"], "r/a/x", true),
            ("order counts", &["!r/a", "r/**"], "r/a", true),
            ("only taken back", &["!main"], "dev", false),
        ];
        for (name, patterns, branch, want) in cases {
            let patterns: Vec<String> = patterns.iter().map(|&text| text.to_owned()).collect();
            assert_eq!(selects(&patterns, branch), Ok(*want), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_is_too_strange(pattern in ".{0,60}", branch in "[a-z/._-]{0,30}") {
            let _ = selects(&[pattern], &branch);
        }
    }
}
