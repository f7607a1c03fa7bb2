use proptest::prelude::*;

use super::*;

#[test]
fn ranges_match_versions() {
    let cases = [
        ("any, by saying nothing", "", &["1.0.0", "v0.0.1", "2.0.0-rc.1", ""][..], &[][..]),
        ("exact", "1.2.3", &["1.2.3", "v1.2.3", "1.2.3+build", ""], &["1.2.4", "1.2.2", "1.2.3-rc.1"]),
        ("exact with a sign", "=1.2.3", &["1.2.3"], &["1.2.4"]),
        ("caret", "^1.2.0", &["1.2.0", "1.9.9", " v1.3.0 "], &["1.1.9", "2.0.0", "1.3.0-rc.1"]),
        ("caret below one keeps the minor", "^0.2.3", &["0.2.3", "0.2.9"], &["0.3.0", "1.0.0"]),
        ("caret below 0.1 keeps the patch", "^0.0.3", &["0.0.3"], &["0.0.4"]),
        ("tilde", "~1.2.3", &["1.2.3", "1.2.9"], &["1.3.0", "1.2.2"]),
        ("at least", ">=1.0.0", &["1.0.0", "9.0.0"], &["0.9.9"]),
        ("more than", ">1.0.0", &["1.0.1"], &["1.0.0"]),
        ("at most", "<=1.0.0", &["1.0.0", "0.1.0"], &["1.0.1"]),
        ("less than", "<1.0.0", &["0.9.9"], &["1.0.0"]),
        ("all must hold, by blanks", ">=1.0.0 <2.0.0", &["1.5.0"], &["2.0.0", "0.9.0"]),
        ("all must hold, by commas", ">=1.0.0,<2.0.0", &["1.5.0"], &["2.0.0"]),
        ("blanks behind the sign", ">= 1.0.0 , < 2.0.0", &["1.5.0"], &["2.0.0"]),
        ("caret and comparator", "^1.2.0 <1.5.0", &["1.4.0"], &["1.5.0"]),
        ("open below, closed above", "(1.1.0...2.0.0]", &["1.1.1", "2.0.0"], &["1.1.0", "2.0.1"]),
        ("closed below, open above", "[1.0.0...2.0.0)", &["1.0.0", "1.9.9"], &["2.0.0", "0.9.9"]),
        ("closed", "[1.0.0...2.0.0]", &["1.0.0", "2.0.0"], &["2.0.1"]),
        ("open", "(1.0.0...2.0.0)", &["1.5.0"], &["1.0.0", "2.0.0"]),
        ("no upper end", "(1.1.0...]", &["9.0.0"], &["1.1.0"]),
        ("no lower end", "[...2.0.0)", &["0.0.1"], &["2.0.0"]),
        ("one point", "[1.0.0...1.0.0]", &["1.0.0"], &["1.0.1"]),
        ("blanks inside", " [ 1.0.0 ... 2.0.0 ) ", &["1.0.0"], &["2.0.0"]),
        (
            "pre-releases only where one is named",
            "[1.0.0...2.0.0)",
            &["1.5.0"],
            &["2.0.0-rc.1", "1.5.0-rc.1"],
        ),
        (
            "a pre-release that is named",
            "[1.0.0-rc.1...2.0.0)",
            &["1.0.0-rc.2"],
            &["1.0.0-beta", "1.1.0-rc.2"],
        ),
    ];
    for (name, range, inside, outside) in cases {
        let parsed: VersionRange = range.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(parsed.to_string(), range, "{name}");
        assert_eq!(parsed.is_any(), range.is_empty(), "{name}");
        for version in inside {
            assert_eq!(parsed.matches(version), Ok(true), "{name}: {version}");
        }
        for version in outside {
            assert_eq!(parsed.matches(version), Ok(false), "{name}: {version}");
        }
    }
}

#[test]
fn refused_ranges_say_what_to_write() {
    let cases = [
        ("two parts", "1.2", "`1.2.0`"),
        ("one part behind a caret", "^1", "`^1.0.0`"),
        ("two parts behind a tilde", "~1.2", "`~1.2.0`"),
        ("four parts", "1.2.3.4", "three numbers"),
        ("a star", "*", "leave `schema_version` out"),
        ("a star for a part", "1.*", "^1.0.0"),
        ("an x for a part", ">=1.2.x", "^1.0.0"),
        ("not equal", "!=1.2.0", "subscriptions"),
        ("or", "1.0.0 || 2.0.0", "alternative"),
        ("two equals signs", "==1.0.0", "alone"),
        ("a hyphen range", "1.0.0 - 2.0.0", "interval"),
        ("a leading v", "^v1.0.0", "`1.0.0`"),
        ("a word", "latest", "leave `schema_version` out"),
        ("only a sign", ">=", "`>=1.2.0`"),
        ("no blank between comparators", ">=1.0.0<2.0.0", "three numbers"),
        ("a comma at the end", ">=1.0.0,", "between two"),
        ("two exact versions", "1.0.0 2.0.0", "the one version"),
        ("exact and a comparator", "1.0.0 <2.0.0", "the one version"),
        ("an interval without a bracket", "1.0.0...2.0.0", "interval looks like"),
        ("an interval without its end", "[1.0.0...2.0.0", "interval looks like"),
        ("an interval with two dots", "[1.0.0..2.0.0]", "interval looks like"),
        ("an interval with four dots", "[1.0.0....2.0.0]", "interval looks like"),
        ("two intervals", "[1.0.0...2.0.0] [3.0.0...]", "interval looks like"),
        ("an interval and a comparator", "[1.0.0...2.0.0] <1.5.0", "interval looks like"),
        ("a bound with two parts", "[1.0...2.0.0]", "`1.0.0`"),
        ("an empty interval", "[2.0.0...1.0.0]", "swap"),
        ("an interval without its only point", "(1.0.0...1.0.0]", "`1.0.0` alone"),
        ("a leading zero", "01.0.0", "three numbers"),
    ];
    for (name, range, hint) in cases {
        let error = range.parse::<VersionRange>().expect_err(name);
        assert!(error.hint().contains(hint), "{name}: {error}; {}", error.hint());
    }
    assert_eq!("9".repeat(1000).parse::<VersionRange>(), Err(RangeError::TooLong));
}

#[test]
fn a_malformed_version_is_an_error_for_every_range() {
    for range in ["", "^1.0.0", "[1.0.0...]"] {
        let range: VersionRange = range.parse().unwrap();
        for version in ["1.2", "banana", "1.2.3.4", "vv1.0.0", "01.0.0"] {
            assert!(range.matches(version).is_err(), "{range}: {version}");
        }
    }
}

#[test]
fn producers_write_three_plain_numbers() {
    let cases =
        [("1.2.3", true), ("v1.2.3", false), ("1.2.3-rc.1", false), ("1.2.3+5", false), ("1.2", false)];
    for (text, plain) in cases {
        assert_eq!(is_plain_version(text), plain, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(range in "[\\[\\]().^~<>=!|*,vx 0-9-]{0,24}", version in "\\PC{0,12}") {
        if let Ok(range) = range.parse::<VersionRange>() {
            let _ = range.matches(&version);
        }
    }

    #[test]
    fn an_interval_is_its_two_comparators(a in 0u64..4, b in 0u64..4, c in 0u64..4, v in 0u64..4, w in 0u64..4) {
        let interval = format!("[{a}.{b}.0...9.{c}.0)").parse::<VersionRange>().unwrap();
        let comparators = format!(">={a}.{b}.0 <9.{c}.0").parse::<VersionRange>().unwrap();
        let version = format!("{v}.{w}.1");
        prop_assert_eq!(interval.matches(&version), comparators.matches(&version));
    }
}

#[test]
fn ranges_that_hold_nothing() {
    let cases = [
        ("^1.0.0", false),
        (">=2.0.0 <1.0.0", true),
        (">1.0.0 <1.0.1", true),
        (">1.0.0 <1.0.2", false),
        ("<0.0.0", true),
        ("<=0.0.0", false),
        ("^1.2.0, <1.2.0", true),
        ("~1.2.3 >=1.2.9", false),
        ("^1.0.0 ^2.0.0", true),
        (">1.0.0-alpha.1 <1.0.0", false),
        ("1.2.3", false),
        ("(1.0.0...2.0.0)", false),
        ("", false),
    ];
    for (range, empty) in cases {
        assert_eq!(range.parse::<VersionRange>().unwrap().is_empty(), empty, "{range}");
    }
}

#[test]
fn ranges_are_texts_of_json() {
    for text in ["^1.0.0", ">=1.0.0, <2.0.0", "[1.0.0...2.0.0)", ""] {
        let range: VersionRange = serde_json::from_value(serde_json::json!(text)).unwrap();
        assert_eq!(serde_json::to_value(&range).unwrap(), text);
        assert_eq!(range, text.parse().unwrap(), "{text}");
    }
    assert!(serde_json::from_value::<VersionRange>(serde_json::json!("^1")).is_err());
}
