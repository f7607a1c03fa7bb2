//! What only a whole repository set shows: `TK07xx`.
//!
//! Every event is looked at from both sides: what a producer emits is what its subscribers' ranges, filters and mappings
//! accept.

mod contract;
mod counterpart;
mod dependents;
mod emitted;
mod tree;

use std::collections::HashMap;

use tako_schemas::diagnostic::{Diagnostic, SourceFile};
use tako_schemas::id::{RepoId, RepoRef};
use tako_schemas::workflow::Manifest;

use crate::{Files, settled};
pub(crate) use emitted::{Offer, of_member};

/// A repository of the set.
pub struct Member<'a> {
    /// Its name and branch.
    pub repo: RepoRef,
    /// Its `tako.yml`.
    pub source: &'a SourceFile,
    /// What that says; a file that does not load has nothing to say to others.
    pub manifest: Option<&'a Manifest>,
    /// Its other files.
    pub files: &'a dyn Files,
}

/// The set, with the ways to look things up in it.
struct Set<'a> {
    members: &'a [Member<'a>],
    /// Positions of members by their repository.
    by_repo: HashMap<RepoId, usize>,
    /// What each member emits.
    offers: Vec<Vec<Offer<'a>>>,
    /// Subscriptions by source and event type: position of the member and of the subscription.
    subscribers: HashMap<(RepoId, String), Vec<(usize, usize)>>,
}

/// Checks a set as a whole. The result has a list for each member.
///
/// With `complete` the set is all there is: what has no counterpart in it has none.
#[must_use]
pub fn check_set(members: &[Member<'_>], complete: bool) -> Vec<Vec<Diagnostic>> {
    let set = Set::new(members);
    let mut found: Vec<Vec<Diagnostic>> = members.iter().map(|_| Vec::new()).collect();
    for (at, member) in members.iter().enumerate() {
        let Some(manifest) = member.manifest else { continue };
        let out = &mut found[at];
        counterpart::check(&set, member, manifest, complete, out);
        contract::check(&set, member, manifest, out);
        dependents::check(&set, member, manifest, complete, out);
    }
    tree::check(&set, &mut found);
    members.iter().zip(found).map(|(member, found)| settled(member.source, found)).collect()
}

impl<'a> Set<'a> {
    fn new(members: &'a [Member<'a>]) -> Self {
        let by_repo = members.iter().enumerate().map(|(at, member)| (member.repo.repo.clone(), at)).collect();
        let offers = members.iter().map(of_member).collect();
        let mut subscribers: HashMap<(RepoId, String), Vec<(usize, usize)>> = HashMap::new();
        for (at, member) in members.iter().enumerate() {
            let subscriptions = member.manifest.map_or(&[][..], |manifest| &manifest.subscriptions);
            for (index, subscription) in subscriptions.iter().enumerate().filter(|(_, entry)| entry.enabled) {
                for kind in &subscription.events {
                    let key = (subscription.artifact.repo.clone(), kind.as_str().to_owned());
                    subscribers.entry(key).or_default().push((at, index));
                }
            }
        }
        Self { members, by_repo, offers, subscribers }
    }

    fn member(&self, repo: &RepoId) -> Option<(&Member<'a>, &[Offer<'a>])> {
        let at = *self.by_repo.get(repo)?;
        Some((self.members.get(at)?, self.offers.get(at)?))
    }
}
