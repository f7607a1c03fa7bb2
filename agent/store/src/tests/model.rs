//! Whatever happens to jobs: locks and limits hold, and journals mean something.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tako_engine::port::{ClaimRequest, Clock, Job, Lease, Settle, Transaction};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, Phase};
use time::OffsetDateTime;

use super::InDirectory;
use crate::conformance::world::{append, finished, job, list, request, request_as, run, siblings};
use crate::conformance::{HOLD, LEASE_PERIOD, World};

/// Something that happens; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Act {
    Submit { root: u32, key: Option<u32>, group: Option<u32>, priority: i32, labels: usize },
    Claim { root: Option<u32>, agent: Option<u32>, labels: Option<usize> },
    Park { lease: usize, secs: Option<u64> },
    Wake { run: u32 },
    Urge { run: u32 },
    Finish { lease: usize },
    Requeue { lease: usize },
    Renew { lease: usize },
    Revoke { lease: usize },
    SetAside { root: u32 },
    Advance { secs: u64 },
}

fn act() -> impl Strategy<Value = Act> {
    let pick = 0..100_usize;
    prop_oneof![
        6 => (0..3_u32, prop::option::of(0..2_u32), prop::option::of(0..2_u32), -1..2, 0..LABELS.len())
            .prop_map(|(root, key, group, priority, labels)| {
                Act::Submit { root, key, group, priority, labels }
            }),
        8 => (prop::option::of(0..3_u32), prop::option::of(0..2_u32), prop::option::of(0..LABELS.len()))
            .prop_map(|(root, agent, labels)| Act::Claim { root, agent, labels }),
        2 => (pick.clone(), prop::option::of(0..60_u64)).prop_map(|(lease, secs)| Act::Park { lease, secs }),
        2 => (0..12_u32).prop_map(|run| Act::Wake { run }),
        1 => (0..12_u32).prop_map(|run| Act::Urge { run }),
        2 => pick.clone().prop_map(|lease| Act::Finish { lease }),
        1 => pick.clone().prop_map(|lease| Act::Requeue { lease }),
        2 => pick.clone().prop_map(|lease| Act::Renew { lease }),
        1 => pick.prop_map(|lease| Act::Revoke { lease }),
        1 => (0..3_u32).prop_map(|root| Act::SetAside { root }),
        2 => (0..50_u64).prop_map(|secs| Act::Advance { secs }),
    ]
}

const LABELS: [&[&str]; 5] = [&[], &[], &["linux"], &["gpu"], &["gpu", "linux"]];
const TREE_LIMIT: u32 = 3;
const GROUP_LIMIT: u32 = 2;

#[derive(Default)]
struct Known {
    jobs: HashMap<RunId, Job>,
    /// Every lease that was ever granted, in order.
    leases: Vec<Lease>,
    aside: HashSet<RunId>,
    /// Which agent left a run last, and when.
    left: HashMap<RunId, (String, OffsetDateTime)>,
}

impl Known {
    /// Whether `lease` may go to whoever has `labels` now.
    fn check_claim(&self, lease: &Lease, labels: Option<&[&str]>, now: OffsetDateTime) {
        assert!(!self.aside.contains(&lease.root), "its tree was set aside");
        let needed = &self.jobs[&lease.run].labels;
        let fits = labels.is_none_or(|had| needed.iter().all(|label| had.contains(&label.as_str())));
        assert!(fits, "{labels:?} are not {needed:?}");
        if let Some((agent, at)) = self.left.get(&lease.run) {
            let is_its = lease.owner.agent.as_ref() == Some(agent);
            assert!(is_its || now >= *at + HOLD, "it is held for {agent}");
        }
        let before = self.leases.iter().filter(|before| before.run == lease.run).count();
        assert_eq!(lease.attempt as usize, before + 1);
    }
}

async fn perform(world: &World, known: &mut Known, act: Act) {
    // Mostly one of the last ones, which may be in force.
    let lease = |pick: usize| {
        let leases = &known.leases;
        (!leases.is_empty()).then(|| leases[leases.len() - 1 - pick % leases.len().min(4)].clone())
    };
    let in_force = async |lease: &Lease| world.store.queue.leases().await.unwrap().contains(lease);
    let settle = async |lease: Option<Lease>, entry: Entry, settle: Settle| {
        let lease = lease?;
        let lives = in_force(&lease).await;
        let write = append(&lease.run, None, [entry]);
        let settled = Transaction { lease: Some(lease.clone()), settle: Some(settle), ..write };
        let outcome = world.commit(settled).await;
        assert_eq!(outcome.is_ok(), lives, "{outcome:?}");
        lives.then_some(lease)
    };
    let now = world.clock.now();
    let mut left = None;
    match act {
        Act::Submit { root, key, group, priority, labels } => {
            let n = u32::try_from(known.jobs.len()).unwrap();
            let job = Job {
                lock_key: key.map(|key| key.to_string()),
                tree_limit: TREE_LIMIT,
                siblings: group.and_then(|group| siblings(&format!("{root} {group}"), GROUP_LIMIT)),
                priority,
                labels: list(LABELS[labels]),
                ..job(&run(n), &run(1000 + root))
            };
            world.submit(job.clone()).await;
            known.jobs.insert(job.run.clone(), job);
        }
        Act::Claim { root, agent, labels } => {
            let labels = labels.map(|labels| LABELS[labels]);
            let root = root.map(|root| run(1000 + root));
            let request = match agent {
                Some(agent) => request_as(&agent.to_string(), &format!("of {agent}"), labels),
                None => ClaimRequest { labels: labels.map(list), ..request("b", None) },
            };
            let request = ClaimRequest { root, ..request };
            if let Some(lease) = world.store.queue.claim(&request, Duration::ZERO).await.unwrap() {
                assert!(request.root.is_none_or(|root| lease.root == root));
                known.check_claim(&lease, labels, now);
                known.left.remove(&lease.run);
                known.leases.push(lease);
            }
        }
        Act::Park { lease: pick, secs } => {
            let until = secs.map(|secs| world.clock.now() + Duration::from_secs(secs));
            left = settle(lease(pick), Entry::Parked, Settle::Park { until }).await;
        }
        Act::Wake { run: n } => world.wake(&run(n)).await,
        Act::Urge { run: n } => {
            let urge = vec![run(n)];
            world.commit(Transaction { urge, ..Transaction::default() }).await.unwrap();
        }
        Act::Finish { lease: pick } => {
            settle(lease(pick), finished(), Settle::Done).await;
        }
        Act::Requeue { lease: pick } => {
            let entry = Entry::Interrupted { reason: "handed back".to_owned() };
            left = settle(lease(pick), entry, Settle::Requeue).await;
        }
        Act::Renew { lease: pick } => {
            if let Some(lease) = lease(pick) {
                let lives = in_force(&lease).await;
                assert_eq!(world.store.queue.renew(&lease).await.is_ok(), lives);
            }
        }
        Act::Revoke { lease: pick } => {
            if let Some(lease) = lease(pick) {
                let lives = in_force(&lease).await;
                assert_eq!(world.store.queue.revoke(&lease, "revoked").await.unwrap(), lives);
            }
        }
        Act::SetAside { root } => {
            if world.store.queue.set_aside(&run(1000 + root), "aside").await.unwrap() {
                known.aside.insert(run(1000 + root));
            }
        }
        Act::Advance { secs } => world.clock.advance(Duration::from_secs(secs)),
    }
    if let Some(Lease { run, owner, .. }) = left
        && let Some(agent) = owner.agent
    {
        known.left.insert(run, (agent, now));
    }
}

async fn check(world: &World, known: &Known) {
    let leases = world.store.queue.leases().await.unwrap();
    let (mut keys, mut trees, mut groups) = (HashSet::new(), HashMap::new(), HashMap::new());
    for lease in leases.iter().filter(|lease| !lease.errand) {
        let job = &known.jobs[&lease.run];
        assert!(job.lock_key.iter().all(|key| keys.insert(key)), "a key is leased twice: {leases:?}");
        *trees.entry(&job.root).or_insert(0) += 1;
        if let Some(siblings) = &job.siblings {
            *groups.entry(&siblings.group).or_insert(0) += 1;
        }
    }
    assert!(trees.values().all(|leased| *leased <= TREE_LIMIT), "{leases:?}");
    assert!(groups.values().all(|leased| *leased <= GROUP_LIMIT), "{leases:?}");
    // The journal says of each run what the queue says, with no second copy to disagree.
    for id in known.jobs.keys() {
        let state = world.state(id).await;
        let leased = leases.iter().find(|lease| lease.run == *id);
        assert_eq!(matches!(state.phase, Phase::Active { .. }), leased.is_some(), "{id}");
        assert!(leased.is_none_or(|lease| lease.attempt == state.attempt), "{id}");
    }
}

/// Claims until nothing is left: what is not parked or set aside is never stuck.
async fn drain(world: &World, known: &Known) {
    world.clock.advance(LEASE_PERIOD);
    // The first look wakes what was asleep, and from then on that is held.
    for _ in 0..2 {
        while let Some(lease) = world.claim("z").await {
            let end = append(&lease.run, None, [finished()]);
            world
                .commit(Transaction { lease: Some(lease), settle: Some(Settle::Done), ..end })
                .await
                .unwrap();
        }
        world.clock.advance(HOLD);
    }
    for job in known.jobs.values().filter(|job| !known.aside.contains(&job.root)) {
        let phase = world.state(&job.run).await.phase;
        assert!(matches!(phase, Phase::Finished(_) | Phase::Parked), "{}: {phase:?}", job.run);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn locks_and_limits_hold_whatever_happens(acts in prop::collection::vec(act(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new(Arc::new(InDirectory::new())).await;
            let mut known = Known::default();
            for act in acts {
                perform(&world, &mut known, act).await;
                check(&world, &known).await;
            }
            drain(&world, &known).await;
        });
    }
}
