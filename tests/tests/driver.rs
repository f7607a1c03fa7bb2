//! The driver between fakes: what happens between two of its operations, which no real process hits reliably.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::time::Duration;

use tako_engine::driver::{DriveError, Driver, Left};
use tako_engine::port::JournalError;
use tako_schemas::id::StepId;
use tako_schemas::journal::{Outcome, Phase, StepState};
use tako_tests::fakes::{Machine, settings};
use tokio_util::sync::CancellationToken;

fn step(id: &str) -> StepId {
    id.parse().unwrap()
}

const ONE: &str = "version: 1\nworkflows:\n  go:\n    steps:\n      - {id: one, run: exit 0}\n      - {id: two, run: wait}\n      - {id: three, run: exit 0}\n";

fn outcome(left: Result<Left, DriveError>) -> Outcome {
    match left.unwrap() {
        Left::Finished(outcome) => outcome,
        Left::Parked => panic!("it waits"),
    }
}

#[tokio::test]
async fn a_run_goes_from_step_to_step_and_leaves_nothing() {
    let machine = Machine::new(&[("o/a:main", ONE)]);
    let run = machine.submit("o/a:main").await;
    let led = machine.lead(machine.claim("a").await.unwrap());
    let process = machine.runtime.next().await;
    assert_eq!(machine.repos.workspaces.lock().unwrap().len(), 1);
    assert!(process.command.env.contains(&("TAKO_STEP_ID".to_owned(), "two".to_owned())));
    process.exit(0);
    assert_eq!(outcome(led.await.unwrap()), Outcome::Success);
    assert!(machine.repos.workspaces.lock().unwrap().is_empty());
    assert_eq!(machine.claim("a").await, None);
    assert_eq!(machine.state(&run).await.steps.len(), 3);
}

#[tokio::test]
async fn a_cancellation_stops_the_step_and_nothing_follows() {
    let machine = Machine::new(&[("o/a:main", ONE)]);
    let run = machine.submit("o/a:main").await;
    let led = machine.lead(machine.claim("a").await.unwrap());
    let process = machine.runtime.next().await;
    assert_eq!(machine.driver.ports().tree.cancel(&run, "somebody").await.unwrap(), 1);
    assert_eq!(process.stopped().await, Duration::from_secs(10));
    assert_eq!(outcome(led.await.unwrap()), Outcome::Cancelled);
    let state = machine.state(&run).await;
    assert!(!state.steps.contains_key(&step("three")));
    assert_eq!(machine.driver.ports().tree.cancel(&run, "somebody").await.unwrap(), 0, "it is over");
}

#[tokio::test]
async fn a_run_that_was_cancelled_in_the_queue_starts_nothing() {
    let machine = Machine::new(&[("o/a:main", ONE)]);
    let run = machine.submit("o/a:main").await;
    assert_eq!(machine.driver.ports().tree.cancel(&run, "somebody").await.unwrap(), 1);
    // It takes nobody to end it: perhaps there never is anybody who could claim it.
    let Phase::Finished(ended) = machine.state(&run).await.phase else { panic!("it is not over") };
    assert_eq!(ended.outcome, Outcome::Cancelled);
    assert_eq!(machine.claim("a").await, None);
}

#[tokio::test]
async fn a_run_that_was_cancelled_before_its_first_step_starts_nothing() {
    let machine = Machine::new(&[("o/a:main", ONE)]);
    let run = machine.submit("o/a:main").await;
    let lease = machine.claim("a").await.unwrap();
    machine.driver.ports().tree.cancel(&run, "somebody").await.unwrap();
    assert_eq!(outcome(machine.lead(lease).await.unwrap()), Outcome::Cancelled);
    assert!(machine.repos.workspaces.lock().unwrap().is_empty());
    assert!(machine.state(&run).await.steps.is_empty());
}

#[tokio::test]
async fn a_timeout_is_counted_by_the_clock_at_hand() {
    let text = ONE.replace("run: wait", "run: wait, timeout: 1h");
    let machine = Machine::new(&[("o/a:main", &text)]);
    machine.submit("o/a:main").await;
    let led = machine.lead(machine.claim("a").await.unwrap());
    let process = machine.runtime.next().await;
    machine.clock.sleeper().await;
    machine.clock.advance(Duration::from_secs(3600));
    process.stopped().await;
    assert_eq!(outcome(led.await.unwrap()), Outcome::TimedOut);
}

#[tokio::test]
async fn after_a_crash_the_step_is_ended_and_tried_again_by_somebody_else() {
    let machine = Machine::new(&[("o/a:main", ONE)]);
    let run = machine.submit("o/a:main").await;
    let lease = machine.claim("a").await.unwrap();
    let led = machine.lead(lease.clone());
    machine.runtime.next().await;
    // The process exists; wait until that is durable, then lose whoever leads it.
    let two = step("two");
    while !matches!(
        machine.state(&run).await.steps.get(&two),
        Some(StepState::Running { spawned: Some(_), .. })
    ) {
        tokio::task::yield_now().await;
    }
    led.abort();
    assert!(machine.queue.revoke(&lease, "it crashed").await.unwrap());
    assert!(matches!(machine.state(&run).await.phase, Phase::Interrupted { .. }));

    // Another driver knows nothing but the journal.
    let driver = Driver::new(machine.driver.ports().clone(), settings());
    let second = machine.claim("b").await.unwrap();
    assert_eq!(second.attempt, 2);
    let led = tokio::spawn(async move {
        driver.drive(second, &CancellationToken::new(), &CancellationToken::new()).await
    });
    let process = machine.runtime.next().await;
    assert_eq!((process.command.step.as_str(), process.command.attempt), ("two", 2));
    assert_eq!(machine.runtime.reaped.lock().unwrap().len(), 1);
    process.exit(0);
    assert_eq!(outcome(led.await.unwrap()), Outcome::Success);
    let state = machine.state(&run).await;
    assert!(matches!(state.steps[&step("one")], StepState::Finished { attempt: 1, .. }));
    assert!(matches!(state.steps[&two], StepState::Finished { attempt: 2, .. }));
}

#[tokio::test]
async fn whoever_lost_the_lease_can_write_nothing_more() {
    let machine = Machine::new(&[("o/a:main", ONE)]);
    let run = machine.submit("o/a:main").await;
    let lease = machine.claim("a").await.unwrap();
    let led = machine.lead(lease.clone());
    let process = machine.runtime.next().await;
    assert!(machine.queue.revoke(&lease, "taken away").await.unwrap());
    let second = machine.claim("b").await.unwrap();
    process.exit(0);
    let lost = led.await.unwrap().unwrap_err();
    assert!(matches!(lost, DriveError::Journal(JournalError::LeaseLost { attempt: 1, .. })), "{lost:?}");
    let entries = machine.state(&run).await.seq;
    assert_eq!(machine.state(&run).await.attempt, 2);
    drop(second);
    assert_eq!(machine.state(&run).await.seq, entries);
}

#[tokio::test]
async fn a_waiting_parent_holds_nothing_and_is_woken_by_its_last_child() {
    let parent = "version: 1\nworkflows: {go: {steps: [{id: tell, uses: tako/fan-out@v1, with: {event_type: built, wait_for_children: true}}]}}\n";
    let child = "version: 1\nworkflows: {go: {steps: [wait]}}\nsubscriptions: [{artifact: 'o/a:default', events: [built], workflow: go}]\n";
    let machine = Machine::new(&[("o/a:main", parent), ("o/b:main", child), ("o/c:main", child)]);
    let run = machine.submit("o/a:main").await;
    let left = machine.lead(machine.claim("a").await.unwrap()).await.unwrap().unwrap();
    assert_eq!(left, Left::Parked);
    let first = machine.lead(machine.claim("a").await.unwrap());
    let second = machine.lead(machine.claim("a").await.unwrap());
    assert_eq!(machine.claim("a").await, None, "the parent waits");
    machine.runtime.next().await.exit(0);
    let last = machine.runtime.next().await;
    assert_eq!(machine.claim("a").await, None);
    last.exit(1);
    let mut outcomes = [outcome(first.await.unwrap()), outcome(second.await.unwrap())];
    outcomes.sort();
    assert_eq!(outcomes, [Outcome::Success, Outcome::Failure]);
    let again = machine.claim("a").await.unwrap();
    assert_eq!((again.run.clone(), again.attempt), (run.clone(), 2));
    assert_eq!(outcome(machine.lead(again).await.unwrap()), Outcome::Failure);
    let state = machine.state(&run).await;
    assert!(state.ended().unwrap().cause.as_deref().unwrap().contains("1 of 2 child runs did not succeed"));
}

#[tokio::test]
async fn a_run_that_is_killed_ends_after_its_children() {
    let parent = "version: 1\nworkflows: {go: {steps: [{uses: tako/fan-out@v1, with: {event_type: built}}, wait], on_cancellation: [wait]}}\n";
    let child = "version: 1\nworkflows: {go: {steps: [wait]}}\nsubscriptions: [{artifact: 'o/a:default', events: [built], workflow: go}]\n";
    let machine = Machine::new(&[("o/a:main", parent), ("o/b:main", child)]);
    let run = machine.submit("o/a:main").await;
    let kill = CancellationToken::new();
    let led = machine.lead_until(machine.claim("a").await.unwrap(), kill.clone());
    machine.runtime.next().await;
    let child = machine.claim("a").await.unwrap();
    // First: what cleans up after a cancellation must not begin in between.
    kill.cancel();
    machine.driver.ports().tree.cancel(&run, "somebody").await.unwrap();
    assert_eq!(led.await.unwrap().unwrap(), Left::Parked, "its child has not ended");

    assert_eq!(outcome(machine.lead_until(child.clone(), kill.clone()).await.unwrap()), Outcome::Cancelled);
    assert!(machine.state(&child.run).await.steps.is_empty(), "nothing of it was started");
    let again = machine.claim("a").await.unwrap();
    assert!(again.errand, "to end it needs no lock");
    assert_eq!(outcome(machine.lead_until(again, kill).await.unwrap()), Outcome::Cancelled);
    let state = machine.state(&run).await;
    assert!(!state.steps.contains_key(&step("on_cancellation.step-1")));
    assert_eq!(machine.claim("a").await, None);
}

#[tokio::test]
async fn a_cancelled_parent_hears_of_children_that_nobody_had_taken() {
    let parent = "version: 1\nworkflows: {go: {steps: [{uses: tako/fan-out@v1, with: {event_type: built, wait_for_children: true}}]}}\n";
    let child = "version: 1\nworkflows: {go: {steps: [wait]}}\nsubscriptions: [{artifact: 'o/a:default', events: [built], workflow: go}]\n";
    let machine = Machine::new(&[("o/a:main", parent), ("o/b:main", child)]);
    let run = machine.submit("o/a:main").await;
    let led = machine.lead(machine.claim("a").await.unwrap());
    assert_eq!(led.await.unwrap().unwrap(), Left::Parked);
    assert_eq!(machine.driver.ports().tree.cancel(&run, "somebody").await.unwrap(), 2);
    assert!(machine.state(&run).await.open_children().next().is_none());
    let again = machine.claim("a").await.unwrap();
    assert_eq!((&again.run, again.errand), (&run, true));
    assert_eq!(outcome(machine.lead(again).await.unwrap()), Outcome::Cancelled);
    assert_eq!(machine.claim("a").await, None);
}

#[tokio::test]
async fn a_run_that_loses_its_leases_again_and_again_is_given_up() {
    let machine = Machine::new(&[("o/a:main", ONE)]);
    let run = machine.submit("o/a:main").await;
    for attempt in 1..=3 {
        let lease = machine.claim("a").await.unwrap();
        let led = machine.lead(lease.clone());
        machine.runtime.next().await;
        led.abort();
        assert!(machine.queue.revoke(&lease, &format!("crash {attempt}")).await.unwrap());
    }
    let led = machine.lead(machine.claim("b").await.unwrap());
    assert_eq!(outcome(led.await.unwrap()), Outcome::Error);
    let Phase::Finished(ended) = machine.state(&run).await.phase else { panic!("it is not over") };
    let cause = ended.cause.unwrap();
    assert!(cause.contains("3 attempts") && cause.contains("attempt 2: crash 2"), "{cause}");
}

#[tokio::test]
async fn another_agent_begins_with_a_workspace_of_its_own_and_the_same_one_with_what_it_has() {
    let machine = Machine::new(&[("o/a:main", ONE)]);
    let run = machine.submit("o/a:main").await;
    let made = async || machine.repos.workspaces.lock().unwrap().len();
    for (owner, agent, workspaces) in [("a/1", "a", 1), ("a/2", "a", 1), ("b/1", "b", 2)] {
        let lease = machine.claim_as(owner, Some(agent)).await.unwrap();
        let led = machine.lead(lease.clone());
        machine.runtime.next().await;
        assert_eq!(made().await, workspaces, "{owner}");
        led.abort();
        machine.queue.revoke(&lease, "it crashed").await.unwrap();
        if agent == "b" {
            assert_eq!(machine.state(&run).await.workspace_agent.as_deref(), Some("b"));
        }
    }
}
