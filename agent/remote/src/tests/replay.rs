//! After an agent's restart.

use std::sync::Arc;

use tako_engine::port::{Letter, Outbox};

use super::courier::Agent;
use super::server::{Fate, Server};
use super::shipper::log;
use super::{Shelf, adding, client_at, finished, lease, owner, run, skipped, soon, until};
use crate::{Replayed, replay};
use tako_engine::port::{Journal, Observer};

#[tokio::test]
async fn an_agent_that_died_is_heard_all_the_same() {
    let mut server = Server::start();
    let (shelf, lease) = (Arc::new(Shelf::default()), lease(1, 4));
    let directory = tempfile::tempdir().unwrap();
    {
        let agent = Agent::new(client_at(&server.url()), &shelf, directory.path());
        agent.claims(&lease).await;
        agent.starts(&lease, "build").await;
        std::fs::write(log(directory.path()), "begun").unwrap();
        agent.shipper.output(&run(1), &super::step("build"), b"begun").await;
        until(|| !server.script().world.logs.is_empty()).await;
        server.stop().await;
        std::fs::write(log(directory.path()), "begun and done").unwrap();
        let commit = agent.journal.commit(adding(&lease, 0, vec![skipped("a")]));
        tokio::select! {
            _ = commit => panic!("nobody listens"),
            () = until(|| !shelf.letters().is_empty()) => {}
        }
    }
    // Logs of `tako exec` in the same place, and what else may lie about.
    let other = directory.path().join(run(2).as_str());
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("build.log"), "mine").unwrap();
    std::fs::write(other.join("evil.log.lease"), "{}").unwrap();
    std::os::unix::fs::symlink("/etc", directory.path().join("etc")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", other.join("passwd.lease")).unwrap();

    let client = client_at(&server.url());
    let tell = replay(&client, shelf.as_ref(), directory.path());
    let (told, ()) = soon(async { tokio::join!(tell, async { server.listen() }) }).await;
    soon(client.release(&owner())).await.unwrap();

    assert_eq!(told.unwrap(), Replayed { told: 1, dropped: 0, logs: 1 });
    assert_eq!(server.script().world.history, ["log to 5", "log to 14", "step_skipped", "release"]);
    assert!(shelf.letters().is_empty());
    assert!(!directory.path().join(run(1).as_str()).exists());
    assert!(other.join("build.log").exists());
}

#[tokio::test]
async fn letters_go_in_their_order_and_refusals_are_dropped() {
    let server = Server::start();
    let shelf = Arc::new(Shelf::default());
    let letter = |number_of_run: u32, attempt, number: u64, seq: u64| {
        let lease = lease(number_of_run, attempt);
        let transaction = adding(&lease, seq, vec![finished("a")]);
        let commit = tako_engine::wire::Commit {
            lease: lease.clone(),
            number,
            at: time::OffsetDateTime::UNIX_EPOCH,
            settle: None,
            appends: transaction.appends,
            push: Vec::new(),
        };
        Letter { run: lease.run, attempt, number, body: serde_json::to_string(&commit).unwrap() }
    };
    server.script().world.lost.push((run(3), 1));
    server.plan([Fate::CutAfter]);
    for kept in [letter(1, 1, 2, 1), letter(1, 1, 1, 0), letter(2, 1, 1, 7), letter(3, 1, 1, 0)] {
        shelf.put(&kept).await.unwrap();
    }
    let nowhere = std::path::Path::new("/nowhere");
    let told = soon(replay(&client_at(&server.url()), shelf.as_ref(), nowhere)).await.unwrap();
    assert_eq!(told, Replayed { told: 2, dropped: 2, logs: 0 });
    assert_eq!(server.script().world.history, ["step_finished", "step_finished"]);
    assert_eq!(server.script().world.gaps, 0);
    assert!(shelf.letters().is_empty());
}

#[tokio::test]
async fn a_wrong_token_drops_nothing() {
    let server = Server::start();
    let shelf = Arc::new(Shelf::default());
    let kept = Letter { run: run(1), attempt: 1, number: 1, body: r#"{"ending":{}}"#.to_owned() };
    shelf.put(&kept).await.unwrap();
    let denied = "HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n".to_owned();
    server.plan([Fate::Says(denied)]);
    let nowhere = std::path::Path::new("/nowhere");
    let error = soon(replay(&client_at(&server.url()), shelf.as_ref(), nowhere)).await.unwrap_err();
    assert!(error.to_string().contains("token"), "{error}");
    assert_eq!(shelf.numbers(), [1]);
    assert_eq!(server.requests("finish").len(), 1);
}
