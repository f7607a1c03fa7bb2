use serde_json::{Map, json};

use super::*;

fn violations(schema: &Value, payload: &Value) -> Vec<String> {
    let schema = PayloadSchema::compile(schema).unwrap_or_else(|error| panic!("{schema}: {error}"));
    schema.violations(payload).iter().map(ToString::to_string).collect()
}

fn refusal(schema: &Value) -> Option<String> {
    PayloadSchema::compile(schema).err().map(|error| error.to_string())
}

/// `$defs` of which each refers to the next one, `links` times in a list under `keyword`; the last is `end`.
fn ladder(keyword: &str, links: usize, rungs: usize, end: Value) -> Value {
    let mut parts = Map::new();
    for rung in 0..rungs {
        let next = json!({"$ref": format!("#/$defs/{}", rung + 1)});
        parts.insert(rung.to_string(), json!({keyword: vec![next; links]}));
    }
    parts.insert(rungs.to_string(), end);
    json!({"$defs": parts, "$ref": "#/$defs/0"})
}

fn nested(levels: usize, mut value: Value, wrap: impl Fn(Value) -> Value) -> Value {
    for _ in 0..levels {
        value = wrap(value);
    }
    value
}

#[test]
fn what_fits_and_what_does_not() {
    let library = json!({
        "type": "object",
        "required": ["version", "breaking"],
        "additionalProperties": false,
        "properties": {
            "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
            "breaking": {"type": "boolean"},
            "dependencies": {"type": "array", "items": {"$ref": "#/$defs/dependency"}},
            "channel": {"enum": ["stable", "beta"]},
        },
        "$defs": {"dependency": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string", "minLength": 2}},
        }},
    });
    let cases: [(&str, Value, Value, &[&str]); 17] = [
        (
            "a payload that fits",
            library.clone(),
            json!({"version": "1.0.0", "breaking": false, "dependencies": [{"name": "lib"}], "channel": "beta"}),
            &[],
        ),
        (
            "a wrong type",
            library.clone(),
            json!({"version": 3, "breaking": false}),
            &["`version`: 3 is not of type \"string\""],
        ),
        (
            "several things, by place",
            library.clone(),
            json!({"version": "1", "dependencies": [{"name": "x"}, {}, 7], "channel": "none"}),
            &[
                "\"breaking\" is a required property",
                "`channel`: \"none\" is not one of \"stable\" or \"beta\"",
                "`dependencies[0].name`: \"x\" is shorter than 2 characters",
                "`dependencies[1]`: \"name\" is a required property",
                "`dependencies[2]`: 7 is not of type \"object\"",
                "`version`: \"1\" does not match \"^\\d+\\.\\d+\\.\\d+$\"",
            ],
        ),
        (
            "a field too many",
            library,
            json!({"version": "1.0.0", "breaking": true, "extra": 1}),
            &["additional properties are not allowed ('extra' was unexpected)"],
        ),
        ("no object at all", json!({"type": "object"}), json!([]), &["[] is not of type \"object\""]),
        (
            "a field that no pattern allows",
            json!({"patternProperties": {"^x-": true}, "additionalProperties": false}),
            json!({"x-a": 1, "b": 2}),
            &["additional properties are not allowed ('b' was unexpected)"],
        ),
        ("everything", json!(true), json!({"a": 1}), &[]),
        ("nothing", json!(false), json!({}), &["nothing is allowed here"]),
        (
            "names that are no identifiers",
            json!({"additionalProperties": {"additionalProperties": false}}),
            json!({"a b": {"0": 1}, "": {"c": 1}}),
            &["`[\"\"]`: no fields are allowed here", "`[\"a b\"]`: no fields are allowed here"],
        ),
        (
            "a field that is called like an element",
            json!({"properties": {"0": {"properties": {"10": {"type": "null"}}}}}),
            json!({"0": {"10": 1}}),
            &["`0.10`: 1 is not of type \"null\""],
        ),
        (
            "a schema that is a tree",
            json!({"type": "object", "properties": {"child": {"$ref": "#"}, "leaf": {"type": "integer"}}}),
            json!({"child": {"child": {"leaf": 1.5}}}),
            &["`child.child.leaf`: 1.5 is not of type \"integer\""],
        ),
        (
            "`format` and `contentMediaType` are annotations",
            json!({
                "$schema": "http://json-schema.org/draft-07/schema#",
                "properties": {"a": {"format": "date"}, "b": {"contentMediaType": "application/json"}},
            }),
            json!({"a": "no date", "b": "{"}),
            &[],
        ),
        (
            "draft 7 has lists of `items`",
            json!({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}),
            json!([1, 2]),
            &["`[0]`: 1 is not of type \"string\""],
        ),
        (
            "draft 2019-09",
            json!({
                "$schema": "https://json-schema.org/draft/2019-09/schema",
                "properties": {"a": true},
                "unevaluatedProperties": false,
            }),
            json!({"a": 1, "b": 2}),
            &["unevaluated properties are not allowed ('b' was unexpected)"],
        ),
        (
            "draft 2020-12 with a name of its own",
            json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$id": "https://example.com/library_built.json",
                "properties": {"a": {"$ref": "#/$defs/a%20b~1c"}},
                "$defs": {"a b/c": {"type": "string"}},
            }),
            json!({"a": 1}),
            &["`a`: 1 is not of type \"string\""],
        ),
        (
            "what is unevaluated through references",
            json!({
                "allOf": [{"$ref": "#/$defs/base"}],
                "unevaluatedProperties": false,
                "$defs": {"base": {"properties": {"a": {"type": "string"}}}},
            }),
            json!({"a": "x", "b": 1}),
            &["unevaluated properties are not allowed ('b' was unexpected)"],
        ),
        (
            "control characters do not get through",
            json!({"additionalProperties": {"const": 1}}),
            json!({"a\u{1b}[31m": 2, "b": "\u{7}"}),
            &["`[\"a\\u001b[31m\"]`: 1 was expected", "`b`: 1 was expected"],
        ),
    ];
    for (name, schema, payload, want) in cases {
        assert_eq!(violations(&schema, &payload), want, "{name}");
    }
}

#[test]
fn violations_are_few_and_short() {
    let list = json!({"items": {"type": "string"}});
    let found = violations(&list, &Value::from((0..1000).collect::<Vec<_>>()));
    assert_eq!(found.len(), MOST_VIOLATIONS);
    assert_eq!(
        found[10], "`[10]`: 10 is not of type \"string\"",
        "elements are in the order of their numbers"
    );

    let large = json!("x".repeat(10_000));
    assert_eq!(violations(&json!({"type": "null"}), &large), ["value is not of type \"null\""]);
    let field = "f".repeat(10_000);
    for violation in violations(&json!({"additionalProperties": false}), &json!({&field: 1})) {
        assert!(violation.chars().count() <= 201, "{violation}");
    }
    let options: Vec<String> = (0..1000).map(|option| option.to_string()).collect();
    for violation in violations(&json!({"properties": {&field: {"enum": options}}}), &json!({&field: 1})) {
        assert!(violation.chars().count() <= 410, "{violation}");
    }
}

#[test]
fn schemas_that_are_refused() {
    let cases = [
        ("no schema", json!([]), "[] is not of types \"boolean\", \"object\" (at `#`)"),
        (
            "a type that is none",
            json!({"properties": {"a": {"type": "strin"}}}),
            "`strin` is no type (at `#/properties/a`)",
        ),
        (
            "a keyword with a wrong value",
            json!({"minLength": "x"}),
            "\"x\" is not of type \"integer\" (at `#/minLength`)",
        ),
        (
            "another document",
            json!({"$ref": "https://example.com/a.json"}),
            "`$ref: https://example.com/a.json` leads out of the schema (at `#`)",
        ),
        (
            "a file",
            json!({"$ref": "other.json#/a"}),
            "`$ref: other.json#/a` leads out of the schema (at `#`)",
        ),
        (
            "a file by its URL",
            json!({"items": {"$ref": "file:///etc/passwd"}}),
            "`$ref: file:///etc/passwd` leads out of the schema (at `#/items`)",
        ),
        ("an anchor", json!({"$ref": "#name"}), "`$ref: #name` leads out of the schema (at `#`)"),
        ("nothing there", json!({"$ref": "#/$defs/a"}), "`$ref: #/$defs/a` leads nowhere (at `#`)"),
        ("broken percent signs", json!({"$ref": "#/%"}), "`$ref: #/%` leads nowhere (at `#`)"),
        (
            "another dialect",
            json!({"$schema": "http://json-schema.org/draft-04/schema#"}),
            "the dialect `http://json-schema.org/draft-04/schema#` is not supported",
        ),
        (
            "a dialect of one's own",
            json!({"$schema": "https://example.com/own"}),
            "the dialect `https://example.com/own` is not supported",
        ),
        (
            "a document within",
            json!({"$defs": {"a": {"$id": "b"}}}),
            "`$id` is not supported (at `#/$defs/a`)",
        ),
        (
            "a dynamic reference",
            json!({"items": {"$dynamicRef": "#a"}}),
            "`$dynamicRef` is not supported (at `#/items`)",
        ),
        (
            "look-around",
            json!({"pattern": "(?=a)b"}),
            "the regular expression at `#/pattern` is malformed, too large, or looks around or back",
        ),
        (
            "a back-reference",
            json!({"pattern": r"(a)\1"}),
            "the regular expression at `#/pattern` is malformed, too large, or looks around or back",
        ),
        (
            "a reference to itself",
            json!({"$ref": "#"}),
            "`#` refers to itself without going into the payload, so that checking has no end",
        ),
        (
            "a circle",
            json!({
                "$ref": "#/$defs/a",
                "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}},
            }),
            "`#/$defs/a` refers to itself without going into the payload, so that checking has no end",
        ),
    ];
    for (name, schema, want) in cases {
        assert_eq!(refusal(&schema).as_deref(), Some(want), "{name}");
    }
    let typo = PayloadSchema::compile(&json!({"type": "strin"})).unwrap_err();
    assert_eq!(typo.hint().as_deref(), Some("did you mean `string`?"));
}

#[test]
fn hostile_schemas_are_refused() {
    let too_many = |what: &str, limit: usize| format!("the schema has too many {what}, the limit is {limit}");
    let branches = too_many("parts that apply to one value", 10_000);
    let pattern = "the regular expression at `#/pattern` is malformed, too large, or looks around or back";
    let text = "x".repeat(60_000);
    let long_name = "n".repeat(50_000);
    let many: Map<String, Value> = (0..200).map(|part| (part.to_string(), json!(true))).collect();
    let patterns: Vec<Value> = (0..201).map(|_| json!({"pattern": "a"})).collect();
    let unevaluated = |inner| json!({"allOf": [inner], "unevaluatedProperties": {"type": "string"}});
    let cases = [
        ("nesting", nested(200, json!(true), |inner| json!({"not": inner})), too_many("levels", 64)),
        ("values", json!({"enum": vec![1; 30_000]}), too_many("values", 20_000)),
        ("bytes", json!({"enum": vec![text; 10]}), too_many("bytes", 256 << 10)),
        (
            "long names above many parts",
            json!({"properties": {&long_name: {"properties": many}}}),
            too_many("bytes in the pointers to its parts", 4 << 20),
        ),
        ("regular expressions", json!({"allOf": patterns}), too_many("regular expressions", 200)),
        ("allOf that doubles", ladder("allOf", 2, 40, json!({"type": "string"})), branches.clone()),
        ("anyOf that doubles", ladder("anyOf", 2, 40, json!({"type": "string"})), branches.clone()),
        ("oneOf that doubles", ladder("oneOf", 2, 40, json!(false)), branches.clone()),
        (
            "unevaluated again and again",
            json!({"allOf": vec![json!({"unevaluatedItems": false}); 11]}),
            too_many("parts with `unevaluated…`", 10),
        ),
        (
            "unevaluated upon unevaluated",
            nested(9, json!({"properties": {"a": true}}), unevaluated),
            branches,
        ),
        (
            "a chain of references",
            ladder("allOf", 1, 2_000, json!(true)),
            too_many("references in a row", 128),
        ),
        ("a huge regular expression", json!({"pattern": "((a{100}){100}){100}"}), pattern.to_owned()),
        ("an endless regular expression", json!({"pattern": "(".repeat(50_000)}), pattern.to_owned()),
    ];
    for (name, schema, want) in cases {
        assert_eq!(refusal(&schema), Some(want), "{name}");
    }
}

#[test]
fn hostile_payloads_are_not_looked_at() {
    let too_large = ["it is too large for its schema: checking it would take more than 1000000 steps"];
    let unexplained = ["it does not fit, and is too large for the reasons to be listed"];
    let deep = |levels| nested(levels, json!(1), |inner| json!({"a": inner}));
    let again = json!({"properties": {"a": {"$ref": "#"}}});
    let branching = json!({"anyOf": [
        {"properties": {"a": {"$ref": "#"}}, "required": ["y"]},
        {"properties": {"a": {"$ref": "#"}}, "required": ["z"]},
    ]});
    let unevaluated = json!({"type": "object", "unevaluatedProperties": {"$ref": "#"}});
    let patterned = json!({"items": {"pattern": r"^([a-z0-9]+-?)+[a-z]{20}$"}});
    let long = json!(vec!["a-".repeat(20_000); 6]);
    let fits = json!({"items": {"type": "string"}});
    let cases: [(&str, &Value, Value, &[&str]); 8] = [
        ("as deep as may be", &again, deep(64), &[]),
        ("deeper", &again, deep(65), &["its values nest deeper than 64 levels"]),
        ("branches at every level", &branching, deep(40), &too_large),
        ("the same, not as deep", &branching, deep(15), &unexplained),
        ("unevaluated at every level", &unevaluated, deep(40), &too_large),
        ("a long text for each of many regular expressions", &patterned, long, &unexplained),
        ("many values that fit", &fits, json!(vec!["x"; 200_000]), &[]),
        ("many values that do not fit", &fits, json!(vec![1; 200_000]), &unexplained),
    ];
    for (name, schema, payload, want) in cases {
        assert_eq!(violations(schema, &payload), want, "{name}");
    }
}
