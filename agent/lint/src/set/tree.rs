//! The trees of runs that a set makes: whether they end, how deep and how wide they are.

use std::collections::{HashSet, VecDeque};

use tako_engine::graph::Graph;
use tako_schemas::code;
use tako_schemas::diagnostic::Diagnostic;
use tako_schemas::journal::Ancestor;

use super::Set;
use super::emitted::Offer;

/// Depth at which a run warns, and the one at which it ends, unless its operator says otherwise.
const DEEP: usize = 7;
/// More repositories than this in one tree are worth a word.
const WIDE: usize = 50;

pub(super) fn check(set: &Set<'_>, found: &mut [Vec<Diagnostic>]) {
    let graph = graph(set);
    for (at, node) in graph.nodes().iter().enumerate() {
        let Some(member) = set.by_repo.get(&node.repo.repo).copied() else { continue };
        let Some(offer) = set.offers[member].iter().find(|offer| offer.workflow == node.workflow) else {
            continue;
        };
        let (depth, repositories) = extent(&graph, at);
        if depth > DEEP {
            let message = format!("the tree below workflow `{}` is {depth} runs deep", node.workflow);
            found[member].push(
                Diagnostic::warning(code::DEEP_TREE, message, offer.place)
                    .with_hint("trees end at depth 10 unless their operator allows more"),
            );
        }
        if repositories > WIDE {
            let message =
                format!("workflow `{}` may start runs in {repositories} repositories", node.workflow);
            found[member].push(
                Diagnostic::warning(code::WIDE_TREE, message, offer.place)
                    .with_hint("filters, ranges and `concurrency_limit` keep a tree small"),
            );
        }
    }
    cycles(set, &graph, found);
}

/// Which workflow starts which others.
fn graph(set: &Set<'_>) -> Graph {
    let mut graph = Graph::default();
    for (member, offers) in set.members.iter().zip(&set.offers) {
        for offer in offers {
            let from =
                graph.node(Ancestor { repo: member.repo.clone(), workflow: offer.workflow.to_owned() });
            let key = (member.repo.repo.clone(), offer.kind.clone());
            for (at, index) in set.subscribers.get(&key).into_iter().flatten() {
                let Some(child) = set.members.get(*at) else { continue };
                let Some(subscription) =
                    child.manifest.and_then(|manifest| manifest.subscriptions.get(*index))
                else {
                    continue;
                };
                let fits = |version: &Option<String>| {
                    version
                        .as_ref()
                        .is_none_or(|version| subscription.schema_version.matches(version).unwrap_or(true))
                };
                if !offer.artifacts.contains(&subscription.artifact.name) || !offer.versions.iter().any(fits)
                {
                    continue;
                }
                let workflow = subscription.workflow.as_str().to_owned();
                let to = graph.node(Ancestor { repo: child.repo.clone(), workflow });
                graph.edge(from, to, !subscription.filters.is_empty());
            }
        }
    }
    graph
}

/// How deep the tree below a workflow is by the shortest way to each of its runs, and how many repositories are in it.
fn extent(graph: &Graph, root: usize) -> (usize, usize) {
    let mut seen = HashSet::from([root]);
    let mut open = VecDeque::from([(root, 0)]);
    let mut deepest = 0;
    while let Some((at, depth)) = open.pop_front() {
        deepest = deepest.max(depth);
        for edge in graph.edges(at) {
            if seen.insert(edge.to) {
                open.push_back((edge.to, depth + 1));
            }
        }
    }
    let repositories: HashSet<_> = seen.iter().map(|at| &graph.nodes()[*at].repo.repo).collect();
    (deepest, repositories.len())
}

/// The first cycle that nothing can break, else the first that a filter may; said at the fan-outs on it.
fn cycles(set: &Set<'_>, graph: &Graph, found: &mut [Vec<Diagnostic>]) {
    let certain = graph.cycle(|edge| !edge.filtered);
    let is_certain = certain.is_some();
    let Some(chain) = certain.or_else(|| graph.cycle(|_| true)) else { return };
    let shown: Vec<String> = chain.iter().map(ToString::to_string).collect();
    let shown = shown.join(" → ");
    for pair in chain.windows(2) {
        let [from, to] = pair else { continue };
        let Some(member) = set.by_repo.get(&from.repo.repo).copied() else { continue };
        let starts = |offer: &&Offer<'_>| {
            let key = (from.repo.repo.clone(), offer.kind.clone());
            let subscribers = set.subscribers.get(&key).into_iter().flatten();
            offer.workflow == from.workflow
                && subscribers.clone().any(|(at, _)| set.members[*at].repo == to.repo)
        };
        let Some(offer) = set.offers[member].iter().find(starts) else { continue };
        let diagnostic = if is_certain {
            Diagnostic::error(
                code::CYCLE,
                format!("the workflow starts itself again, without end: {shown}"),
                offer.place,
            )
            .with_hint("a run of it is refused; take a subscription out of the circle")
        } else {
            Diagnostic::warning(
                code::CYCLE,
                format!("the workflow may start itself again: {shown}"),
                offer.place,
            )
            .with_hint("a run is stopped where the circle closes; make sure that a filter ends it before")
        };
        found[member].push(diagnostic);
    }
}
