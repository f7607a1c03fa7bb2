//! Limits, and expressions that are made to meet them.

use proptest::prelude::*;

use super::*;

#[test]
fn what_an_expression_does_not_read_costs_nothing() {
    let names: serde_json::Map<String, Json> =
        (0..200).map(|at| (format!("V{at}"), Json::from("x"))).collect();
    let values = json!({"env": names, "inputs": {"list": [1, 2]}});
    let activation = Activation::new(values, Status::SUCCESS);
    let loops = "[1, 2].all(a, [1, 2].all(b, inputs.list.all(c, c > 0)))";
    let evaluate = |source| Program::compile(source, Kind::Condition).unwrap().evaluate(&activation);
    assert_eq!(evaluate(loops), Ok(Verdict::True));
    assert_eq!(evaluate("env.all(a, env.all(b, env.all(c, true)))"), Err(CelError::over(Limit::Work)));
}

#[test]
fn limits_are_named() {
    for (limit, want) in [
        (Limit::Length, "4096 bytes"),
        (Limit::Nesting, "32 levels"),
        (Limit::Chain, "500 operators"),
        (Limit::Work, "1000000 steps"),
        (Limit::Payload, "256 KiB"),
        (Limit::Text, "1 MiB"),
        (Limit::Deadline, "100 ms"),
    ] {
        assert!(CelError::over(limit).to_string().contains(want), "{limit:?}");
    }
}

#[test]
fn hostile_expressions_meet_a_limit() {
    let list: Vec<u32> = (0..100).collect();
    let small =
        Activation::new(json!({"payload": {"list": list, "s": "x".repeat(100_000)}}), Status::SUCCESS);
    let large = Activation::new(json!({"payload": {"list": vec![1; 5_000]}}), Status::SUCCESS);
    let huge = Activation::new(json!({"payload": {"s": "x".repeat(300_000)}}), Status::SUCCESS);
    let vast = Activation::new(json!({"payload": {"s": "x".repeat(10 << 20)}}), Status::SUCCESS);
    let long = Activation::new(json!({"payload": {"l": vec![1; 5 << 20]}}), Status::SUCCESS);
    let nested = |n: usize| {
        let open: String = (0..n).map(|i| format!("payload.list.all(x{i}, ")).collect();
        format!("{open}true{}", ")".repeat(n))
    };
    let literal = |n: usize| {
        let open: String = (0..n).map(|i| format!("[1,2,3,4,5,6,7,8].all(x{i}, ")).collect();
        format!("{open}true{}", ")".repeat(n))
    };
    let cases = [
        ("50,000 terms", "1+".repeat(50_000) + "1", &small, &[Limit::Length][..]),
        ("100,000 fields", "payload".to_owned() + &".a".repeat(100_000), &small, &[Limit::Length]),
        ("100,000 parentheses", "(".repeat(100_000), &small, &[Limit::Length]),
        ("2,000 parentheses", "(".repeat(2_000), &small, &[Limit::Nesting]),
        ("2,000 terms", "1+".repeat(2_000) + "1", &small, &[Limit::Chain]),
        ("1,000 fields", "payload".to_owned() + &".a".repeat(1_000), &small, &[Limit::Chain]),
        ("four loops over a hundred", nested(4), &small, &[Limit::Work]),
        ("two loops over five thousand", nested(2), &large, &[Limit::Work]),
        ("seven loops over eight", literal(7), &huge_free(), &[Limit::Work]),
        ("a payload of 10 MB", "payload.s == ''".to_owned(), &vast, &[Limit::Payload]),
        ("a list of 10 MB", "payload.l.all(x, x == 1)".to_owned(), &long, &[Limit::Payload]),
        ("a payload of 300 kB", "payload.s == ''".to_owned(), &huge, &[Limit::Payload]),
        (
            "doubling",
            format!("[payload.s]{}.size() > 0", ".map(x, x + x)".repeat(60)),
            &small,
            &[Limit::Text, Limit::Deadline],
        ),
        (
            "doubling lists",
            format!("[[1]]{}.size() > 0", ".map(x, x + x)".repeat(60)),
            &small,
            &[Limit::Work, Limit::Deadline],
        ),
        (
            "doubling literals",
            format!("[1]{}.size() > 0", ".map(x, [x, x])".repeat(60)),
            &small,
            &[Limit::Work, Limit::Deadline],
        ),
        (
            "doubling maps",
            format!("[1]{}.size() > 0", ".map(x, {1: x, 2: x})".repeat(60)),
            &small,
            &[Limit::Work, Limit::Deadline],
        ),
        (
            "replacing",
            format!("payload.s{} == ''", ".replace('x', 'xxxxxxxx')".repeat(100)),
            &small,
            &[Limit::Text, Limit::Deadline],
        ),
        (
            "replacing without growth",
            format!("payload.s{} == ''", ".replace('x', 'x')".repeat(200)),
            &small,
            &[Limit::Work, Limit::Deadline],
        ),
        (
            "swallowed by or",
            "payload.list.map(a, payload.list.map(b, payload.list.map(c, payload.s + payload.s))).size() > 0 || true".to_owned(),
            &small,
            &[Limit::Work, Limit::Deadline],
        ),
        ("a large regex", "payload.s.matches('(((a{100}){100}){100})')".to_owned(), &small, &[Limit::Text]),
        (
            "splitting",
            "payload.s.split('').all(a, payload.s.split('').all(b, true))".to_owned(),
            &small,
            &[Limit::Work, Limit::Deadline],
        ),
    ];
    for (name, source, activation, limits) in cases {
        let result = Program::compile(&source, Kind::Filter).and_then(|program| program.evaluate(activation));
        let Err(CelError::OverLimit { limit }) = result else { panic!("{name}: {result:?}") };
        assert!(limits.contains(&limit), "{name}: {limit:?}");
    }
}

fn huge_free() -> Activation {
    Activation::new(json!({"payload": {}}), Status::SUCCESS)
}

#[test]
fn what_is_within_the_limits_works() {
    let list: Vec<u32> = (0..1_000).collect();
    let values =
        Activation::new(json!({"payload": {"list": list, "s": "x".repeat(200_000)}}), Status::SUCCESS);
    let cases = [
        ("500 terms", "1".to_owned() + &"+1".repeat(450) + " > 0"),
        ("500 conjunctions", "true".to_owned() + &" && true".repeat(450)),
        ("400 negations", "!".repeat(400) + "true"),
        ("300 choices", "true?true:".repeat(200) + "true"),
        ("30 levels", "(".repeat(30) + "true" + &")".repeat(30)),
        ("30 lists", "[".repeat(30) + "1" + &"]".repeat(30) + ".size() == 1"),
        ("a loop over a thousand", "payload.list.all(x, x >= 0)".to_owned()),
        ("a payload of 200 kB", "payload.s.size() == 200000".to_owned()),
    ];
    for (name, source) in cases {
        let result = Program::compile(&source, Kind::Filter).and_then(|program| program.evaluate(&values));
        assert_eq!(result, Ok(Verdict::True), "{name}");
    }
}

proptest! {
    #[test]
    fn any_source_compiles_or_is_refused(source in "([-.+!?:()\\[\\]{}&|=<>, '\"`a1]|payload|semver|\\.map\\(x,|in|has\\(|\\{\\{|\\}\\}){0,30}") {
        for kind in [Kind::Filter, Kind::Condition] {
            if let Ok(program) = Program::compile(&source, kind) {
                let result = program.evaluate(&Activation::new(filter_values(), Status::SUCCESS));
                prop_assert_ne!(result, Err(CelError::Interpreter));
            }
        }
    }

    #[test]
    fn any_text_is_judged(source in "\\PC*") {
        for kind in [Kind::Filter, Kind::Condition] {
            if let Err(error) = Program::compile(&source, kind) {
                let range = error.range().unwrap_or_default();
                prop_assert!(range.end <= source.len() && source.is_char_boundary(range.start) && source.is_char_boundary(range.end));
            }
        }
    }
}
