//! Which branches a `push` trigger means. Pure.
//!
//! The patterns are GitHub's: `*` stops at `/`, `**` does not, `?` and `+` count what stands before them, `[…]` is
//! one character of several, `\` takes the next one as it is, and a pattern behind `!` takes back what earlier ones
//! allowed.

use regex::{Regex, RegexBuilder};
use tako_schemas::workflow::RefFilter;

/// Whether a push starts a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It does.
    Yes,
    /// It does, although part of the filter could not be judged.
    Perhaps,
    /// It does not; why.
    No(String),
}

/// Whether a push to `branch` passes `filter`.
pub(super) fn passes(filter: &RefFilter, branch: &str) -> Answer {
    match judge(filter, branch) {
        Err(why) => Answer::No(why),
        Ok(()) if filter.paths.is_empty() && filter.paths_ignore.is_empty() => Answer::Yes,
        Ok(()) => Answer::Perhaps,
    }
}

fn judge(filter: &RefFilter, branch: &str) -> Result<(), String> {
    let RefFilter { branches, branches_ignore, tags, .. } = filter;
    if branches.is_empty() && branches_ignore.is_empty() && !tags.is_empty() {
        return Err("only tags start it".to_owned());
    }
    if !branches.is_empty() && !selects(branches, branch)? {
        return Err(format!("`branches` does not have `{branch}`"));
    }
    if selects(branches_ignore, branch)? {
        return Err(format!("`branches_ignore` has `{branch}`"));
    }
    Ok(())
}

/// Whether the last of `patterns` that is about `branch` speaks for it.
fn selects(patterns: &[String], branch: &str) -> Result<bool, String> {
    let mut selected = false;
    for pattern in patterns {
        let (means, text) = match pattern.strip_prefix('!') {
            Some(rest) => (false, rest),
            None => (true, pattern.as_str()),
        };
        let regex = regex(text).map_err(|_| format!("`{pattern}` is no pattern of branches"))?;
        if regex.is_match(branch) {
            selected = means;
        }
    }
    Ok(selected)
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

    #[test]
    fn a_filter_says_why_not() {
        let list = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let none = RefFilter::default();
        let cases = [
            ("no filter", none.clone(), Answer::Yes),
            ("its branch", RefFilter { branches: list(&["main"]), ..none.clone() }, Answer::Yes),
            (
                "another branch",
                RefFilter { branches: list(&["dev"]), ..none.clone() },
                Answer::No("`branches` does not have `main`".to_owned()),
            ),
            (
                "ignored",
                RefFilter { branches_ignore: list(&["ma*"]), ..none.clone() },
                Answer::No("`branches_ignore` has `main`".to_owned()),
            ),
            (
                "others are ignored",
                RefFilter { branches_ignore: list(&["dev"]), ..none.clone() },
                Answer::Yes,
            ),
            (
                "only tags",
                RefFilter { tags: list(&["v*"]), ..none.clone() },
                Answer::No("only tags start it".to_owned()),
            ),
            (
                "tags and branches",
                RefFilter { tags: list(&["v*"]), branches: list(&["main"]), ..none.clone() },
                Answer::Yes,
            ),
            ("paths", RefFilter { paths: list(&["src/**"]), ..none.clone() }, Answer::Perhaps),
            (
                "no pattern",
                RefFilter { branches: list(&["[z-a]"]), ..none },
                Answer::No("`[z-a]` is no pattern of branches".to_owned()),
            ),
        ];
        for (name, filter, want) in cases {
            assert_eq!(passes(&filter, "main"), want, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_is_too_strange(pattern in ".{0,60}", branch in "[a-z/._-]{0,30}") {
            let _ = selects(&[pattern], &branch);
        }
    }
}
