//! Logs: every byte once, whatever happens on the way.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tako_engine::port::{LogName, Logs, Observer};
use tako_engine::wire::LOG_PIECE_BYTES;
use tako_schemas::journal::Entry;

use super::courier::Agent;
use super::server::{Fate, Server};
use super::{Shelf, client_at, lease, run, soon, step, until};
use crate::RemoteLogs;

struct Scene {
    server: Server,
    agent: Agent,
    directory: tempfile::TempDir,
}

impl Scene {
    /// An agent whose step `build` of run 1 has begun.
    async fn new() -> Self {
        let server = Server::start();
        let directory = tempfile::tempdir().unwrap();
        let agent = Agent::new(client_at(&server.url()), &Arc::new(Shelf::default()), directory.path());
        agent.claims(&lease(1, 1)).await;
        agent.starts(&lease(1, 1), "build").await;
        Self { server, agent, directory }
    }

    fn log(&self) -> PathBuf {
        log(self.directory.path())
    }

    /// The step writes, as the runtime has it do.
    async fn write(&self, bytes: &[u8]) {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(self.log()).unwrap();
        file.write_all(bytes).unwrap();
        self.agent.shipper.output(&run(1), &step("build"), bytes).await;
    }

    fn arrived(&self) -> Vec<u8> {
        let script = self.server.script();
        script.world.logs.get(&format!("{}/build/1", run(1))).cloned().unwrap_or_default()
    }

    async fn flush(&self) {
        soon(self.agent.shipper.flush(&run(1), &step("build"))).await;
    }
}

pub(super) fn log(directory: &Path) -> PathBuf {
    directory.join(format!("{}/build.1.log", run(1)))
}

/// Bytes in which every loss and every repetition shows.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test]
async fn output_is_seen_while_the_step_runs() {
    let scene = Scene::new().await;
    scene.write(b"first\n").await;
    until(|| scene.arrived() == b"first\n").await;
    scene.write(b"second\n").await;
    until(|| scene.arrived() == b"first\nsecond\n").await;
    let logs = RemoteLogs::new(scene.agent.client.clone());
    let name = LogName { run: run(1), step: step("build"), attempt: 1 };
    assert_eq!(soon(logs.length(&name)).await.unwrap(), 13);
    let rest = soon(logs.read(&name, 6, 100, std::time::Duration::ZERO)).await.unwrap();
    assert_eq!(&rest[..], b"second\n");
    assert_eq!(soon(logs.append(&name, 13, "third\n".into())).await.unwrap(), 19);
}

#[tokio::test]
async fn every_byte_arrives_once() {
    let mut scene = Scene::new().await;
    let bytes = noise(5 * LOG_PIECE_BYTES / 2);
    let fates = [Fate::CutAfter, Fate::Fine, Fate::CutBefore, Fate::CutWithin, Fate::Fine, Fate::CutAfter];
    for (index, part) in bytes.chunks(bytes.len() / 12 + 1).enumerate() {
        scene.server.plan(fates.iter().cycle().skip(index).take(2).cloned());
        if index % 4 == 3 {
            scene.server.stop().await;
            scene.write(part).await;
            scene.server.listen();
        } else {
            scene.write(part).await;
        }
        if index % 3 == 0 {
            scene.flush().await;
        }
    }
    scene.flush().await;
    assert!(scene.arrived() == bytes, "something is lost or doubled");
    let longest = scene.server.requests("runs").iter().map(|request| request.body.len()).max().unwrap();
    assert!(longest <= LOG_PIECE_BYTES);
}

#[tokio::test]
async fn a_long_log_goes_in_pieces() {
    let scene = Scene::new().await;
    let bytes = noise(2 * LOG_PIECE_BYTES + 1);
    scene.write(&bytes).await;
    scene.flush().await;
    assert!(scene.arrived() == bytes);
    let sizes: Vec<usize> = scene.server.requests("runs").iter().map(|request| request.body.len()).collect();
    assert_eq!(sizes, [LOG_PIECE_BYTES, LOG_PIECE_BYTES, 1]);
}

#[tokio::test]
async fn a_server_that_forgot_something_gets_it_again() {
    let scene = Scene::new().await;
    scene.write(b"0123456789").await;
    scene.flush().await;
    scene.server.script().world.logs.values_mut().for_each(|log| log.truncate(4));
    scene.write(b"abc").await;
    scene.flush().await;
    assert_eq!(scene.arrived(), b"0123456789abc");
}

#[tokio::test]
async fn a_log_that_is_refused_holds_nothing_up() {
    let scene = Scene::new().await;
    scene.server.script().world.log_limit = Some(8);
    scene.write(b"0123").await;
    scene.flush().await;
    scene.write(b"456789").await;
    scene.flush().await;
    scene.flush().await;
    assert_eq!(scene.arrived(), b"0123");
    soon(scene.agent.shipper.forget(&run(1))).await;
    assert!(!scene.log().exists(), "nobody will ever want it");
}

#[tokio::test]
async fn a_lost_lease_ends_it() {
    let scene = Scene::new().await;
    scene.server.script().world.lost.push((run(1), 1));
    scene.write(b"0123").await;
    scene.flush().await;
    assert_eq!(scene.arrived(), b"");
}

#[tokio::test]
async fn what_has_not_arrived_is_not_removed() {
    let scene = Scene::new().await;
    scene.write(b"0123").await;
    scene.flush().await;
    scene.server.stop().await;
    scene.write(b"4567").await;
    soon(scene.agent.shipper.forget(&run(1))).await;
    assert!(scene.log().exists());
    assert!(scene.log().with_extension("log.lease").exists(), "it tells whose log it is");
}

#[tokio::test]
async fn entries_of_earlier_leases_are_history() {
    let server = Server::start();
    let directory = tempfile::tempdir().unwrap();
    let agent = Agent::new(client_at(&server.url()), &Arc::new(Shelf::default()), directory.path());
    agent.client.leases().hold(&lease(1, 2));
    for entry in [
        Entry::Claimed { owner: super::owner(), attempt: 1 },
        Entry::StepStarted { step: step("build"), attempt: 1 },
        Entry::Interrupted { reason: "the agent died".to_owned() },
        Entry::Claimed { owner: super::owner(), attempt: 2 },
    ] {
        agent.observe(&lease(1, 2), entry).await;
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    for _ in 0..2 {
        let again = Entry::StepStarted { step: step("build"), attempt: 2 };
        agent.observe(&lease(1, 2), again).await;
    }
    let names: Vec<_> = std::fs::read_dir(directory.path().join(run(1).as_str())).unwrap().collect();
    assert_eq!(names.len(), 1);
    soon(agent.shipper.flush_all(&run(1))).await;
}

#[tokio::test]
async fn steps_without_output_are_no_trouble() {
    let scene = Scene::new().await;
    scene.flush().await;
    soon(scene.agent.shipper.flush(&run(1), &step("unknown"))).await;
    soon(scene.agent.shipper.flush_all(&run(7))).await;
    scene.agent.shipper.output(&run(7), &step("unknown"), b"x").await;
    soon(scene.agent.shipper.forget(&run(1))).await;
    assert_eq!(std::fs::read_dir(scene.directory.path()).unwrap().count(), 0);
}
