//! Where a run finds its repository.

use std::path::PathBuf;

use tako_schemas::journal::Created;

use crate::port::Origin;

/// Where a run's repository lies.
#[must_use]
pub(crate) fn origin(created: &Created) -> Origin {
    match (&created.local, &created.commit) {
        (Some(path), _) => Origin::Local { path: PathBuf::from(path), name: Some(created.repo.clone()) },
        (None, Some(commit)) => Origin::Commit { repo: created.repo.clone(), commit: commit.clone() },
        (None, None) => Origin::Set(created.repo.clone()),
    }
}
