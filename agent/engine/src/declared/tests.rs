use serde_json::json;
use tako_schemas::workflow::Workflow;

use super::*;
use crate::plan::Plan;

fn declared(schema: Option<Value>, versions: &[&str], deprecated: &[&str]) -> DeclaredEvents {
    let owned = |list: &[&str]| list.iter().map(|version| (*version).to_owned()).collect();
    let event = DeclaredEvent {
        schema: schema.as_ref().map(|schema| PayloadSchema::compile(schema).unwrap()),
        document: schema,
        versions: owned(versions),
        deprecated: owned(deprecated),
    };
    DeclaredEvents(IndexMap::from([("built".to_owned(), event)]))
}

#[test]
fn what_is_emitted_must_be_as_declared() {
    let version =
        || Some(json!({"required": ["a", "b", "c", "d"], "properties": {"version": {"type": "string"}}}));
    let good = json!({"version": "1.0.0", "a": 1, "b": 1, "c": 1, "d": 1});
    let bad = json!({"version": 3, "a": 1, "b": 1, "c": 1, "d": 1});
    let cases = [
        ("not declared", declared(version(), &["1.0.0"], &[]), "other", Some("9.0.0"), json!({}), Ok(())),
        ("declared without anything", declared(None, &[], &[]), "built", Some("9.0.0"), json!({}), Ok(())),
        ("it fits", declared(version(), &[], &[]), "built", None, good.clone(), Ok(())),
        (
            "it does not fit",
            declared(version(), &[], &[]),
            "built",
            None,
            bad.clone(),
            Err("the event `built` does not fit its schema: `version`: 3 is not of type \"string\""),
        ),
        (
            "in many ways",
            declared(version(), &[], &[]),
            "built",
            None,
            json!({}),
            Err("the event `built` does not fit its schema: \"a\" is a required property; \
                 \"b\" is a required property; \"c\" is a required property; and more"),
        ),
        (
            "a version in use",
            declared(version(), &["1.0.0", "1.1.0"], &[]),
            "built",
            Some("1.1.0"),
            good.clone(),
            Ok(()),
        ),
        (
            "a version on its way out",
            declared(None, &["1.1.0"], &["1.0.0"]),
            "built",
            Some("1.0.0"),
            json!({}),
            Ok(()),
        ),
        ("no version at all", declared(None, &["1.1.0"], &[]), "built", None, json!({}), Ok(())),
        (
            "no version is listed as in use",
            declared(None, &[], &["1.0.0"]),
            "built",
            Some("2.0.0"),
            json!({}),
            Ok(()),
        ),
        (
            "a version that is not listed, whatever the payload",
            declared(version(), &["1.1.0"], &["1.0.0"]),
            "built",
            Some("2.0.0"),
            bad,
            Err("the event `built` is declared with other versions than 2.0.0: 1.1.0, 1.0.0"),
        ),
        (
            "a listed version does not make up for the payload",
            declared(version(), &["1.0.0"], &[]),
            "built",
            Some("1.0.0"),
            json!({"a": 1, "b": 1, "c": 1}),
            Err("the event `built` does not fit its schema: \"d\" is a required property"),
        ),
    ];
    for (name, declared, kind, version, payload, want) in cases {
        assert_eq!(declared.check(kind, version, &payload), want.map_err(str::to_owned), "{name}");
    }
}

#[test]
fn what_is_declared_is_part_of_what_a_run_does() {
    let digest = |events| Plan::new(Workflow::default(), events).unwrap().digest;
    let text = || Some(json!({"type": "string"}));
    let all = [
        digest(DeclaredEvents::default()),
        digest(declared(None, &[], &[])),
        digest(declared(text(), &[], &[])),
        digest(declared(Some(json!({"type": "number"})), &[], &[])),
        digest(declared(text(), &["1.0.0"], &[])),
        digest(declared(text(), &[], &["1.0.0"])),
    ];
    for (index, one) in all.iter().enumerate() {
        assert!(!all[..index].contains(one), "{index}");
    }
    assert_eq!(all[2], digest(declared(text(), &[], &[])), "it does not depend on anything else");
}
