//! Runs that would start themselves again: found before anything runs.
//!
//! The graph holds what can be read from files: a fan-out of a literal event type, the subscriptions to it, their
//! workflows, and so on. A cycle in which no subscription filters is certain, and refused. One with a filter may
//! end by itself; it is named, and stopped at the moment it would close.

use std::collections::{BTreeSet, HashMap, HashSet};

use tako_schemas::id::RepoRef;
use tako_schemas::journal::{Ancestor, Created};
use tako_schemas::workflow::Manifest;

use crate::check;
use crate::emission::emitted;
use crate::graph::Graph;
use crate::origin::origin;
use crate::port::{Origin, RepoError};
use crate::ports::Desk;
use crate::secrets::is_common;

/// More repositories than this in one tree are worth a word.
const MANY_REPOSITORIES: usize = 50;
/// How far the graph is followed; beyond it a tree is refused by its depth or noticed while it runs.
const MOST_NODES: usize = 10_000;

/// A cycle that no filter can break, or a repository that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CycleError {
    /// The workflow would start itself.
    #[error("the workflow would start itself again: {}", chain.join(" → "))]
    Certain {
        /// `owner/repo:branch workflow`, the first one again at the end.
        chain: Vec<String>,
    },
    /// The repository set cannot be read.
    #[error(transparent)]
    Repo(#[from] RepoError),
}

/// What a tree may become, as far as files tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// What is worth a word.
    pub notes: Vec<String>,
    /// Names of secrets that workflows of it list.
    pub secrets: BTreeSet<String>,
}

/// Follows the events of `start`'s workflow through the repository set.
///
/// # Errors
///
/// [`CycleError::Certain`] for a cycle without a filter.
pub async fn check(desk: &Desk, start: Ancestor, manifest: &Manifest) -> Result<Survey, CycleError> {
    let (graph, secrets) = explore(desk, start, manifest).await?;
    let said = |chain: Vec<&Ancestor>| -> Vec<String> { chain.iter().map(ToString::to_string).collect() };
    if let Some(chain) = graph.cycle(|edge| !edge.filtered) {
        return Err(CycleError::Certain { chain: said(chain) });
    }
    let mut notes = Vec::new();
    if let Some(chain) = graph.cycle(|_| true) {
        notes.push(format!("a cycle may close, it will be stopped there: {}", said(chain).join(" → ")));
    }
    let repositories: HashSet<&RepoRef> = graph.nodes().iter().map(|node| &node.repo).collect();
    if repositories.len() > MANY_REPOSITORIES {
        notes.push(format!("up to {} repositories may run", repositories.len()));
    }
    Ok(Survey { notes, secrets })
}

/// Names of the secrets that workflows of the tree list which `root` began, or may begin yet: what cannot be read has
/// none, and cannot run either.
///
/// # Errors
///
/// When the repository set cannot be read.
pub async fn secrets(desk: &Desk, root: &Created) -> Result<BTreeSet<String>, RepoError> {
    let Ok(checkout) = desk.repos.open(&origin(root)).await else { return Ok(BTreeSet::new()) };
    let Some(manifest) = check::load_apart(&desk.steps, &checkout.manifest).await.manifest else {
        return Ok(BTreeSet::new());
    };
    let start = Ancestor { repo: root.repo.clone(), workflow: root.workflow.clone() };
    Ok(explore(desk, start, &manifest).await?.1)
}

async fn explore(
    desk: &Desk,
    start: Ancestor,
    manifest: &Manifest,
) -> Result<(Graph, BTreeSet<String>), RepoError> {
    let mut graph = Graph::default();
    let mut secrets = BTreeSet::new();
    graph.node(start.clone());
    let mut manifests: HashMap<RepoRef, Option<Manifest>> =
        HashMap::from([(start.repo, Some(manifest.clone()))]);
    let mut at = 0;
    while at < graph.nodes().len() && graph.nodes().len() < MOST_NODES {
        let Ancestor { repo, workflow } = graph.nodes()[at].clone();
        if !manifests.contains_key(&repo) {
            // What cannot be loaded cannot run either, and is reported when an event reaches it.
            let checkout = desk.repos.open(&Origin::Set(repo.clone())).await.ok();
            let loaded =
                checkout.and_then(|checkout| check::load(&checkout.manifest, desk.steps.as_ref()).manifest);
            manifests.insert(repo.clone(), loaded);
        }
        let events = match manifests.get(&repo) {
            Some(Some(manifest)) => {
                let effective = manifest.effective(&workflow);
                let listed = effective.iter().flat_map(|workflow| &workflow.secrets);
                let listed =
                    listed.map(tako_schemas::diagnostic::Text::as_str).filter(|name| !is_common(name));
                secrets.extend(listed.map(str::to_owned));
                emitted(&repo.repo, manifest, &workflow)
            }
            _ => Vec::new(),
        };
        for event in events {
            let mut settled: HashSet<RepoRef> = HashSet::new();
            for candidate in desk.repos.subscribers(&event.key).await?.found {
                // Behind a subscription that always matches, others of the same repository never run.
                if settled.contains(&candidate.repo) || !event.can_match(&candidate.subscription) {
                    continue;
                }
                let filtered = !candidate.subscription.filters.is_empty();
                if !filtered && event.must_match(&candidate.subscription) {
                    settled.insert(candidate.repo.clone());
                }
                let workflow = candidate.subscription.workflow.as_str().to_owned();
                let to = graph.node(Ancestor { repo: candidate.repo, workflow });
                graph.edge(at, to, filtered);
            }
        }
        at += 1;
    }
    Ok((graph, secrets))
}
