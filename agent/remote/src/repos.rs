//! Repositories of an agent: its own clones, and the server's knowledge of who subscribes to whom.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tako_engine::port::{
    Broken, Candidate, Candidates, Checkout, EventKey, Lease, Origin, RepoError, RepoSource, Workspace,
};
use tako_engine::wire::{Subscriber, Subscribers, SubscribersOf};
use tako_schemas::diagnostic::{Diagnostic, SourceFile};
use tako_schemas::id::{RepoRef, RunId};

use crate::client::Client;
use crate::error::ClientError;
use crate::manifests::{Known, Manifests};

/// Clones and workspaces of this machine, and the repository set of the server.
pub struct RemoteRepos {
    client: Client,
    local: Arc<dyn RepoSource>,
    manifests: Mutex<Manifests>,
}

impl RemoteRepos {
    /// `local` has the clones and workspaces; `client`'s server has the set.
    #[must_use]
    pub fn new(client: Client, local: Arc<dyn RepoSource>) -> Self {
        Self { client, local, manifests: Mutex::default() }
    }

    /// What the server's set has of `repo`, as the last answer about subscribers told.
    fn known(&self, repo: &RepoRef) -> Result<Checkout, RepoError> {
        let Some(Known { commit, file }) = self.manifests().get(repo) else {
            return Err(RepoError::NotCached {
                repo: Box::new(repo.clone()),
                reason: "the repository set is the server's, and it has not told this agent about it"
                    .to_owned(),
                hint: "runs on agents name their commit; start the run on the server".to_owned(),
                fetched: false,
            });
        };
        let origin = Origin::Commit { repo: repo.clone(), commit: commit.clone() };
        Ok(Checkout {
            repo: repo.clone(),
            path: PathBuf::new(),
            origin,
            commit,
            pinned: true,
            manifest: file,
        })
    }

    async fn ask(&self, key: &EventKey) -> Result<Subscribers, ClientError> {
        let mut lost = None;
        // Whatever lease the question is asked under, the answer is the same; one may be over by now.
        for lease in self.client.leases().of(&key.source) {
            match self.ask_under(lease, key).await {
                Err(error) if error.is_lease_lost() => lost = Some(error),
                answer => return answer,
            }
        }
        Err(lost.unwrap_or_else(|| ClientError::Setup {
            action: "ask the server".to_owned(),
            source: format!("no run of {} is led here", key.source).into(),
        }))
    }

    async fn ask_under(&self, lease: Lease, key: &EventKey) -> Result<Subscribers, ClientError> {
        let EventKey { source, artifacts, kind } = key.clone();
        let ask = self.client.post(&["subscribers"], &SubscribersOf { lease, source, artifacts, kind })?;
        self.client.insist(&ask, || ()).await?.json().await
    }

    fn manifests(&self) -> MutexGuard<'_, Manifests> {
        self.manifests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RepoSource for RemoteRepos {
    async fn open(&self, origin: &Origin) -> Result<Checkout, RepoError> {
        match origin {
            Origin::Set(repo) => self.known(repo),
            Origin::Local { .. } | Origin::Commit { .. } => self.local.open(origin).await,
        }
    }

    async fn file(&self, checkout: &Checkout, path: &str) -> Result<Vec<u8>, RepoError> {
        self.local.file(checkout, path).await
    }

    async fn workspace(
        &self,
        checkout: &Checkout,
        run: &RunId,
        sparse: &[String],
    ) -> Result<Workspace, RepoError> {
        self.local.workspace(checkout, run, sparse).await
    }

    async fn keeps(&self, workspace: &Workspace) -> Result<bool, RepoError> {
        self.local.keeps(workspace).await
    }

    async fn copy_back(&self, workspace: &Workspace, to: &Origin, paths: &[String]) -> Result<(), RepoError> {
        self.local.copy_back(workspace, to, paths).await
    }

    async fn discard(&self, run: &RunId) -> Result<(), RepoError> {
        self.local.discard(run).await
    }

    async fn subscribers(&self, key: &EventKey) -> Result<Candidates, RepoError> {
        let action = || format!("find out who subscribes to `{}` of {}", key.kind, key.source);
        let failed = |error: ClientError| RepoError::Git { action: action(), source: Box::new(error) };
        let Subscribers { found, broken } = self.ask(key).await.map_err(failed)?;
        // Reading files is no work for the runtime's threads. Their number is bounded by the answer's length.
        let read = tokio::task::spawn_blocking(move || found.into_iter().map(Read::new).collect::<Vec<_>>());
        let read =
            read.await.map_err(|error| RepoError::Git { action: action(), source: Box::new(error) })?;
        let mut candidates = Candidates { found: Vec::new(), broken };
        for Read { repo, known, found, broken } in read {
            self.manifests().put(repo, known);
            candidates.found.extend(found);
            candidates.broken.extend(broken);
        }
        Ok(candidates)
    }
}

/// A subscriber, its file read here as it was read there.
struct Read {
    repo: RepoRef,
    known: Known,
    found: Vec<Candidate>,
    broken: Option<Broken>,
}

impl Read {
    fn new(subscriber: Subscriber) -> Self {
        let Subscriber { repo, commit, file, manifest, mut subscriptions } = subscriber;
        let known = Known { commit, file: SourceFile::new(file, manifest) };
        subscriptions.sort_unstable();
        subscriptions.dedup();
        let loaded = tako_schemas::load::load(&known.file);
        let mut reason = None;
        let mut found = Vec::new();
        match loaded.manifest {
            None => {
                let error = loaded.diagnostics.iter().find(|problem| Diagnostic::is_error(problem));
                reason = error.map(|error| known.file.one_line(error));
            }
            Some(manifest) => {
                for index in subscriptions {
                    match manifest.subscriptions.get(index) {
                        Some(subscription) => found.push(Candidate {
                            repo: repo.clone(),
                            index,
                            subscription: subscription.clone(),
                        }),
                        None => {
                            let name = known.file.name();
                            reason = Some(format!(
                                "{name}: the server knows a subscription {index}, this agent does not"
                            ));
                        }
                    }
                }
            }
        }
        let broken = reason.map(|reason| Broken { repo: repo.clone(), reason });
        Self { repo, known, found, broken }
    }
}
