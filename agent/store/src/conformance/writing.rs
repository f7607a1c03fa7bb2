//! Writing and reading journals.

use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;

use tako_engine::port::{Append, Clock, JournalError, Transaction};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, StepResult};

use super::World;
use super::world::{append, cancel, created, created_by, finished, job, owner, run};

/// Entries count from 1 and carry the transaction's time; readers find what the writer was told.
pub async fn entries_are_numbered_and_read_back(world: &World) {
    let journal = &world.store.journal;
    assert_eq!(journal.read(&run(1), 0).await.unwrap(), [], "an unknown run has no entries");

    let first = world.commit(append(&run(1), Some(0), [created(&run(1), &run(1))])).await.unwrap();
    world.clock.advance(Duration::from_millis(1500));
    let entries =
        [cancel("ann"), Entry::Claimed { owner: owner("a"), attempt: 1 }, cancel("ünï\0\u{2028}\"")];
    let second = world.commit(append(&run(1), Some(1), entries.clone())).await.unwrap();
    assert_eq!(
        second[0].iter().map(|recorded| &recorded.entry).collect::<Vec<_>>(),
        Vec::from_iter(&entries)
    );
    assert!(second[0].iter().all(|recorded| recorded.at == world.clock.now()), "now, where no time is given");

    let at = time::macros::datetime!(2020-02-29 23:59:59.000000001 +05:30);
    let third = Transaction { at: Some(at), ..append(&run(1), Some(4), [cancel("bob")]) };
    let third = world.commit(third).await.unwrap();
    assert_eq!(third[0][0].at, at);

    let all = [first, second, third].concat().concat();
    assert_eq!(all.iter().map(|recorded| recorded.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(journal.read(&run(1), 0).await.unwrap(), all);
    assert_eq!(journal.read(&run(1), 3).await.unwrap(), all[3..]);
    assert_eq!(journal.read(&run(1), 5).await.unwrap(), []);
    assert_eq!(journal.read(&run(1), u64::MAX).await.unwrap(), []);
    assert_eq!(world.commit(Transaction::default()).await.unwrap(), Vec::<Vec<_>>::new());
    assert_eq!(world.commit(append(&run(1), Some(5), [])).await.unwrap(), [[]]);
}

/// A wrong expected number is a conflict that names the run and both numbers.
pub async fn a_writer_that_missed_something_is_refused(world: &World) {
    world.create(&run(1), &run(1)).await;
    world.commit(append(&run(1), Some(1), [cancel("ann")])).await.unwrap();
    for (name, id, expected_seq, last) in [
        ("behind", run(1), 1, 2),
        ("ahead", run(1), 3, 2),
        ("creating what exists", run(1), 0, 2),
        ("a run that does not exist", run(2), 1, 0),
    ] {
        let entry = if expected_seq == 0 { created(&id, &id) } else { cancel("bob") };
        let refused = world.commit(append(&id, Some(expected_seq), [entry])).await;
        let Err(JournalError::Conflict { run, expected, actual }) = refused else {
            panic!("{name}: {refused:?}")
        };
        assert_eq!((run, expected, actual), (id.clone(), expected_seq, last), "{name}");
        let nothing = world.commit(append(&id, Some(expected_seq), [])).await;
        assert!(matches!(nothing, Err(JournalError::Conflict { .. })), "{name}, though nothing is appended");
    }
    assert_eq!(world.kinds(&run(1)).await, ["created", "cancel_requested"]);
}

/// A transaction happens as a whole or not at all.
pub async fn a_refused_transaction_leaves_nothing(world: &World) {
    world.submit(job(&run(1), &run(1))).await;
    let lease = world.claim("a").await.unwrap();
    world.park(&lease, None).await;
    let ended = Append { run: run(1), expected_seq: Some(7), entries: vec![cancel("late")] };
    let mut transaction = append(&run(2), Some(0), [created(&run(2), &run(1))]);
    transaction.appends.push(ended);
    transaction.push.push(job(&run(2), &run(1)));
    transaction.wake.push(run(1));
    assert!(matches!(world.commit(transaction).await, Err(JournalError::Conflict { .. })));
    assert_eq!(world.journal(&run(2)).await, []);
    assert_eq!(world.store.journal.find(&run(2)).await.unwrap(), None);
    assert_eq!(world.kinds(&run(1)).await, ["created", "claimed", "parked"]);
    assert_eq!(world.claim("b").await, None, "nothing was pushed or woken");
}

/// Entries that are right whatever stands before them.
pub async fn an_append_without_expectation_goes_to_the_end(world: &World) {
    let refused = world.commit(append(&run(1), None, [cancel("ann")])).await;
    assert!(matches!(refused, Err(JournalError::NoSuchRun { .. })), "{refused:?}");

    world.commit(append(&run(1), None, [created(&run(1), &run(1)), cancel("ann")])).await.unwrap();
    let recorded = world.commit(append(&run(1), None, [cancel("bob"), cancel("cat")])).await.unwrap();
    assert_eq!(recorded[0].iter().map(|recorded| recorded.seq).collect::<Vec<_>>(), [3, 4]);

    // Two appends to one journal in one transaction: the second sees the first.
    let mut twice = append(&run(1), Some(4), [cancel("dan")]);
    twice.appends.extend(append(&run(1), Some(5), [cancel("eve")]).appends);
    let recorded = world.commit(twice).await.unwrap();
    assert_eq!(recorded.concat().iter().map(|recorded| recorded.seq).collect::<Vec<_>>(), [5, 6]);
}

/// The first entry, and only that, is `created`, of the run itself.
pub async fn a_run_begins_with_created_and_only_once(world: &World) {
    world.create(&run(1), &run(1)).await;
    let again = created(&run(1), &run(1));
    let refused = world.commit(append(&run(1), None, [again.clone()])).await;
    assert!(matches!(refused, Err(JournalError::Conflict { expected: 0, actual: 1, .. })), "{refused:?}");
    for (name, transaction) in [
        ("a second one", append(&run(1), Some(1), [again.clone()])),
        ("one behind another entry", append(&run(1), None, [cancel("ann"), again])),
        ("two at once", append(&run(2), Some(0), [created(&run(2), &run(2)), created(&run(2), &run(2))])),
        ("another run's", append(&run(2), Some(0), [created(&run(3), &run(3))])),
        ("none", append(&run(2), Some(0), [cancel("ann")])),
    ] {
        let refused = world.commit(transaction).await;
        let is_named = matches!(refused, Err(JournalError::Refused { .. } | JournalError::NoSuchRun { .. }));
        assert!(is_named, "{name}: {refused:?}");
    }
    assert_eq!(world.kinds(&run(1)).await, ["created"]);
    assert_eq!(world.journal(&run(2)).await, []);
}

/// A journal ends with `finished`; who did not know appends nothing, and the rest of his transaction happens.
pub async fn nothing_follows_the_end(world: &World) {
    world.create(&run(1), &run(1)).await;
    world.create(&run(2), &run(1)).await;
    let early = world.commit(append(&run(1), Some(1), [finished(), cancel("ann")])).await;
    assert!(early.is_err(), "an entry behind it in the same append");
    world.commit(append(&run(1), Some(1), [finished()])).await.unwrap();

    let mut both = append(&run(1), None, [cancel("ann")]);
    both.appends.extend(append(&run(2), None, [cancel("ann")]).appends);
    let recorded = world.commit(both).await.unwrap();
    assert_eq!(recorded.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1]);
    let refused = world.commit(append(&run(1), Some(2), [cancel("ann")])).await;
    assert!(matches!(refused, Err(JournalError::Refused { .. })), "{refused:?}");
    assert_eq!(world.kinds(&run(1)).await, ["created", "finished"]);
}

/// A tree has one run for an event, a repository and a workflow.
pub async fn one_event_has_one_effect(world: &World) {
    let commit = async |id: u32, root: u32, repo: &str, workflow: &str, event: Option<&str>| {
        let entry = created_by(&run(id), &run(root), repo, workflow, event);
        world.commit(append(&run(id), Some(0), [entry])).await
    };
    commit(1, 1, "o/a:main", "build", None).await.unwrap();
    commit(2, 1, "o/b:main", "build", Some("e1")).await.unwrap();
    for (name, id, root, repo, workflow, event, good) in [
        ("the same again", 10, 1, "o/b:main", "build", Some("e1"), false),
        ("another event", 11, 1, "o/b:main", "build", Some("e2"), true),
        ("another branch", 12, 1, "o/b:dev", "build", Some("e1"), true),
        ("another workflow", 13, 1, "o/b:main", "test", Some("e1"), true),
        ("another tree", 14, 14, "o/b:main", "build", Some("e1"), true),
        ("no event", 15, 1, "o/a:main", "build", None, true),
    ] {
        match commit(id, root, repo, workflow, event).await {
            Ok(_) => assert!(good, "{name}"),
            Err(JournalError::Duplicate { existing }) => assert!(!good && existing == run(2), "{name}"),
            Err(other) => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(world.journal(&run(10)).await, []);
}

/// An entry has at most 1 MiB.
pub async fn large_entries_are_refused(world: &World) {
    world.create(&run(1), &run(1)).await;
    let small = world.commit(append(&run(1), None, [cancel(&"x".repeat((1 << 20) - 100))])).await;
    assert!(small.is_ok());
    let refused = world.commit(append(&run(1), None, [cancel("ann"), cancel(&"x".repeat(1 << 20))])).await;
    let Err(JournalError::TooLarge { actual_bytes, limit_bytes, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert!(actual_bytes > limit_bytes && limit_bytes == 1 << 20);
    assert_eq!(world.kinds(&run(1)).await, ["created", "cancel_requested"]);
}

/// An entry that would make its journal unreadable.
pub async fn what_cannot_be_read_back_is_refused(world: &World) {
    world.create(&run(1), &run(1)).await;
    let nested = (0..200).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    let result: StepResult = serde_json::from_value(serde_json::json!({"outcome": "success"})).unwrap();
    let result = StepResult { outputs: [("deep".to_owned(), nested)].into_iter().collect(), ..result };
    let entry = Entry::StepFinished { step: "build".parse().unwrap(), result };
    let refused = world.commit(append(&run(1), None, [entry])).await;
    assert!(matches!(refused, Err(JournalError::Refused { .. })), "{refused:?}");
    assert_eq!(world.kinds(&run(1)).await, ["created"]);
}

/// Trees, their runs in order of creation, and the newest of them.
pub async fn trees_are_found(world: &World) {
    let journal = &world.store.journal;
    assert_eq!(journal.tree(&run(9)).await.unwrap(), []);
    assert_eq!(journal.find(&run(9)).await.unwrap(), None);
    // Ids do not ascend.
    for (id, root) in [(9, 9), (4, 9), (7, 7), (5, 9), (3, 7), (1, 1)] {
        world.create(&run(id), &run(root)).await;
    }
    let runs = |found: Vec<tako_engine::port::RunSummary>| -> Vec<RunId> {
        found.into_iter().map(|summary| summary.run).collect()
    };
    assert_eq!(runs(journal.tree(&run(9)).await.unwrap()), [run(9), run(4), run(5)]);
    assert_eq!(journal.tree(&run(4)).await.unwrap(), [], "only roots have trees");
    assert_eq!(runs(journal.newest(2).await.unwrap()), [run(1), run(7)]);
    assert_eq!(runs(journal.newest(usize::MAX).await.unwrap()), [run(1), run(7), run(9)]);
    assert_eq!(journal.newest(0).await.unwrap(), []);
    let child = journal.find(&run(4)).await.unwrap().unwrap();
    assert_eq!((child.run, child.root), (run(4), run(9)));
    assert_eq!(child.parent, Some((run(9), "notify".parse().unwrap())));
    assert_eq!((child.repo.to_string().as_str(), child.workflow.as_str()), ("my-org/app:main", "build"));
    assert_eq!(journal.find(&run(9)).await.unwrap().unwrap().parent, None);
    assert!(world.clock.now() > OffsetDateTime::UNIX_EPOCH);
}
