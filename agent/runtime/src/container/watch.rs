//! Watches a step in its container until nothing of it lives.

use std::time::Duration;

use bollard::exec::{CreateExecOptions, StartExecOptions};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use tako_engine::port::RuntimeError;

use super::engine::{describe, failed, short, status};
use super::instance::Instance;
use super::spec::STEP_USER;
use crate::grace::Grace;

/// Between two questions whether the step has ended: at first and at most while its output is open,
const OFTEN: Duration = Duration::from_millis(100);
const SELDOM: Duration = Duration::from_millis(500);
/// and when its output is over, which mostly means that it has.
const SOON: Duration = Duration::from_millis(1);
const SOON_AT_MOST: Duration = Duration::from_millis(100);
/// How long the engine may give no answer. It is restarted sometimes.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long processes that end with the step have to do so.
const FAREWELL: Duration = Duration::from_millis(100);
/// Between two looks at processes that are being stopped.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Signals to everything that the step's user may signal; a stopped process does not hear the first one.
const TERMINATE: &str = "kill -TERM -1; kill -CONT -1";

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With this exit code.
    Code(i32),
    /// With its container, which we killed.
    Killed,
    /// With its container, for another reason.
    Lost,
}

/// Waits until the step `exec` has ended, and stops it when it is time to. `over` says when its output is.
pub(crate) async fn end(
    instance: &Instance,
    exec: &str,
    grace: &Grace,
    mut over: watch::Receiver<bool>,
) -> Result<End, RuntimeError> {
    let (mut asked, mut killed, mut is_over, mut has_ended) = (false, false, false, false);
    let mut pause = OFTEN;
    let mut next_look = Instant::now() + pause;
    let mut silent_since: Option<Instant> = None;
    let terminated = terminate_when_asked(instance, grace);
    let output_is_over = async {
        // A sender that is gone is as good.
        let _ = over.wait_for(|over| *over).await;
    };
    tokio::pin!(terminated, output_is_over);
    loop {
        tokio::select! {
            biased;
            () = grace.kill_due(), if !killed => {
                killed = true;
                (asked, pause, next_look) = (true, SOON, Instant::now());
                if let Err(error) = instance.remove().await {
                    tracing::warn!(container = short(instance.id()), %error, "cannot kill the container");
                    killed = false;
                    sleep(SELDOM).await;
                }
            }
            sent = &mut terminated, if !asked => {
                asked = true;
                if let Err(error) = sent {
                    tracing::debug!(%error, "cannot send SIGTERM");
                }
            }
            () = &mut output_is_over, if !is_over => {
                is_over = true;
                (pause, next_look) = (SOON, Instant::now());
            }
            () = instance.ended(), if !has_ended => {
                has_ended = true;
                (pause, next_look) = (SOON, Instant::now());
            }
            () = sleep_until(next_look) => {
                match instance.engine().docker().inspect_exec(exec).await {
                    Ok(found) if found.running != Some(true) && found.exit_code.is_some() => {
                        let code = found.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(-1);
                        return Ok(if killed { End::Killed } else { judge(instance, code).await });
                    }
                    Ok(_) if has_ended || killed => {
                        let since = *silent_since.get_or_insert_with(Instant::now);
                        if since.elapsed() > PATIENCE {
                            return Ok(if killed { End::Killed } else { End::Lost });
                        }
                    }
                    Ok(_) => silent_since = None,
                    // The container is gone, and what ran in it.
                    Err(error) if matches!(status(&error), Some(404 | 409)) => {
                        return Ok(if killed { End::Killed } else { End::Lost });
                    }
                    Err(error) => {
                        let since = *silent_since.get_or_insert_with(Instant::now);
                        if since.elapsed() > PATIENCE {
                            return Err(failed("watch the step", &error));
                        }
                        tracing::debug!(error = describe(&error), "the engine does not answer");
                    }
                }
                let most = if is_over || has_ended { SOON_AT_MOST } else { SELDOM };
                pause = (pause * 2).min(most);
                next_look = Instant::now() + pause;
            }
        }
    }
}

/// A process that was killed, and whose container does not run any more, was killed with it.
async fn judge(instance: &Instance, code: i32) -> End {
    if code != 137 {
        return End::Code(code);
    }
    // Its end may be reported before the container's.
    if timeout(FAREWELL, instance.ended()).await.is_ok() {
        return End::Lost;
    }
    match instance.engine().docker().inspect_container(instance.id(), None).await {
        Ok(found) if found.state.as_ref().and_then(|state| state.running) != Some(false) => End::Code(code),
        Ok(_) => End::Lost,
        Err(error) if status(&error) == Some(404) => End::Lost,
        Err(_) => End::Code(code),
    }
}

async fn terminate_when_asked(instance: &Instance, grace: &Grace) -> Result<(), RuntimeError> {
    grace.asked().await;
    let docker = instance.engine().docker();
    let options = CreateExecOptions {
        cmd: Some(["/bin/sh", "-c", TERMINATE].map(str::to_owned).to_vec()),
        user: Some(STEP_USER.to_owned()),
        ..Default::default()
    };
    let send = async {
        let exec = docker.create_exec(instance.id(), options).await?;
        docker.start_exec(&exec.id, Some(StartExecOptions { detach: true, ..Default::default() })).await
    };
    send.await.map(drop).map_err(|error| failed("stop the step", &error))
}

/// Ends what the step left running, in one way: with its container. While the step is being stopped, it has what is
/// left of the grace.
pub(crate) async fn clear_up(instance: &Instance, grace: &Grace) -> Result<(), RuntimeError> {
    if instance.has_ended() {
        // Returns when it is gone.
        return instance.remove().await;
    }
    let mut limit = Instant::now() + FAREWELL;
    let mut pause = SOON;
    while instance.strangers().await? > 0 {
        if grace.is_asked() {
            limit = grace.kill_at().unwrap_or_else(|| Instant::now() + SELDOM);
        }
        if Instant::now() >= limit {
            tracing::debug!(container = short(instance.id()), "the step left processes running");
            return instance.remove().await;
        }
        sleep(pause.min(limit.saturating_duration_since(Instant::now()))).await;
        pause = (pause * 2).min(LOOK_AGAIN);
    }
    Ok(())
}
