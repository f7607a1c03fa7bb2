//! What a delivery says, as far as it is looked at. Pure.
//!
//! Where a payload says to clone from, and who wrote the commits, is never looked at: the former is the operator's
//! decision, the latter anybody's claim.

use serde::Deserialize;
use tako_engine::port::Delivery;
use tako_engine::wire::PushNotice;
use tako_schemas::id::{BranchName, RepoId};
use tako_schemas::journal::Push;

use crate::text::plain;

/// What a delivery says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing that could start a run; why not.
    Nothing(String),
    /// Somebody pushed to a branch of a repository that is served.
    Push(Box<PushEvent>),
}

/// A push to a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PushEvent {
    /// The repository.
    pub(super) repo: RepoId,
    /// The branch.
    pub(super) branch: BranchName,
    /// What the runs are told of it.
    pub(super) push: Push,
}

/// What GitHub says of a push.
#[derive(Deserialize)]
struct GithubPush {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(default)]
    before: Option<String>,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    deleted: bool,
    repository: GithubRepository,
    #[serde(default)]
    sender: Option<GithubUser>,
}

#[derive(Deserialize)]
struct GithubRepository {
    full_name: String,
}

/// Whom GitHub authenticated.
#[derive(Deserialize)]
struct GithubUser {
    login: String,
}

/// A push as any forge tells of it.
struct Raw {
    repo: String,
    reference: String,
    before: Option<String>,
    after: Option<String>,
    deleted: bool,
    actor: Option<String>,
}

/// Reads `delivery`.
pub(super) fn read(delivery: &Delivery, serves: impl Fn(&RepoId) -> bool) -> Told {
    let raw = match (delivery.source.as_str(), delivery.event.as_str()) {
        ("github", "push") => serde_json::from_slice(&delivery.body).map(from_github),
        ("git", "push") => serde_json::from_slice(&delivery.body).map(from_hook),
        (_, event) => return ignored(&format!("`{}` starts nothing yet", plain(event, 64))),
    };
    match raw {
        Ok(raw) => judge(raw, &delivery.id, serves).unwrap_or_else(|why| ignored(&why)),
        Err(error) => ignored(&format!("its body cannot be read: {error}")),
    }
}

fn ignored(why: &str) -> Told {
    Told::Nothing(format!("ignored: {why}"))
}

fn from_github(push: GithubPush) -> Raw {
    let GithubPush { reference, before, after, deleted, repository, sender } = push;
    let actor = sender.map(|sender| sender.login);
    Raw { repo: repository.full_name, reference, before, after, deleted, actor }
}

fn from_hook(notice: PushNotice) -> Raw {
    let PushNotice { repo, reference, before, after, actor, .. } = notice;
    let deleted = after.is_none();
    Raw { repo: repo.to_string(), reference, before, after, deleted, actor }
}

/// What `raw` means; `Err`: why it means nothing.
fn judge(raw: Raw, delivery: &str, serves: impl Fn(&RepoId) -> bool) -> Result<Told, String> {
    let Raw { repo, reference, before, after, deleted, actor } = raw;
    let known = repo.parse::<RepoId>().ok().filter(serves);
    let repo = known.ok_or_else(|| {
        format!("repository {} is not served (server.toml: repositories)", plain(&repo, 200))
    })?;
    if reference.starts_with("refs/tags/") {
        return Err("tags start nothing yet".to_owned());
    }
    let shown = || plain(&reference, 200);
    let branch = reference.strip_prefix("refs/heads/");
    let branch = branch.ok_or_else(|| format!("reference `{}` is no branch", shown()))?;
    let after = after.filter(|after| !is_zero(after));
    let (false, Some(after)) = (deleted, after) else { return Err("the branch was deleted".to_owned()) };
    let branch = branch.parse().map_err(|_| {
        format!(
            "branch `{}` has a name that Tako does not take (letters, digits, `.`, `_`, `-`, `/`)",
            shown()
        )
    })?;
    if !is_commit(&after) {
        return Err("`after` is no commit".to_owned());
    }
    let before = before.filter(|before| is_commit(before) && !is_zero(before));
    let actor = actor.map(|actor| plain(&actor, 200)).filter(|actor| !actor.is_empty());
    let push = Push { delivery: delivery.to_owned(), actor, reference, before, after };
    Ok(Told::Push(Box::new(PushEvent { repo, branch, push })))
}

/// The lower-case hexadecimal form of SHA-1: libgit2 reads no repositories with others.
fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b == b'0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use time::OffsetDateTime;

    use super::*;

    const COMMIT: &str = "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c";

    fn delivery(source: &str, event: &str, body: impl Into<Vec<u8>>) -> Delivery {
        Delivery {
            id: "github:d-1".to_owned(),
            source: source.to_owned(),
            event: event.to_owned(),
            received_at: OffsetDateTime::UNIX_EPOCH,
            body: body.into(),
        }
    }

    fn told(body: impl Into<Vec<u8>>) -> Told {
        read(&delivery("github", "push", body), |repo| repo.owner() == "o")
    }

    fn payload() -> Value {
        json!({
            "ref": "refs/heads/main", "before": "1".repeat(40), "after": COMMIT, "deleted": false,
            "repository": { "full_name": "o/r", "clone_url": "ext::sh -c id" },
            "sender": { "login": "octocat" },
            "head_commit": { "author": { "username": "admin" } },
        })
    }

    fn with(path: &str, value: impl Into<Value>) -> Vec<u8> {
        let mut payload = payload();
        *payload.pointer_mut(path).unwrap() = value.into();
        payload.to_string().into_bytes()
    }

    #[test]
    fn a_push_is_what_the_forge_vouches_for() {
        let Told::Push(event) = told(payload().to_string()) else { panic!("a push") };
        assert_eq!(event.repo.to_string(), "o/r");
        assert_eq!(event.branch.as_str(), "main");
        assert_eq!(event.push.actor.as_deref(), Some("octocat"), "never the commit's author");
        assert_eq!(event.push.after, COMMIT);
        assert_eq!(event.push.before, Some("1".repeat(40)));
        assert_eq!(event.push.delivery, "github:d-1");
    }

    #[test]
    fn what_starts_nothing_says_why() {
        let zero = "0".repeat(40);
        let cases = [
            ("an unknown repository", with("/repository/full_name", "x/y"), "repository x/y is not served"),
            (
                "another case of the name",
                with("/repository/full_name", "O/r"),
                "repository O/r is not served",
            ),
            ("a path for a repository", with("/repository/full_name", "o/../../etc"), "is not served"),
            ("a deletion", with("/deleted", true), "the branch was deleted"),
            ("all zeros", with("/after", zero), "the branch was deleted"),
            ("no commit", with("/after", Value::Null), "the branch was deleted"),
            ("a tag", with("/ref", "refs/tags/v1"), "tags start nothing yet"),
            ("another namespace", with("/ref", "refs/pull/1/head"), "is no branch"),
            ("a short name", with("/ref", "main"), "is no branch"),
            ("climbing", with("/ref", "refs/heads/../x"), "does not take"),
            ("a newline", with("/ref", "refs/heads/a\nb"), "does not take"),
            ("NUL", with("/ref", "refs/heads/a\u{0}"), "does not take"),
            ("a flag", with("/ref", "refs/heads/--upload-pack=x"), "does not take"),
            ("right to left", with("/ref", "refs/heads/a\u{202e}b"), "branch `refs/heads/ab`"),
            ("nothing behind it", with("/ref", "refs/heads/"), "does not take"),
            ("upper case", with("/after", COMMIT.to_uppercase()), "is no commit"),
            ("too short", with("/after", "abc"), "is no commit"),
            ("a flag for a commit", with("/after", format!("-{}", &COMMIT[1..])), "is no commit"),
            ("no JSON", b"{".to_vec(), "cannot be read"),
            ("no object", b"[]".to_vec(), "cannot be read"),
            ("a key twice", br#"{"ref": "refs/heads/a", "ref": "refs/heads/b"}"#.to_vec(), "cannot be read"),
            ("100,000 levels", [vec![b'['; 100_000], vec![b']'; 100_000]].concat(), "cannot be read"),
            ("bad UTF-8", b"{\"ref\": \"\xff\"}".to_vec(), "cannot be read"),
        ];
        for (name, body, want) in cases {
            let Told::Nothing(why) = told(body) else { panic!("{name}") };
            assert!(why.starts_with("ignored: ") && why.contains(want), "{name}: {why}");
        }
        let deep =
            format!(r#"{{"x": {}1{}, "ref": "refs/heads/main"}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(told(deep), Told::Nothing(_)), "depth in a field that nobody reads");
    }

    #[test]
    fn other_events_start_nothing() {
        let read = |source, event| read(&delivery(source, event, payload().to_string()), |_| true);
        assert_eq!(
            read("github", "issues"),
            Told::Nothing("ignored: `issues` starts nothing yet".to_owned())
        );
        assert!(matches!(read("elsewhere", "push"), Told::Nothing(_)));
    }

    #[test]
    fn a_hook_tells_of_pushes_too() {
        let notice = json!({ "id": "1", "repo": "o/r", "ref": "refs/heads/release/1.x", "after": COMMIT });
        let told = read(&delivery("git", "push", notice.to_string()), |_| true);
        let Told::Push(event) = told else { panic!("a push") };
        assert_eq!((event.branch.as_str(), event.push.actor, event.push.before), ("release/1.x", None, None));
        let notice = json!({ "id": "1", "repo": "o/r", "ref": "refs/heads/main" });
        let told = read(&delivery("git", "push", notice.to_string()), |_| true);
        assert_eq!(told, Told::Nothing("ignored: the branch was deleted".to_owned()));
    }

    proptest! {
        #[test]
        fn no_body_is_too_strange(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            told(body);
        }

        #[test]
        fn no_reference_or_commit_is_too_strange(reference in ".{0,80}", after in ".{0,80}") {
            let mut payload = payload();
            payload["ref"] = format!("refs/heads/{reference}").into();
            payload["after"] = after.into();
            if let Told::Push(event) = told(payload.to_string()) {
                prop_assert!(is_commit(&event.push.after));
                prop_assert!(!event.branch.as_str().contains("..") || event.branch.as_str().split('/').all(|part| part != ".."));
            }
        }
    }
}
