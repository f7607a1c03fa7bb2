//! Ports that the tests play: repositories made of strings that fail when told to, logs in memory.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use indexmap::IndexMap;
use tako_engine::port::{
    Candidate, Candidates, Checkout, Clock, EventKey, Ids, JournalError, LogName, Logs, Observer, Origin,
    RepoError, RepoKeeper, RepoSource, StepHandler, StepRegistry, StepSpec, Workspace,
};
use tako_schemas::diagnostic::SourceFile;
use tako_schemas::id::{RepoRef, RunId, StepId};
use tako_schemas::journal::Recorded;
use tako_schemas::load;
use time::OffsetDateTime;

/// The commit that the set has of every repository.
pub(super) const COMMIT: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

/// What is wrong with a repository.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Its git server does not answer.
    Down,
    /// Whoever looks at it panics.
    Poison,
}

/// A repository set in memory.
#[derive(Default)]
pub(super) struct Repos {
    pub(super) manifests: Mutex<IndexMap<RepoRef, String>>,
    pub(super) trouble: Mutex<HashMap<String, Trouble>>,
    pub(super) refreshed: Mutex<Vec<RepoRef>>,
    /// How often a git server was found to be down.
    pub(super) failures: AtomicU32,
}

impl Repos {
    pub(super) fn put(&self, repo: &str, manifest: &str) {
        self.manifests.lock().unwrap().insert(repo.parse().unwrap(), manifest.to_owned());
    }

    pub(super) fn trouble(&self, repo: &str, trouble: Option<Trouble>) {
        let mut all = self.trouble.lock().unwrap();
        match trouble {
            Some(trouble) => all.insert(repo.to_owned(), trouble),
            None => all.remove(repo),
        };
    }

    fn suffer(&self, repo: &RepoRef) -> Result<(), RepoError> {
        let trouble = self.trouble.lock().unwrap().get(&repo.repo.to_string()).copied();
        match trouble {
            Some(Trouble::Poison) => panic!("poison"),
            Some(Trouble::Down) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                Err(RepoError::Git { action: format!("fetch {repo}"), source: "no route to host".into() })
            }
            None => Ok(()),
        }
    }
}

#[async_trait]
impl RepoSource for Repos {
    async fn open(&self, origin: &Origin) -> Result<Checkout, RepoError> {
        let (repo, commit) = match origin {
            Origin::Set(repo) => (repo, COMMIT.to_owned()),
            Origin::Commit { repo, commit } => (repo, commit.clone()),
            Origin::Local { .. } => panic!("a server has no checkouts of users"),
        };
        self.suffer(repo)?;
        let branch = repo.branch.clone().unwrap_or_else(|| "main".parse().unwrap());
        let repo = repo.repo.clone().at(branch);
        let manifests = self.manifests.lock().unwrap();
        let text = manifests.get(&repo).ok_or_else(|| RepoError::NotCached {
            repo: Box::new(repo.clone()),
            reason: "there is none".to_owned(),
            hint: "make one".to_owned(),
            fetched: false,
        })?;
        let manifest = SourceFile::new("tako.yml", text.clone());
        let path = PathBuf::from("/nowhere");
        Ok(Checkout { repo, path, origin: origin.clone(), commit, pinned: true, manifest })
    }

    async fn file(&self, _: &Checkout, path: &str) -> Result<Vec<u8>, RepoError> {
        Err(RepoError::NoFile { path: path.to_owned(), reason: "there is no such file".to_owned() })
    }

    async fn workspace(&self, _: &Checkout, _: &RunId, _: &[String]) -> Result<Workspace, RepoError> {
        panic!("a server has no workspaces")
    }

    async fn keeps(&self, _: &Workspace) -> Result<bool, RepoError> {
        Ok(false)
    }

    async fn copy_back(&self, _: &Workspace, _: &Origin, _: &[String]) -> Result<(), RepoError> {
        Ok(())
    }

    async fn discard(&self, _: &RunId) -> Result<(), RepoError> {
        Ok(())
    }

    async fn subscribers(&self, key: &EventKey) -> Result<Candidates, RepoError> {
        let mut candidates = Candidates::default();
        for (repo, text) in self.manifests.lock().unwrap().iter() {
            let Some(manifest) = load::load(&SourceFile::new("tako.yml", text.clone())).manifest else {
                continue;
            };
            for (index, subscription) in manifest.subscriptions.into_iter().enumerate() {
                let to_it = subscription.artifact.repo == key.source
                    && key.artifacts.contains(&subscription.artifact.name)
                    && subscription.events.iter().any(|event| event.as_str() == key.kind);
                if to_it && subscription.enabled {
                    candidates.found.push(Candidate { repo: repo.clone(), index, subscription });
                }
            }
        }
        Ok(candidates)
    }
}

#[async_trait]
impl RepoKeeper for Repos {
    async fn refresh(&self, repo: &RepoRef) -> Result<(), RepoError> {
        self.suffer(repo)?;
        self.refreshed.lock().unwrap().push(repo.clone());
        Ok(())
    }
}

/// Logs in memory.
#[derive(Default)]
pub(super) struct Memory(Mutex<HashMap<LogName, Vec<u8>>>);

#[async_trait]
impl Logs for Memory {
    async fn append(&self, log: &LogName, offset: u64, bytes: Bytes) -> Result<u64, JournalError> {
        let mut logs = self.0.lock().unwrap();
        let log = logs.entry(log.clone()).or_default();
        let offset = usize::try_from(offset).unwrap();
        if offset > log.len() {
            return Err(JournalError::Refused { reason: "beyond the end".to_owned() });
        }
        log.extend(bytes.iter().skip(log.len() - offset));
        Ok(log.len() as u64)
    }

    async fn read(
        &self,
        log: &LogName,
        offset: u64,
        limit: usize,
        _: Duration,
    ) -> Result<Bytes, JournalError> {
        let logs = self.0.lock().unwrap();
        let log = logs.get(log).map(Vec::as_slice).unwrap_or_default();
        let rest = log.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        Ok(Bytes::copy_from_slice(&rest[..rest.len().min(limit)]))
    }

    async fn length(&self, log: &LogName) -> Result<u64, JournalError> {
        Ok(self.0.lock().unwrap().get(log).map_or(0, |log| log.len() as u64))
    }
}

/// The machine's time.
pub(super) struct Now;

#[async_trait]
impl Clock for Now {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    async fn sleep(&self, pause: Duration) {
        tokio::time::sleep(pause).await;
    }
}

/// Names in a row.
#[derive(Default)]
pub(super) struct Row(AtomicU32);

impl Ids for Row {
    fn run(&self, at: OffsetDateTime) -> RunId {
        RunId::new(at, self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn event(&self) -> String {
        format!("event-{}", self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// No built-in steps.
pub(super) struct NoSteps;

impl StepRegistry for NoSteps {
    fn get(&self, _: &str) -> Option<&dyn StepHandler> {
        None
    }

    fn specs(&self) -> Vec<&'static StepSpec> {
        Vec::new()
    }
}

/// Nobody watches.
pub(super) struct Nobody;

#[async_trait]
impl Observer for Nobody {
    async fn entry(&self, _: &RunId, _: &Recorded) {}

    async fn output(&self, _: &RunId, _: &StepId, _: &[u8]) {}
}
