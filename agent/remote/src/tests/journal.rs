//! Reading journals.

use std::path::Path;
use std::sync::Arc;

use tako_engine::port::Journal;
use time::OffsetDateTime;

use super::courier::Agent;
use super::server::{Fate, Server};
use super::{Shelf, client_at, run, skipped, soon};
use crate::RemoteJournal;

#[tokio::test]
async fn what_does_not_exist_is_empty() {
    let server = Server::start();
    let journal = RemoteJournal::new(client_at(&server.url()));
    assert_eq!(soon(journal.read(&run(1), 0)).await.unwrap(), []);
    assert_eq!(soon(journal.tree(&run(1))).await.unwrap(), []);
    assert_eq!(soon(journal.find(&run(1))).await.unwrap(), None);
}

#[tokio::test]
async fn a_run_is_watched_through_an_outage() {
    let mut server = Server::start();
    let agent = Agent::new(client_at(&server.url()), &Arc::new(Shelf::default()), Path::new("/nowhere"));
    server.plan([Fate::CutBefore, Fate::Fine, Fate::CutWithin]);
    let run = run(1);
    let changed = agent.journal.changed(&run, 0);
    let outage = async {
        super::until(|| server.requests("runs").len() > 3).await;
        server.stop().await;
        let at = OffsetDateTime::UNIX_EPOCH;
        server.script().world.append(&run, None, vec![skipped("a")], at).unwrap();
        server.listen();
    };
    let (changed, ()) = soon(async { tokio::join!(changed, outage) }).await;
    changed.unwrap();
    server.plan([Fate::CutBefore]);
    assert_eq!(soon(agent.journal.read(&run, 0)).await.unwrap().len(), 1, "an agent asks again");
}
