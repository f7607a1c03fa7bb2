//! Which branches a `push` trigger means. Pure.

use tako_schemas::ref_pattern::selects;
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
    let selects = |patterns| selects(patterns, branch).map_err(|error| error.to_string());
    if !branches.is_empty() && !selects(branches)? {
        return Err(format!("`branches` does not have `{branch}`"));
    }
    if selects(branches_ignore)? {
        return Err(format!("`branches_ignore` has `{branch}`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
