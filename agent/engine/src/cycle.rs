//! Runs that would start themselves again: found before anything runs.
//!
//! The graph holds what can be read from files: a fan-out of a literal event type, the subscriptions to it, their
//! workflows, and so on. A cycle in which no subscription filters is certain, and refused. One with a filter may
//! end by itself; it is named, and stopped at the moment it would close.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use tako_schemas::id::RepoRef;
use tako_schemas::journal::Ancestor;
use tako_schemas::subscription::Subscription;
use tako_schemas::workflow::{Action, Manifest, Param, Step, Workflow};

use crate::check;
use crate::port::{EventKey, Origin, RepoError};
use crate::ports::Desk;

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

struct Edge {
    to: usize,
    filtered: bool,
}

#[derive(Default)]
struct Graph {
    nodes: Vec<Ancestor>,
    edges: Vec<Vec<Edge>>,
}

/// Follows the events of `start`'s workflow through the repository set. Returns what is worth a word.
///
/// # Errors
///
/// [`CycleError::Certain`] for a cycle without a filter.
pub async fn check(desk: &Desk, start: Ancestor, manifest: &Manifest) -> Result<Vec<String>, CycleError> {
    let graph = explore(desk, start, manifest).await?;
    if let Some(chain) = graph.cycle(|edge| !edge.filtered) {
        return Err(CycleError::Certain { chain });
    }
    let mut notes = Vec::new();
    if let Some(chain) = graph.cycle(|_| true) {
        notes.push(format!("a cycle may close, it will be stopped there: {}", chain.join(" → ")));
    }
    let repositories: HashSet<&RepoRef> = graph.nodes.iter().map(|node| &node.repo).collect();
    if repositories.len() > MANY_REPOSITORIES {
        notes.push(format!("up to {} repositories may run", repositories.len()));
    }
    Ok(notes)
}

async fn explore(desk: &Desk, start: Ancestor, manifest: &Manifest) -> Result<Graph, CycleError> {
    let mut graph = Graph { nodes: vec![start.clone()], edges: vec![Vec::new()] };
    let mut known: HashMap<(RepoRef, String), usize> =
        HashMap::from([((start.repo.clone(), start.workflow.clone()), 0)]);
    let mut manifests: HashMap<RepoRef, Option<Manifest>> =
        HashMap::from([(start.repo, Some(manifest.clone()))]);
    let mut at = 0;
    while at < graph.nodes.len() && graph.nodes.len() < MOST_NODES {
        let Ancestor { repo, workflow } = graph.nodes[at].clone();
        if !manifests.contains_key(&repo) {
            // What cannot be loaded cannot run either, and is reported when an event reaches it.
            let checkout = desk.repos.open(&Origin::Set(repo.clone())).await.ok();
            let loaded =
                checkout.and_then(|checkout| check::load(&checkout.manifest, desk.steps.as_ref()).manifest);
            manifests.insert(repo.clone(), loaded);
        }
        let events = match manifests.get(&repo) {
            Some(Some(manifest)) => emitted(&repo, manifest, &workflow),
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
                if !filtered {
                    settled.insert(candidate.repo.clone());
                }
                let node = (candidate.repo, candidate.subscription.workflow.as_str().to_owned());
                let to = *known.entry(node.clone()).or_insert_with(|| {
                    graph.nodes.push(Ancestor { repo: node.0, workflow: node.1 });
                    graph.edges.push(Vec::new());
                    graph.nodes.len() - 1
                });
                graph.edges[at].push(Edge { to, filtered });
            }
        }
        at += 1;
    }
    Ok(graph)
}

/// An event that a workflow may emit, as far as the file says it.
struct Emitted {
    key: EventKey,
    /// Its versions; `None` where only the run can know, or there is none.
    versions: Vec<Option<String>>,
}

impl Emitted {
    /// Whether a subscription's range can hold one of the versions.
    fn can_match(&self, subscription: &Subscription) -> bool {
        let matches = |version: &Option<String>| {
            version
                .as_ref()
                .is_none_or(|version| subscription.schema_version.matches(version).unwrap_or(true))
        };
        self.versions.iter().any(matches)
    }
}

/// What the fan-outs of a workflow emit.
fn emitted(repo: &RepoRef, manifest: &Manifest, workflow: &str) -> Vec<Emitted> {
    let Some(workflow) = manifest.workflows.get(workflow) else { return Vec::new() };
    let steps = all_steps(workflow);
    let mut found = Vec::new();
    for step in &steps {
        let Some((kind, with)) = fan_out(step) else { continue };
        let own_version = with.get("schema_version").map(literal);
        let mut versions = Vec::new();
        let mut artifacts = vec!["default".to_owned()];
        let mut produced_by = |producer: &Step, version: Option<String>| {
            versions.push(own_version.clone().unwrap_or(version));
            match &producer.produces.artifact {
                Some(artifact) => artifacts.push(artifact.as_str().to_owned()),
                None => artifacts.extend(manifest.artifacts.keys().cloned()),
            }
        };
        for producer in &steps {
            for event in producer.produces.events.iter().filter(|event| event.kind.as_str() == kind) {
                produced_by(
                    producer,
                    event.schema_version.as_ref().map(|version| version.as_str().to_owned()),
                );
            }
        }
        // With nothing recorded, the fan-out is the producer itself.
        produced_by(step, None);
        artifacts.sort();
        artifacts.dedup();
        let key = EventKey { source: repo.repo.clone(), artifacts, kind: kind.to_owned() };
        found.push(Emitted { key, versions });
    }
    found
}

/// A parameter's text, unless it is a template.
fn literal(param: &Param) -> Option<String> {
    match param {
        Param::Text(text) if !text.as_str().contains("{{") => Some(text.as_str().to_owned()),
        _ => None,
    }
}

/// The literal event type and the parameters of a fan-out step.
fn fan_out(step: &Step) -> Option<(&str, &IndexMap<String, Param>)> {
    match &step.action {
        Action::Uses { uses, with } if uses.as_str() == "tako/fan-out@v1" => match with.get("event_type")? {
            Param::Text(text) if !text.as_str().contains("{{") => Some((text.as_str(), with)),
            _ => None,
        },
        _ => None,
    }
}

fn all_steps(workflow: &Workflow) -> Vec<&Step> {
    let mut all = Vec::new();
    let mut open: Vec<&Step> =
        [&workflow.steps, &workflow.on_failure, &workflow.on_cancellation].into_iter().flatten().collect();
    while let Some(step) = open.pop() {
        all.push(step);
        open.extend(step.on_failure.iter().chain(&step.on_cancellation));
    }
    all
}

impl Graph {
    /// The first cycle over edges that `counts`, in depth-first order; iterative, since files decide how deep it is.
    fn cycle(&self, counts: impl Fn(&Edge) -> bool) -> Option<Vec<String>> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            OnPath,
            Done,
        }
        let mut marks = vec![Mark::New; self.nodes.len()];
        for start in 0..self.nodes.len() {
            if marks[start] != Mark::New {
                continue;
            }
            marks[start] = Mark::OnPath;
            let mut path = vec![(start, 0)];
            while let Some((node, next)) = path.last_mut() {
                let Some(edge) = self.edges[*node].get(*next) else {
                    marks[*node] = Mark::Done;
                    path.pop();
                    continue;
                };
                *next += 1;
                if !counts(edge) {
                    continue;
                }
                match marks[edge.to] {
                    Mark::Done => {}
                    Mark::New => {
                        marks[edge.to] = Mark::OnPath;
                        path.push((edge.to, 0));
                    }
                    Mark::OnPath => {
                        let closing = path.iter().map(|(node, _)| *node).skip_while(|node| *node != edge.to);
                        return Some(
                            closing.chain([edge.to]).map(|node| self.nodes[node].to_string()).collect(),
                        );
                    }
                }
            }
        }
        None
    }
}
