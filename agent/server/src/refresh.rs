//! The repositories that are named in full are brought into the set when the server starts.

use std::sync::Arc;
use std::time::Duration;

use backoff::{ExponentialBuilder, Retryable};
use futures_util::StreamExt;
use tako_engine::port::RepoError;
use tako_schemas::id::{RepoId, RepoRef};

use crate::app::App;
use crate::text::chain;

/// How many are fetched at one moment.
const AT_ONCE: usize = 4;

/// Brings every repository that is named in full to what its remote has now, however long that takes.
pub(crate) async fn all(app: Arc<App>) {
    let refreshing =
        futures_util::stream::iter(&app.named).for_each_concurrent(AT_ONCE, |repo| one(&app, repo));
    tokio::select! {
        () = app.stop.cancelled() => {}
        () = refreshing => {}
    }
}

async fn one(app: &App, repo: &RepoId) {
    let patience = app.patience;
    let delays = ExponentialBuilder::default()
        .with_min_delay(patience.first_retry)
        .with_max_delay(patience.longest_retry)
        .with_jitter()
        .without_max_times();
    let wanted = RepoRef::from(repo.clone());
    let refresh = || app.parts.keeper.refresh(&wanted);
    let told = |error: &RepoError, pause: Duration| {
        tracing::warn!(%repo, error = chain(error), ?pause, "cannot bring the repository into the set yet");
    };
    let refreshed = refresh.retry(delays).when(crate::intake::may_pass).notify(told).await;
    match refreshed {
        Ok(()) => tracing::debug!(%repo, "in the set"),
        Err(error) => {
            tracing::error!(%repo, error = chain(&error), "cannot bring the repository into the set");
        }
    }
}
