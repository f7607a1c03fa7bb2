//! Tokens.

use std::time::Duration;

use tako_engine::port::{Clock, Grant, JournalError, Role, TokenHash};

use super::World;

fn hash(n: u8) -> TokenHash {
    let mut hash = [0xa5; 32];
    hash[31] = n;
    hash
}

fn named(world: &World, name: &str, role: Role) -> Grant {
    Grant { name: name.to_owned(), role, created_at: world.clock.now() }
}

async fn names(world: &World) -> Vec<(String, Role)> {
    let grants = world.store.access.grants().await.unwrap();
    grants.into_iter().map(|grant| (grant.name, grant.role)).collect()
}

fn is_refused<T>(outcome: &Result<T, JournalError>) -> bool {
    matches!(outcome, Err(JournalError::Refused { .. }))
}

/// By its hash, all of it, until it is withdrawn.
pub async fn a_token_is_found_while_it_is_in_force(world: &World) {
    let access = &world.store.access;
    assert_eq!(access.find(&hash(1)).await.unwrap(), None);
    assert!(!access.withdraw("zoe").await.unwrap());
    let roles = [Role::Read, Role::Trigger, Role::Admin, Role::Registration, Role::Agent];
    let mut grants = Vec::new();
    for ((n, role), name) in (1..).zip(roles).zip(["zoe", "ann", "root", "r", "build-1"]) {
        let grant = named(world, name, role);
        access.grant(&grant, &hash(n)).await.unwrap();
        assert_eq!(access.find(&hash(n)).await.unwrap().as_ref(), Some(&grant));
        grants.push(grant);
        world.clock.advance(Duration::from_millis(1));
    }
    assert_eq!(access.grants().await.unwrap(), grants, "oldest first");
    for close in [[0; 32], hash(0), hash(6)] {
        assert_eq!(access.find(&close).await.unwrap(), None);
    }
    let other = world.another().await.access;
    assert!(other.withdraw("ann").await.unwrap());
    assert!(!other.withdraw("ann").await.unwrap());
    assert!(!other.withdraw("ZOE").await.unwrap());
    assert_eq!(access.find(&hash(2)).await.unwrap(), None);
    grants.remove(1);
    assert_eq!(access.grants().await.unwrap(), grants);
}

/// Among those in force. A token that was withdrawn does not come back under any name.
pub async fn names_are_given_once(world: &World) {
    let access = &world.store.access;
    access.grant(&named(world, "ann", Role::Read), &hash(1)).await.unwrap();
    for role in [Role::Read, Role::Admin, Role::Registration, Role::Agent] {
        assert!(is_refused(&access.grant(&named(world, "ann", role), &hash(2)).await), "{role:?}");
    }
    assert!(is_refused(&access.grant(&named(world, "bob", Role::Read), &hash(1)).await), "the same token");
    assert_eq!(access.find(&hash(2)).await.unwrap(), None);
    assert!(access.withdraw("ann").await.unwrap());
    assert!(is_refused(&access.grant(&named(world, "ann", Role::Read), &hash(1)).await), "it was withdrawn");
    access.grant(&named(world, "ann", Role::Admin), &hash(3)).await.unwrap();
    assert_eq!(names(world).await, [("ann".to_owned(), Role::Admin)]);
}

/// It becomes an agent's own, and is gone.
pub async fn a_registration_token_works_once(world: &World) {
    let access = &world.store.access;
    access.grant(&named(world, "for ann", Role::Registration), &hash(1)).await.unwrap();
    let agent = named(world, "build-1", Role::Agent);
    assert!(access.register(&hash(1), &agent, &hash(2)).await.unwrap());
    assert_eq!(access.find(&hash(1)).await.unwrap(), None);
    assert_eq!(access.find(&hash(2)).await.unwrap(), Some(agent.clone()));
    assert!(!access.register(&hash(1), &named(world, "build-2", Role::Agent), &hash(3)).await.unwrap());
    assert!(!access.register(&hash(1), &agent, &hash(2)).await.unwrap());
    assert_eq!(access.find(&hash(3)).await.unwrap(), None);
    assert_eq!(names(world).await, [("build-1".to_owned(), Role::Agent)]);
    assert!(access.withdraw("build-1").await.unwrap());
    assert_eq!(access.find(&hash(2)).await.unwrap(), None);
}

/// Neither tokens of other roles nor those that are withdrawn or unknown, and nothing but agents.
pub async fn nothing_else_registers(world: &World) {
    let access = &world.store.access;
    for (n, role) in (1..).zip([Role::Read, Role::Trigger, Role::Admin, Role::Agent]) {
        access.grant(&named(world, &format!("{role:?}"), role), &hash(n)).await.unwrap();
    }
    access.grant(&named(world, "withdrawn", Role::Registration), &hash(5)).await.unwrap();
    assert!(access.withdraw("withdrawn").await.unwrap());
    let agent = named(world, "build-1", Role::Agent);
    for n in 1..=6 {
        assert!(!access.register(&hash(n), &agent, &hash(9)).await.unwrap(), "{n}");
    }
    access.grant(&named(world, "r", Role::Registration), &hash(7)).await.unwrap();
    for role in [Role::Read, Role::Trigger, Role::Admin, Role::Registration] {
        let outcome = access.register(&hash(7), &named(world, "x", role), &hash(9)).await;
        assert!(is_refused(&outcome), "{role:?}");
    }
    assert_eq!(access.find(&hash(9)).await.unwrap(), None);
    assert!(access.register(&hash(7), &agent, &hash(9)).await.unwrap(), "it was not used up");
}

/// An agent of the name is replaced by a registration token of that name, and by no other.
pub async fn an_agent_is_replaced_only_on_purpose(world: &World) {
    let access = &world.store.access;
    let agent = named(world, "build-1", Role::Agent);
    access.grant(&named(world, "r", Role::Registration), &hash(1)).await.unwrap();
    assert!(access.register(&hash(1), &agent, &hash(2)).await.unwrap());

    access.grant(&named(world, "s", Role::Registration), &hash(3)).await.unwrap();
    assert!(is_refused(&access.register(&hash(3), &agent, &hash(4)).await));
    assert_eq!(access.find(&hash(2)).await.unwrap().as_ref(), Some(&agent), "the earlier one stays");
    assert!(access.find(&hash(3)).await.unwrap().is_some(), "the token is not used up");

    access.grant(&named(world, "build-1", Role::Registration), &hash(5)).await.unwrap();
    assert!(is_refused(&access.grant(&named(world, "build-1", Role::Registration), &hash(6)).await));
    assert!(is_refused(&access.grant(&named(world, "build-1", Role::Read), &hash(6)).await));
    assert!(is_refused(&access.register(&hash(5), &agent, &hash(2)).await), "the earlier one's own token");
    assert!(access.register(&hash(5), &agent, &hash(7)).await.unwrap());
    assert_eq!(access.find(&hash(2)).await.unwrap(), None, "the earlier one is out of force");
    assert_eq!(access.find(&hash(7)).await.unwrap(), Some(agent));
    let left = [("s", Role::Registration), ("build-1", Role::Agent)];
    assert_eq!(names(world).await, left.map(|(name, role)| (name.to_owned(), role)));

    // Nobody else's name is had that way.
    access.grant(&named(world, "ann", Role::Read), &hash(8)).await.unwrap();
    assert!(is_refused(&access.register(&hash(3), &named(world, "ann", Role::Agent), &hash(9)).await));
    // Withdrawing a name leaves nothing of it in force.
    access.grant(&named(world, "build-1", Role::Registration), &hash(10)).await.unwrap();
    assert!(access.withdraw("build-1").await.unwrap());
    assert_eq!(access.find(&hash(7)).await.unwrap(), None);
    assert_eq!(access.find(&hash(10)).await.unwrap(), None);
}

/// Of many that register with one token at once, in several processes, one does.
pub async fn one_of_many_registers(world: &World) {
    world.store.access.grant(&named(world, "r", Role::Registration), &hash(100)).await.unwrap();
    let mut agents = Vec::new();
    for n in 0..16 {
        let store = if n % 4 == 0 { world.another().await } else { world.store.clone() };
        let agent = named(world, &format!("build-{n}"), Role::Agent);
        agents.push(tokio::spawn(async move { store.access.register(&hash(100), &agent, &hash(n)).await }));
    }
    let mut registered = Vec::new();
    for (n, agent) in (0..).zip(agents) {
        if agent.await.unwrap().unwrap() {
            registered.push((format!("build-{n}"), Role::Agent));
        }
    }
    assert_eq!(registered.len(), 1);
    assert_eq!(names(world).await, registered);
}

/// Names are kept to the letter, and have an end.
pub async fn what_is_not_a_name_is_refused(world: &World) {
    let access = &world.store.access;
    assert!(is_refused(&access.grant(&named(world, "", Role::Read), &hash(1)).await));
    let long = named(world, &"n".repeat(10 << 10), Role::Agent);
    assert!(matches!(access.grant(&long, &hash(1)).await, Err(JournalError::TooLarge { .. })));
    assert!(matches!(access.register(&hash(9), &long, &hash(1)).await, Err(JournalError::TooLarge { .. })));
    let odd = ["ann", "ann\0", "ann\0b", "ANN", "' OR ''='", "%", "\u{202e}nna", "\u{e9}", "e\u{301}"];
    for (n, name) in (1..).zip(odd) {
        access.grant(&named(world, name, Role::Read), &hash(n)).await.unwrap();
    }
    for (n, name) in (1..).zip(odd) {
        assert_eq!(access.find(&hash(n)).await.unwrap().unwrap().name, name);
        assert!(access.withdraw(name).await.unwrap());
        assert_eq!(names(world).await.len(), odd.len() - usize::from(n), "nothing else was withdrawn");
    }
}
