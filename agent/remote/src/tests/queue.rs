//! Claiming and renewing.

use std::time::Duration;

use tako_engine::port::{ClaimRequest, Queue, QueueError};
use tako_engine::wire::Claim;
use tokio::time::timeout;

use super::server::{Fate, Server};
use super::{client_at, lease, owner, run, soon, until};
use crate::RemoteQueue;

const WAIT: Duration = Duration::from_secs(10);

fn request() -> ClaimRequest {
    ClaimRequest { owner: owner(), root: None, labels: Some(vec!["linux".to_owned()]) }
}

fn names(server: &Server) -> Vec<String> {
    let name =
        |request: super::server::Request| serde_json::from_slice::<Claim>(&request.body).unwrap().request;
    server.requests("claim").into_iter().map(name).collect()
}

#[tokio::test]
async fn a_job_whose_answer_was_lost_is_got_all_the_same() {
    for fate in [Fate::CutBefore, Fate::CutAfter, Fate::CutWithin] {
        let server = Server::start();
        server.script().world.jobs.extend([lease(1, 1), lease(2, 1)]);
        server.plan([fate.clone(), fate.clone()]);
        let queue = RemoteQueue::new(client_at(&server.url()));
        let got = soon(queue.claim(&request(), WAIT)).await.unwrap().unwrap();
        assert_eq!(got, lease(1, 1), "{fate:?}");
        let got = soon(queue.claim(&request(), WAIT)).await.unwrap().unwrap();
        assert_eq!(got, lease(2, 1), "{fate:?}");
        let names = names(&server);
        assert_eq!((&names[0], &names[0]), (&names[1], &names[2]), "{fate:?}: repeated by its name");
        assert_ne!(names[2], names[3], "{fate:?}: another request");
        assert_eq!(queue.lease_period(), Duration::from_secs(12));
    }
}

#[tokio::test]
async fn a_claim_that_was_dropped_is_asked_again_by_its_name() {
    let server = Server::start();
    server.script().world.jobs.push_back(lease(1, 1));
    server.plan([Fate::Hangs]);
    let queue = RemoteQueue::new(client_at(&server.url()));
    let request = request();
    {
        let mut claim = queue.claim(&request, WAIT);
        assert!(timeout(Duration::from_millis(1), &mut claim).await.is_err());
        let arrives = until(|| !server.requests("claim").is_empty());
        tokio::select! {
            _ = &mut claim => panic!("nobody answers"),
            () = arrives => {}
        }
    }
    assert!(soon(queue.claim(&request, WAIT)).await.unwrap().is_some());
    let names = names(&server);
    assert_eq!(names[0], names[1]);
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for() {
    let mut server = Server::down();
    let queue = RemoteQueue::new(client_at(&server.url()));
    assert!(soon(queue.claim(&request(), Duration::from_millis(5))).await.unwrap().is_none());

    server.script().world.jobs.push_back(lease(1, 1));
    server.listen();
    assert!(soon(queue.claim(&request(), WAIT)).await.unwrap().is_some());
}

#[tokio::test]
async fn retry_after_outlasts_the_call() {
    let server = Server::start();
    server.plan([Fate::Says("HTTP/1.1 503 No\r\nretry-after: 200\r\ncontent-length: 0\r\n\r\n".to_owned())]);
    let queue = RemoteQueue::new(client_at(&server.url()));
    for _ in 0..3 {
        assert!(soon(queue.claim(&request(), Duration::from_millis(5))).await.unwrap().is_none());
    }
    assert_eq!(server.requests("claim").len(), 1, "it is left alone");
}

#[tokio::test]
async fn refusals_are_told() {
    let server = Server::start();
    let queue = RemoteQueue::new(client_at(&server.url()));
    server.plan([Fate::Says("HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n".to_owned())]);
    let error = soon(queue.claim(&request(), WAIT)).await.unwrap_err();
    assert!(matches!(&error, QueueError::Refused { reason } if reason.contains("token")), "{error:?}");
    for wrong in
        [ClaimRequest { root: Some(run(1)), ..request() }, ClaimRequest { labels: None, ..request() }]
    {
        assert!(matches!(soon(queue.claim(&wrong, WAIT)).await, Err(QueueError::Refused { .. })));
    }
}

#[tokio::test]
async fn renewing_is_tried_once() {
    let mut server = Server::start();
    let client = client_at(&server.url());
    let queue = RemoteQueue::new(client.clone());
    let lease = lease(1, 1);
    client.leases().hold(&lease);
    soon(queue.renew(&lease)).await.unwrap();

    server.plan([Fate::CutBefore]);
    let error = soon(queue.renew(&lease)).await.unwrap_err();
    assert!(matches!(error, QueueError::Store { .. }), "{error:?}");
    assert_eq!(server.requests("renew").len(), 2);

    server.stop().await;
    assert!(matches!(soon(queue.renew(&lease)).await, Err(QueueError::Down { .. })));
    assert!(client.leases().turn(&lease).is_some());

    server.listen();
    server.script().world.lost.push((run(1), 1));
    let error = soon(queue.renew(&lease)).await.unwrap_err();
    assert!(matches!(error, QueueError::LeaseLost { attempt: 1, .. }), "{error:?}");
    assert!(client.leases().turn(&lease).is_none(), "nothing is written under it any more");
}
