//! Schema and loader judge alike whatever is written: whole files drawn from the tables, and single texts.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::draw;
use super::{Judge, codes, problems};
use crate::diagnostic::SourceFile;
use crate::quantity::{QuantityError, parse_bytes};
use crate::range::{RangeError, VersionRange};
use crate::{code, duration, tree};

/// What only the loader can find in a drawn file. Everything else it finds, the schema finds too.
const LOADERS_OWN: [&str; 9] = [
    // Step ids with those around them.
    code::TOO_DEEP,
    // Variables of a list.
    code::DUPLICATE_KEY,
    // What one key says against another.
    code::VALIDATION,
    code::DEFAULT,
    code::DUPLICATE_STEP,
    code::UNKNOWN_WORKFLOW,
    code::UNKNOWN_ARTIFACT,
    // Regular expressions.
    code::PATTERN,
    // A workflow may have no steps; it is only odd.
    code::NO_STEPS,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// The schema accepts a file exactly when the loader has no remark but its own, warnings included.
    #[test]
    fn on_files(choices in prop::collection::vec(any::<u16>(), 0..1_000)) {
        thread_local!(static JUDGE: Judge = Judge::new());
        let value = draw::file(&choices);
        // JSON is YAML.
        let text = value.to_string();
        let read = tree::parse(&SourceFile::new("tako.yml", text.clone())).root.unwrap().to_json();
        prop_assert_eq!(&read, &value);
        let found = codes(&text);
        let refused = JUDGE.with(|judge| problems(&judge.0, &value));
        let clean = found.iter().all(|code| LOADERS_OWN.contains(code));
        prop_assert_eq!(refused.is_empty(), clean, "{}\nloader: {:?}\nschema: {:?}", text, found, refused);
    }

    #[test]
    fn on_texts(
        duration in "[+ -]?[0-9.]{0,3}(ns|us|µs|μs|ms|s|m|h|d|w)?[0-9.]{0,2}(s|m|h)?[ e]?",
        quantity in "[ -]?[0-9.]{0,4} ?([kKmMgGtTbB]|[kKmMgGtT][iI]?[bB]?|p)? ?",
        range in r"(\^|~|>=|<=|<|>|=|\[|\(|\)|\]|\.\.\.|,| |1\.0\.0|1\.2\.3|1\.2|0\.1\.0-rc\.1|01\.0\.0|1\.0\.0-01|v1\.0\.0|-|x|\*|\+b|!=){0,6}",
        number in "[+ -]?[0-9]{0,3}[.]?[0-9]{0,2}([eE][+-]?[0-9])?x?",
        repo in "(\\.|\\.\\.|/|:|a|b/c|-|file://|\n| |ä){0,6}",
        source in "( |from_std|from_|out|err|file|env|:|x|\\.| y|=){0,5}",
        variable in "[A= \u{7f}\u{85}\t]{0,4}",
    ) {
        let step = |key: &str, value: Value| json!({"version": 1, "workflows": {"w": {"steps": [{"run": "x", key: value}]}}});
        let nothing = duration::parse(&duration).is_ok_and(|duration| duration.is_zero());
        // A fraction of the smallest unit is nothing at all, and no pattern says so.
        if !(nothing && duration.contains(|c: char| ('1'..='9').contains(&c))) {
            agree(&step("timeout", json!(duration)))?;
        }
        agree(&step("retry", json!({"delay": duration})))?;
        agree(&step("resources", json!({"cpu_limit": quantity})))?;
        if parse_bytes(&quantity) != Err(QuantityError::Zero) || !quantity.contains(|c: char| ('1'..='9').contains(&c)) {
            agree(&step("resources", json!({"mem_limit": quantity})))?;
        }
        if range.parse::<VersionRange>() != Err(RangeError::Empty) {
            agree(&json!({
                "version": 1,
                "workflows": {"w": {"steps": ["x"]}},
                "subscriptions": [{"artifact": "a/b:c", "events": "x", "workflow": "w", "schema_version": range}],
            }))?;
        }
        agree(&json!({"version": 1, "events": {"x": {"versions": range}}}))?;
        agree(&step("retry", json!({"attempts": number})))?;
        if !number.contains(['e', 'E']) {
            agree(&step("retry", json!({"backoff": number})))?;
        }
        let bounds = json!({"n": {"type": "number", "validation": {"min": number}}});
        agree(&json!({"version": 1, "workflows": {"w": {"inputs": bounds, "steps": ["x"]}}}))?;
        agree(&json!({"version": 1, "dependents": [{"repo": repo}]}))?;
        let outputs = step("produces", json!({"outputs": {"a": source}}));
        // Text that is almost a source is one only for the loader, which knows what was meant.
        let meant = !source.trim().starts_with("from_") && codes(&outputs.to_string()).contains("TK0117");
        if !meant {
            agree(&outputs)?;
        }
        agree(&step("env", json!([variable])))?;
        agree(&step("env", json!({variable: "x"})))?;
        agree(&step("shell", json!(repo)))?;
    }
}

/// The schema accepts `value` exactly when the loader has no remark.
fn agree(value: &Value) -> Result<(), TestCaseError> {
    thread_local!(static JUDGE: Judge = Judge::new());
    // The one control character that JSON leaves as it is and YAML does not.
    let text = value.to_string().replace('\u{7f}', "\\u007f");
    let refused = JUDGE.with(|judge| problems(&judge.0, value));
    let found = codes(&text);
    prop_assert_eq!(
        refused.is_empty(),
        found.is_empty(),
        "{}\nloader: {:?}\nschema: {:?}",
        text,
        found,
        refused
    );
    Ok(())
}
