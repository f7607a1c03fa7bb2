use tako_schemas::workflow::ContainerSpec;

use super::*;

fn policy(change: impl FnOnce(&mut PolicyConfig)) -> Policy {
    let mut config = PolicyConfig::default();
    change(&mut config);
    Policy::new(config).unwrap()
}

fn step(container: ContainerSpec) -> Step {
    Step { container, ..Step::default() }
}

fn planned(policy: &Policy, step: &Step) -> ContainerPlan {
    match policy.place(step, Some("busybox".to_owned())).unwrap() {
        Place::Container(plan) => *plan,
        Place::Host => panic!("on the host"),
    }
}

fn cause(policy: &Policy, step: &Step, image: &str) -> String {
    policy.place(step, Some(image.to_owned())).unwrap_err().cause
}

#[test]
fn without_requests_nothing_is_granted() {
    let plan = planned(&policy(|_| {}), &Step::default());
    assert_eq!(plan.network, Network::None);
    assert_eq!(plan.profile, Profile::Strict);
    assert!(plan.capabilities.is_empty() && plan.mounts.is_empty());
    assert_eq!((plan.limits.cpu_millis, plan.limits.memory_bytes), (2_000, 4 << 30));
}

#[test]
fn a_step_without_an_image_needs_the_operators_word() {
    let refusal = policy(|_| {}).place(&Step::default(), None).unwrap_err();
    assert!(refusal.cause.contains("isolation = \"host\""), "{}", refusal.cause);
    assert_eq!(policy(|config| config.host = true).place(&Step::default(), None).unwrap(), Place::Host);
    let inside = policy(|config| config.default_image = Some("busybox".to_owned()));
    assert!(matches!(inside.place(&Step::default(), None).unwrap(), Place::Container(_)));
}

#[test]
fn the_policy_wins_and_names_its_rule() {
    let network =
        |name: &str| step(ContainerSpec { network: Some(name.to_owned()), ..ContainerSpec::default() });
    let volume = |source: &str, destination: &str| {
        let (source, destination) = (source.to_owned(), destination.to_owned());
        let volumes = vec![Volume { source, destination, read_only: false, ..Volume::default() }];
        step(ContainerSpec { volumes, ..ContainerSpec::default() })
    };
    let strict = policy(|_| {});
    let srv = policy(|config| config.volumes = vec!["/srv".into()]);
    let capable =
        step(ContainerSpec { capabilities: vec!["CAP_sys_admin".into()], ..ContainerSpec::default() });
    let memory = Step {
        resources: Resources { mem_limit_bytes: Some(64 << 30), ..Resources::default() },
        ..Step::default()
    };
    let profile =
        step(ContainerSpec { security_profile: Some("minimal".into()), ..ContainerSpec::default() });
    let cases = [
        ("network", cause(&strict, &network("bridge"), "a"), "policy.networks"),
        ("the default network is the bridge", cause(&strict, &network("default"), "a"), "policy.networks"),
        ("host network", cause(&strict, &network("host"), "a"), "policy.networks"),
        ("capability", cause(&strict, &capable, "a"), "`SYS_ADMIN`"),
        ("profile", cause(&strict, &profile, "a"), "policy.profiles"),
        ("memory", cause(&strict, &memory, "a"), "the operator allows"),
        ("volume", cause(&strict, &volume("/srv/x", "/x"), "a"), "policy.volumes"),
        ("climbing volume", cause(&srv, &volume("/srv/../etc", "/x"), "a"), "policy.volumes"),
        (
            "volume over the workspace",
            cause(&srv, &volume("/srv/x", "/workspace/y"), "a"),
            "nothing can be mounted",
        ),
        ("volume over the root", cause(&srv, &volume("/srv/x", "/"), "a"), "nothing can be mounted"),
        ("no reference", cause(&strict, &Step::default(), "a/../b"), "no image reference"),
        ("a query", cause(&strict, &Step::default(), "a?b=c"), "no image reference"),
        ("a flag", cause(&strict, &Step::default(), "--privileged"), "no image reference"),
        (
            "image",
            cause(
                &policy(|config| config.images = vec!["ghcr.io/acme/*".into()]),
                &Step::default(),
                "evil/x",
            ),
            "policy.images",
        ),
    ];
    for (name, cause, want) in cases {
        assert!(cause.contains(want), "{name}: {cause}");
    }
}

#[test]
fn what_both_want_is_granted() {
    let generous = policy(|config| {
        config.networks = Some(vec!["bridge".into()]);
        config.capabilities = vec!["NET_RAW".into()];
        config.volumes = vec!["/srv/cache".into()];
        config.images = vec!["ghcr.io/acme/*".into(), "busybox".into()];
    });
    let asked = step(ContainerSpec {
        network: Some("default".into()),
        capabilities: vec!["cap_net_raw".into(), "NET_RAW".into()],
        volumes: vec![Volume {
            source: "/srv/cache/go".into(),
            destination: "/go".into(),
            read_only: true,
            ..Volume::default()
        }],
        ..ContainerSpec::default()
    });
    let plan = planned(&generous, &asked);
    assert_eq!(plan.network, Network::Bridge);
    assert_eq!(plan.capabilities, ["NET_RAW"]);
    assert!(plan.mounts[0].read_only);
    assert!(generous.place(&asked, Some("ghcr.io/acme/team/tool:1".to_owned())).is_ok());
}

#[test]
fn no_policy_can_allow_some_things() {
    for path in ["/", "/proc", "/proc/1", "/run/docker.sock", "/var", "relative", "/srv/../etc"] {
        let config = PolicyConfig { volumes: vec![path.into()], ..PolicyConfig::default() };
        assert!(Policy::new(config).is_err(), "{path}");
    }
    let config = PolicyConfig { networks: Some(vec!["container:x".into()]), ..PolicyConfig::default() };
    assert!(Policy::new(config).is_err());
}
