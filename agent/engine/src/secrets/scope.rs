//! Who may have which secret. Pure.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use tako_schemas::config::SecretRule;
use tako_schemas::id::{RepoId, RepoRef};
use tako_schemas::journal::{Created, Trigger};
use tako_schemas::ref_pattern;

/// A pattern of an operator's that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is no pattern of {what}")]
pub struct BadPattern {
    /// As written.
    pub pattern: String,
    /// What it should select: `repositories`.
    pub what: &'static str,
}

/// Secrets that a repository asks for and may not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{repo} may not have the secret{} {} (started by `{event}`{})",
    if names.len() == 1 { "" } else { "s" },
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    branch.as_ref().map(|branch| format!(", branch {branch}")).unwrap_or_default(),
)]
pub struct Refused {
    /// Whose workflow lists them.
    pub repo: RepoId,
    /// The branch, where it is known.
    pub branch: Option<String>,
    /// What started it.
    pub event: &'static str,
    /// Their names.
    pub names: Vec<String>,
}

/// A run, as far as secrets are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The repository whose workflow asks.
    pub repo: RepoRef,
    /// `exec`, `event`, `push` or `request`.
    pub event: &'static str,
}

impl Asker {
    /// The run that began like this.
    #[must_use]
    pub fn of(created: &Created) -> Self {
        let event = match created.trigger {
            Trigger::Exec => "exec",
            Trigger::Event { .. } => "event",
            Trigger::Push { .. } => "push",
            Trigger::Request { .. } => "request",
        };
        Self { repo: created.repo.clone(), event }
    }
}

/// Who may have which secret. The default: nobody any.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    rules: Vec<Rule>,
}

/// Lets some have some.
#[derive(Clone, Debug)]
pub struct Rule {
    repositories: GlobSet,
    /// Patterns; absent for all branches.
    branches: Option<Vec<String>>,
    /// Absent for all events.
    events: Option<Vec<String>>,
    names: GlobSet,
}

/// What may start a run.
const EVENTS: [&str; 4] = ["event", "exec", "push", "request"];

impl Rule {
    /// The rule that an operator wrote.
    ///
    /// # Errors
    ///
    /// The first pattern that is none.
    pub fn new(rule: &SecretRule) -> Result<Self, BadPattern> {
        for pattern in rule.branches.iter().flatten() {
            ref_pattern::check(pattern)
                .map_err(|_| BadPattern { pattern: pattern.clone(), what: "branches" })?;
        }
        if let Some(event) = rule.events.iter().flatten().find(|event| !EVENTS.contains(&event.as_str())) {
            return Err(BadPattern {
                pattern: event.clone(),
                what: "events, which are event, exec, push and request",
            });
        }
        if let Some(pattern) = rule.repositories.iter().find(|pattern| pattern.split('/').count() != 2) {
            return Err(BadPattern { pattern: pattern.clone(), what: "repositories, owner/repo or owner/*" });
        }
        Ok(Self {
            repositories: globs(&rule.repositories, "repositories")?,
            branches: rule.branches.clone(),
            events: rule.events.clone(),
            names: globs(&rule.names, "names")?,
        })
    }

    /// Lets `repo` have every secret.
    #[must_use]
    pub fn all_for(repo: &RepoId) -> Self {
        let literal = |text: &str| globset::escape(text);
        let rule = SecretRule {
            names: vec!["*".to_owned()],
            repositories: vec![format!("{}/{}", literal(repo.owner()), literal(repo.name()))],
            ..SecretRule::default()
        };
        // Escaped text is a pattern; if it were none, nobody would get anything.
        Self::new(&rule).unwrap_or_else(|_| Self {
            repositories: GlobSet::empty(),
            branches: None,
            events: None,
            names: GlobSet::empty(),
        })
    }

    fn allows(&self, asker: &Asker, name: &str) -> bool {
        let branch = asker.repo.branch.as_ref().map(ToString::to_string).unwrap_or_default();
        self.names.is_match(name)
            && self.repositories.is_match(asker.repo.repo.to_string())
            && self.events.as_ref().is_none_or(|events| events.iter().any(|event| event == asker.event))
            && self
                .branches
                .as_ref()
                .is_none_or(|branches| ref_pattern::selects(branches, &branch).unwrap_or(false))
    }
}

impl Policy {
    /// All that one of `rules` allows.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// Whether `asker` may have all of `names`.
    ///
    /// # Errors
    ///
    /// [`Refused`] names those that it may not.
    pub fn permit(&self, asker: &Asker, names: &[String]) -> Result<(), Refused> {
        let allowed = |name: &String| self.rules.iter().any(|rule| rule.allows(asker, name));
        let refused: Vec<String> = names.iter().filter(|name| !allowed(name)).cloned().collect();
        if refused.is_empty() {
            return Ok(());
        }
        Err(Refused {
            repo: asker.repo.repo.clone(),
            branch: asker.repo.branch.as_ref().map(ToString::to_string),
            event: asker.event,
            names: refused,
        })
    }
}

fn globs(patterns: &[String], what: &'static str) -> Result<GlobSet, BadPattern> {
    let bad = |pattern: &str| BadPattern { pattern: pattern.to_owned(), what };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(false).build();
        set.add(glob.map_err(|_| bad(pattern))?);
    }
    set.build().map_err(|_| bad(&patterns.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(repositories: &[&str], branches: &[&str], events: &[&str], names: &[&str]) -> SecretRule {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        SecretRule {
            names: owned(names),
            repositories: owned(repositories),
            branches: (!branches.is_empty()).then(|| owned(branches)),
            events: (!events.is_empty()).then(|| owned(events)),
        }
    }

    #[test]
    fn rules() {
        let cases: [(&str, SecretRule, bool); 14] = [
            ("named", rule(&["acme/web"], &[], &[], &["TOKEN"]), true),
            ("patterns", rule(&["acme/*"], &["ma*"], &["push"], &["TO*"]), true),
            ("any repository", rule(&["*/*"], &[], &[], &["*"]), true),
            (
                "one of several",
                rule(&["a/b", "acme/web"], &["x", "main"], &["exec", "push"], &["TOKEN"]),
                true,
            ),
            ("another repository", rule(&["acme/webs"], &[], &[], &["TOKEN"]), false),
            ("another owner", rule(&["acmeweb/*"], &[], &[], &["TOKEN"]), false),
            ("another branch", rule(&["acme/*"], &["release/*"], &[], &["TOKEN"]), false),
            ("a branch that is taken back", rule(&["acme/*"], &["**", "!main"], &[], &["TOKEN"]), false),
            ("another event", rule(&["acme/*"], &[], &["exec"], &["TOKEN"]), false),
            ("another name", rule(&["acme/*"], &[], &[], &["TOKENS"]), false),
            ("no repository", rule(&[], &[], &[], &["TOKEN"]), false),
            ("no name", rule(&["acme/*"], &[], &[], &[]), false),
            ("other letters", rule(&["ACME/web"], &[], &[], &["TOKEN"]), false),
            ("a name in other letters", rule(&["acme/*"], &[], &[], &["token"]), false),
        ];
        let asker = Asker { repo: "acme/web:main".parse().unwrap(), event: "push" };
        for (name, rule, want) in cases {
            let policy = Policy::new(vec![Rule::new(&rule).unwrap()]);
            assert_eq!(policy.permit(&asker, &["TOKEN".to_owned()]).is_ok(), want, "{name}");
        }
    }

    #[test]
    fn what_is_refused_is_named() {
        let asker = Asker { repo: "acme/web:main".parse().unwrap(), event: "push" };
        let policy = Policy::new(vec![Rule::new(&rule(&["acme/web"], &[], &[], &["A"])).unwrap()]);
        let refused = policy.permit(&asker, &["A".to_owned(), "B".to_owned(), "C".to_owned()]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "acme/web may not have the secrets `B`, `C` (started by `push`, branch main)"
        );
        assert!(Policy::default().permit(&asker, &[]).is_ok());
    }

    #[test]
    fn a_rule_for_one_repository() {
        let only = Policy::new(vec![Rule::all_for(&RepoId::new("acme", "web").unwrap())]);
        let asks = |repo: &str| {
            only.permit(&Asker { repo: repo.parse().unwrap(), event: "exec" }, &["X".to_owned()]).is_ok()
        };
        assert!(asks("acme/web:main") && asks("acme/web"));
        assert!(!asks("acme/web2") && !asks("acme2/web"));
    }

    #[test]
    fn bad_patterns() {
        for (rule, want) in [
            (rule(&["acme"], &[], &[], &[]), "`acme` is no pattern of repositories, owner/repo or owner/*"),
            (rule(&["a/[b"], &[], &[], &[]), "`a/[b` is no pattern of repositories"),
            (rule(&["a/b"], &["["], &[], &[]), "`[` is no pattern of branches"),
            (
                rule(&["a/b"], &[], &["pull"], &[]),
                "`pull` is no pattern of events, which are event, exec, push and request",
            ),
            (rule(&["a/b"], &[], &[], &["{"]), "`{` is no pattern of names"),
        ] {
            assert_eq!(Rule::new(&rule).unwrap_err().to_string(), want);
        }
    }
}
