//! Who subscribes to what: an index over the default branches of the set, by source, artifact and event type.
//!
//! It holds keys, not subscriptions: a lookup reads the manifests of the repositories that match and no others.
//! Whether it is up to date is judged by fingerprints, which cost some `stat` calls per repository (0.2 s for 5,000
//! of them). That is done at the first lookup of a process and then again when the last check is older than a
//! second, or ten times as old as it took: so it never takes more than a tenth of the time. What this process
//! clones itself is seen at once.
//!
//! It is kept in `<cache>/index.json`. A file that is damaged or of another format is rebuilt: an older Tako
//! that finds a newer file does the same, and nothing is lost but time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use tako_engine::port::{Broken, Candidate, Candidates, EventKey, RepoError};
use tako_schemas::diagnostic::SourceFile;
use tako_schemas::id::{RepoId, RepoRef};
use tako_schemas::subscription::Subscription;
use tako_schemas::workflow::Manifest;

use crate::checkout::{Opened, shown_name};
use crate::failure;
use crate::fingerprint::{Fingerprint, Layout};
use crate::manifest;
use crate::set::{DefaultBranch, RepositorySet};

/// The number of the stored form; to be raised when the form or the meaning of an entry changes.
const FORMAT: u32 = 1;

/// How old a check of the fingerprints may be, at least.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// How old it may be in terms of what it costs.
const FRESH_FACTOR: u32 = 10;

/// The index of one repository set.
#[derive(Debug)]
pub(crate) struct SubscriptionIndex {
    set: RepositorySet,
    file: PathBuf,
    read_only: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the stored index has been read.
    loaded: bool,
    /// Until when the last comparison of fingerprints is relied upon.
    fresh_until: Option<Instant>,
    entries: BTreeMap<RepoRef, Entry>,
    subscribers: HashMap<Key, BTreeSet<RepoRef>>,
}

/// The form of the file.
#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    repositories: BTreeMap<RepoRef, Entry>,
}

/// What is known about one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// `None`: to be looked at again.
    fingerprint: Option<String>,
    /// What it subscribes to.
    keys: BTreeSet<Key>,
    /// Why it could not be judged.
    broken: Option<String>,
}

/// What subscriptions are found by: source, artifact, event type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Key(RepoId, String, String);

impl SubscriptionIndex {
    /// The index of `set`, kept in the directory `cache`; not written there if `read_only`.
    pub(crate) fn new(set: RepositorySet, cache: &Path, read_only: bool) -> Self {
        Self { set, file: cache.join("index.json"), read_only, state: Mutex::default() }
    }

    /// Makes the next lookup check every fingerprint.
    pub(crate) fn outdated(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).fresh_until = None;
    }

    /// The subscriptions to `key`, and who could not be judged. Blocking.
    pub(crate) fn lookup(&self, key: &EventKey) -> Result<Candidates, RepoError> {
        let (matching, broken) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            self.refresh(&mut state).map_err(failure::io("read the repository set"))?;
            (state.matching(key), state.broken())
        };
        let mut candidates = Candidates { found: Vec::new(), broken };
        for repo in matching {
            match self.manifest(&repo) {
                Ok(manifest) => candidates.found.extend(subscriptions(&repo, manifest, key)),
                // It was good a moment ago.
                Err(reason) => candidates.broken.push(Broken { repo, reason }),
            }
        }
        candidates.broken.sort_by(|a, b| a.repo.cmp(&b.repo));
        Ok(candidates)
    }

    /// Brings the state up to date unless that was just done.
    fn refresh(&self, state: &mut State) -> io::Result<()> {
        let start = Instant::now();
        if state.fresh_until.is_some_and(|until| start < until) {
            return Ok(());
        }
        if !state.loaded {
            state.entries = self.stored();
        }
        let mut entries = BTreeMap::new();
        for repo in self.set.repositories()? {
            let DefaultBranch::Present(branch) = self.set.default_branch(&repo)? else { continue };
            let Some(path) = self.set.locate(&repo, &branch)? else { continue };
            let repo = repo.at(branch);
            let layout = Layout::of(&path);
            let fingerprint = Fingerprint::of(&path, layout).settled();
            let known = state.entries.get(&repo).filter(|entry| entry.fingerprint.is_some());
            let entry = match known {
                Some(entry) if entry.fingerprint == fingerprint => entry.clone(),
                _ => self.judge(&repo, &path, layout, fingerprint),
            };
            entries.insert(repo, entry);
        }
        let changed = entries != state.entries;
        if changed || !state.loaded {
            state.entries = entries;
            state.index();
            state.loaded = true;
        }
        if changed && !self.read_only {
            self.store(&state.entries);
        }
        state.fresh_until = Some(Instant::now() + FRESH_FOR.max(start.elapsed() * FRESH_FACTOR));
        Ok(())
    }

    /// Reads one repository's manifest for its keys.
    fn judge(&self, repo: &RepoRef, path: &Path, layout: Layout, fingerprint: Option<String>) -> Entry {
        tracing::debug!(%repo, "reading subscriptions");
        match load(&self.set, path, layout) {
            Ok(manifest) => Entry { fingerprint, keys: keys(&manifest), broken: None },
            Err(reason) => Entry { fingerprint, keys: BTreeSet::new(), broken: Some(reason) },
        }
    }

    fn manifest(&self, repo: &RepoRef) -> Result<Manifest, String> {
        let branch = repo.branch.as_ref().ok_or("it has no branch")?;
        let path = self.set.locate(&repo.repo, branch).map_err(|error| error.to_string())?;
        let path = path.ok_or("it is no longer in the repository set")?;
        load(&self.set, &path, Layout::of(&path))
    }

    /// The stored index; empty if it cannot serve.
    fn stored(&self) -> BTreeMap<RepoRef, Entry> {
        let stored = std::fs::read(&self.file)
            .map_err(|error| error.to_string())
            .and_then(|bytes| serde_json::from_slice::<Stored>(&bytes).map_err(|error| error.to_string()));
        match stored {
            Ok(Stored { format: FORMAT, repositories }) => repositories,
            Ok(Stored { format, .. }) => {
                tracing::debug!(format, "subscription index of another format, rebuilding");
                BTreeMap::new()
            }
            Err(reason) => {
                tracing::debug!(reason, "no stored subscription index, building");
                BTreeMap::new()
            }
        }
    }

    /// Replaces the stored index. That it cannot be written costs the next process time, nothing else.
    fn store(&self, entries: &BTreeMap<RepoRef, Entry>) {
        let write = || -> io::Result<()> {
            let directory = self.file.parent().ok_or(io::ErrorKind::InvalidInput)?;
            let mut file = tempfile::NamedTempFile::new_in(directory)?;
            let stored = Stored { format: FORMAT, repositories: entries.clone() };
            serde_json::to_writer(io::BufWriter::new(&mut file), &stored)?;
            file.persist(&self.file)?;
            Ok(())
        };
        if let Err(error) = write() {
            tracing::debug!(%error, file = %self.file.display(), "the subscription index is not stored");
        }
    }
}

impl State {
    fn index(&mut self) {
        self.subscribers.clear();
        for (repo, entry) in &self.entries {
            for key in &entry.keys {
                self.subscribers.entry(key.clone()).or_default().insert(repo.clone());
            }
        }
    }

    fn matching(&self, key: &EventKey) -> BTreeSet<RepoRef> {
        let keys = key.artifacts.iter().map(|name| Key(key.source.clone(), name.clone(), key.kind.clone()));
        keys.filter_map(|key| self.subscribers.get(&key)).flatten().cloned().collect()
    }

    fn broken(&self) -> Vec<Broken> {
        let broken = |(repo, entry): (&RepoRef, &Entry)| {
            Some(Broken { repo: repo.clone(), reason: entry.broken.clone()? })
        };
        self.entries.iter().filter_map(broken).collect()
    }
}

/// Everything `manifest` listens to. Disabled subscriptions do not count.
fn keys(manifest: &Manifest) -> BTreeSet<Key> {
    let enabled = manifest.subscriptions.iter().filter(|subscription| subscription.enabled);
    let keys = |subscription: &Subscription| {
        let artifact = subscription.artifact.clone();
        let key = move |kind: &str| Key(artifact.repo.clone(), artifact.name.clone(), kind.to_owned());
        subscription.events.iter().map(|kind| key(kind.as_str())).collect::<Vec<_>>()
    };
    enabled.flat_map(keys).collect()
}

/// The subscriptions of `manifest` to `key`, in file order.
fn subscriptions(repo: &RepoRef, manifest: Manifest, key: &EventKey) -> Vec<Candidate> {
    let matches = |subscription: &Subscription| {
        subscription.enabled
            && subscription.artifact.repo == key.source
            && key.artifacts.contains(&subscription.artifact.name)
            && subscription.events.iter().any(|kind| kind.as_str() == key.kind)
    };
    let all = manifest.subscriptions.into_iter().enumerate();
    all.filter(|(_, subscription)| matches(subscription))
        .map(|(index, subscription)| Candidate { repo: repo.clone(), index, subscription })
        .collect()
}

/// The manifest of the repository at `path`. One without a manifest listens to nothing.
fn load(set: &RepositorySet, path: &Path, layout: Layout) -> Result<Manifest, String> {
    let found = match layout {
        Layout::None => return Err("its directory holds no git repository".into()),
        Layout::Worktree => manifest::in_worktree(path),
        Layout::Bare => {
            let opened = Opened::at(path).map_err(|error| error.to_string())?;
            manifest::at_head(&opened.git)
        }
    };
    match found.map_err(|unreadable| unreadable.to_string())? {
        None => Ok(Manifest::default()),
        Some(found) => {
            let relative = path.strip_prefix(set.root()).unwrap_or(path);
            manifest::parse(&SourceFile::new(shown_name(relative, found.name), found.text))
        }
    }
}
