//! Reading references to other repositories and what they make.

use super::{Loader, shown};
use crate::code;
use crate::diagnostic::Text;
use crate::id::{BranchName, RepoId, RepoRef};
use crate::name::Name;
use crate::subscription::ArtifactRef;
use crate::tree::Item;

/// What is wrong with a reference, what to do about it, and what it most likely means.
struct Malformed {
    problem: &'static str,
    hint: String,
    repaired: Option<String>,
}

impl Loader {
    /// `owner/repo:branch`, `./path:branch`, `file://…:branch`.
    pub(super) fn dependent_repo(&mut self, item: &Item) -> Option<Text> {
        let text = self.filled_text(item)?;
        if let Err(Malformed { problem, hint, repaired }) = check_dependent(text.as_str()) {
            let message = format!("`{}` {problem}", shown(text.as_str()));
            self.malformed(code::REPOSITORY, &text, message, repaired, hint);
        }
        Some(text)
    }

    /// `owner/repo:name`.
    pub(super) fn artifact_ref(&mut self, item: &Item) -> Option<ArtifactRef> {
        let text = self.text_of(item, "an artifact like owner/repo:name")?;
        if let Ok(artifact) = text.as_str().parse() {
            return Some(artifact);
        }
        let Malformed { problem, hint, repaired } = explained(text.as_str());
        let message = format!("`{}` {problem}", shown(text.as_str()));
        self.malformed(code::ARTIFACT_REF, &text, message, repaired, hint);
        None
    }
}

fn check_dependent(text: &str) -> Result<(), Malformed> {
    let refuse = |problem, hint: String| Malformed { problem, hint, repaired: None };
    let malformed = || {
        refuse(
            "is not a repository and its branch",
            "write `owner/repo:branch`, `./path:branch` or `file:///path:branch`".to_owned(),
        )
    };
    let no_branch = || refuse("names no branch", format!("add it behind a colon: `{}:main`", shown(text)));
    let path = text.strip_prefix("file://").or_else(|| text.starts_with('.').then_some(text));
    let Some(path) = path else {
        if let Some((repo, branch)) = of_url(text) {
            let branch = branch.unwrap_or("main");
            return Err(refuse(
                "is an address, not a repository and its branch",
                format!("write `{}:{}`", shown(&repo.to_string()), shown(branch)),
            ));
        }
        let reference: RepoRef = text.parse().map_err(|_| malformed())?;
        return reference.branch.map(|_| ()).ok_or_else(no_branch);
    };
    match path.rsplit_once(':') {
        Some(("", _)) => Err(malformed()),
        Some((_, branch)) => branch.parse::<BranchName>().map(|_| ()).map_err(|_| malformed()),
        None => Err(no_branch()),
    }
}

/// What is wrong with a text that is no artifact.
fn explained(text: &str) -> Malformed {
    let repair = |problem, repo: &str, name: &str| Malformed {
        problem,
        hint: String::new(),
        repaired: Some(format!("{repo}:{name}")),
    };
    if let Some((repo, _)) = of_url(text) {
        return repair("is an address, not an artifact like owner/repo:name", &repo.to_string(), "default");
    }
    match text.split(':').collect::<Vec<_>>()[..] {
        [repo] if repo.parse::<RepoId>().is_ok() => {
            let mut found = repair("names no artifact", repo, "default");
            found.hint = "`default` stands for any".to_owned();
            found
        }
        [repo, "*" | "any" | "all"] if repo.parse::<RepoId>().is_ok() => {
            repair("names no artifact; `default` stands for any", repo, "default")
        }
        [repo, _, _] if repo.parse::<RepoId>().is_ok() => Malformed {
            problem: "names more than a repository and its artifact",
            hint: format!(
                "a branch has no place here: write `{}:name`, or `default` for any name",
                shown(repo)
            ),
            repaired: None,
        },
        [repo, name] if repo.parse::<RepoId>().is_ok() => Malformed {
            problem: "is not an artifact like owner/repo:name",
            hint: format!("`{}` is not an artifact's name: {}", shown(name), Name::Artifact.rule()),
            repaired: None,
        },
        _ => Malformed {
            problem: "is not an artifact like owner/repo:name",
            hint: "name the repository and its artifact; the name `default` stands for any".to_owned(),
            repaired: None,
        },
    }
}

/// The repository, and the branch if one is named, of an address such as people copy from a forge.
fn of_url(text: &str) -> Option<(RepoId, Option<&str>)> {
    let rest = match text.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest.split_once('/')?.1,
        None => text.strip_prefix("git@")?.split_once([':', '/'])?.1,
    };
    let (path, branch) = match rest.split_once([':', '#']) {
        Some((path, branch)) => (path, Some(branch)),
        None => (rest, None),
    };
    let mut parts = path.trim_end_matches('/').splitn(3, '/');
    let (owner, name) = (parts.next()?, parts.next()?);
    let branch = branch.or_else(|| parts.next()?.strip_prefix("tree/")).filter(|branch| !branch.is_empty());
    Some((RepoId::new(owner, name.strip_suffix(".git").unwrap_or(name)).ok()?, branch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_repositories() {
        let cases = [
            ("https://github.com/my-org/service", Some("my-org/service None")),
            ("https://github.com/my-org/service.git", Some("my-org/service None")),
            ("https://github.com/my-org/service/tree/dev", Some("my-org/service Some(\"dev\")")),
            ("git@github.com:my-org/service.git", Some("my-org/service None")),
            ("ssh://git@forge/my-org/service.git#dev", Some("my-org/service Some(\"dev\")")),
            ("https://x/a/b:main", Some("a/b Some(\"main\")")),
            ("file:///srv/git/b", None),
            ("my-org/service:main", None),
            ("https://github.com", None),
        ];
        for (text, want) in cases {
            let got = of_url(text).map(|(repo, branch)| format!("{repo} {branch:?}"));
            assert_eq!(got.as_deref(), want, "{text}");
        }
    }
}
