//! Repositories made of strings.

use std::path::PathBuf;
use std::sync::Mutex;

use async_trait::async_trait;
use indexmap::IndexMap;
use tako_engine::port::{
    Candidate, Candidates, Checkout, EventKey, Origin, RepoError, RepoSource, Workspace,
};
use tako_schemas::diagnostic::SourceFile;
use tako_schemas::id::{RepoRef, RunId};
use tako_schemas::load;

/// A repository set in memory: `tako.yml` by repository.
#[derive(Debug, Default)]
pub struct FakeRepos {
    manifests: IndexMap<RepoRef, String>,
    /// What stands beside every `tako.yml`, by path.
    pub files: Mutex<IndexMap<String, String>>,
    /// Workspaces that exist.
    pub workspaces: Mutex<Vec<RunId>>,
}

impl FakeRepos {
    /// A set of these repositories, `owner/repo:branch` with its file.
    ///
    /// # Panics
    ///
    /// If a name is none.
    #[must_use]
    pub fn new(manifests: &[(&str, &str)]) -> Self {
        let parse =
            |(name, text): &(&str, &str)| (name.parse().expect("owner/repo:branch"), (*text).to_owned());
        Self { manifests: manifests.iter().map(parse).collect(), ..Self::default() }
    }
}

#[async_trait]
impl RepoSource for FakeRepos {
    async fn open(&self, origin: &Origin) -> Result<Checkout, RepoError> {
        let Origin::Set(repo) = origin else {
            return Err(RepoError::NotARepository {
                path: PathBuf::new(),
                reason: "not in the set".to_owned(),
            });
        };
        let text = self.manifests.get(repo).ok_or_else(|| RepoError::NoManifest {
            repo: Box::new(repo.clone()),
            reason: "there is none".to_owned(),
        })?;
        Ok(Checkout {
            repo: repo.clone(),
            path: PathBuf::from("/nowhere"),
            origin: origin.clone(),
            commit: "c0ffee".to_owned(),
            pinned: false,
            manifest: SourceFile::new("tako.yml", text.clone()),
        })
    }

    async fn file(&self, _checkout: &Checkout, path: &str) -> Result<Vec<u8>, RepoError> {
        let files = self.files.lock().expect("no test panics in here");
        let missing =
            || RepoError::NoFile { path: path.to_owned(), reason: "there is no such file".to_owned() };
        files.get(path).map(|text| text.clone().into_bytes()).ok_or_else(missing)
    }

    async fn workspace(
        &self,
        _checkout: &Checkout,
        run: &RunId,
        _sparse: &[String],
    ) -> Result<Workspace, RepoError> {
        self.workspaces.lock().expect("no test panics in here").push(run.clone());
        Ok(Workspace {
            path: PathBuf::from("/nowhere").join(run.as_str()),
            commit: "c0ffee".to_owned(),
            dirty: false,
        })
    }

    async fn keeps(&self, workspace: &Workspace) -> Result<bool, RepoError> {
        let known = self.workspaces.lock().expect("no test panics in here");
        Ok(known.iter().any(|run| workspace.path.ends_with(run.as_str())))
    }

    async fn copy_back(
        &self,
        _workspace: &Workspace,
        _to: &Origin,
        _paths: &[String],
    ) -> Result<(), RepoError> {
        Ok(())
    }

    async fn discard(&self, run: &RunId) -> Result<(), RepoError> {
        self.workspaces.lock().expect("no test panics in here").retain(|known| known != run);
        Ok(())
    }

    async fn subscribers(&self, key: &EventKey) -> Result<Candidates, RepoError> {
        let mut candidates = Candidates::default();
        for (repo, text) in &self.manifests {
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
