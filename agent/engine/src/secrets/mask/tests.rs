use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

use super::*;

fn masker(secrets: &[&str]) -> Masker {
    let values: Vec<SecretValue> =
        secrets.iter().map(|text| SecretValue::new((*text).to_owned()).unwrap()).collect();
    Masker::new(&values).unwrap()
}

/// `text` masked as a stream that comes in pieces of these lengths, over and over.
fn streamed(masker: &Masker, text: &[u8], lengths: &[usize]) -> Vec<u8> {
    let mut stream = masker.stream().unwrap();
    let (mut out, mut rest) = (Vec::new(), text);
    for length in lengths.iter().cycle() {
        let (now, later) = rest.split_at((*length).clamp(1, rest.len().max(1)).min(rest.len()));
        stream.push(now, &mut out);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    stream.finish(&mut out);
    out
}

#[test]
fn what_is_masked() {
    let key = "-----BEGIN KEY-----\nMIIEow\nIBAAKC\n-----END KEY-----\n";
    let cases: [(&str, &[&str], &str, &str); 29] = [
        ("nothing", &["hunter22"], "hello\n", "hello\n"),
        ("as it is", &["hunter22"], "the password is hunter22.\n", "the password is ***.\n"),
        ("twice in a row", &["hunter22"], "hunter22hunter22", "******"),
        ("several", &["hunter22", "swordfish"], "hunter22 swordfish\n", "*** ***\n"),
        ("one in another", &["abcd", "abcdefgh"], "abcdefgh abcd abcde\n", "*** *** ***e\n"),
        ("overlapping", &["abcd", "cdef"], "abcdef\n", "***\n"),
        ("over lines", &["hunter22"], "hun\nter22 x\n", "***\n x\n"),
        ("over indented lines", &["hunter22"], "  hun\n  ter22 x\n", "  ***\n x\n"),
        ("over lines of DOS", &["hunter22"], "hun\r\nter22 x\n", "***\n x\n"),
        ("over words", &["correct horse battery"], "correct\n horse \nbattery x\n", "***\n\n x\n"),
        ("over words, unquoted", &["a  lot of\tit"], "a lot of it.\n", "***.\n"),
        ("in hexadecimal over lines", &["password"], " 70 61 73\n 73 77 6f\n 72 64\n", " ***\n\n\n"),
        ("a tilde in a form", &["abc8Q~x1"], "?s=abc8Q%7Ex1&", "?s=***&"),
        ("the user of a URL", &["ab+cd/ef=="], "postgres://u:ab+cd%2Fef%3D%3D@h", "postgres://u:***@h"),
        ("a whole URL", &["p@ss w/rd"], "<p@ss%20w/rd>", "<***>"),
        ("for a shell", &["Tr0ub#4 &x"], "Tr0ub#4\\ \\&x", "***"),
        ("coloured within", &["hunter22"], "hun\x1b[31mter22 x\n", "*** x\n"),
        ("in a link", &["hunter22"], "\x1b]8;;http://u:hunter22@h/\x1b\\x", "\x1b]8;;http://u:***@h/\x1b\\x"),
        ("a link within", &["hunter22"], "hun\x1b]8;;http://h/\x07ter22 x", "*** x"),
        ("a key", &[key], &format!("<{key}>"), "<***\n\n\n\n>"),
        ("one line of a key", &[key], "= IBAAKC =", "= *** ="),
        ("a key in one line", &[key], &key.replace('\n', "\\n"), "***"),
        ("a key in JSON", &[key], &json!({ "k": key }).to_string(), "{\"k\":\"***\"}"),
        ("in a URL", &["p@ss/w rd"], "https://u:p%40ss%2fw%20rd@h p%40ss%2Fw+rd", "https://u:***@h ***"),
        ("in a shell's trace", &["it's"], "+ echo 'it'\\''s'", "+ echo '***'"),
        ("in HTML", &["a<b>&c"], "<p>a&lt;b&gt;&amp;c</p>", "<p>***</p>"),
        ("in hexadecimal", &["pass"], "70617373 70617373 70 61 73 73", "*** *** ***"),
        ("its beginning", &["hunter22"], "hunter2", "hunter2"),
        ("a password with its newline", &["hunter22\n"], "hunter22 x", "*** x"),
    ];
    for (name, secrets, text, want) in cases {
        let masker = masker(secrets);
        assert_eq!(masker.text(text), want, "{name}");
        for length in [1, 2, 3, 5, 1000] {
            let got = String::from_utf8(streamed(&masker, text.as_bytes(), &[length])).unwrap();
            if !name.starts_with("over ") || length == 1000 {
                assert_eq!(got, want, "{name}, {length} bytes at a time");
            }
            assert!(!secrets.iter().any(|secret| got.contains(secret)), "{name}: {got}");
        }
    }
}

/// By lines, as programs write: what of a line was handed on must not make the next one another.
#[test]
fn indented_lines_that_come_one_by_one() {
    let masker = masker(&["dogs1234"]);
    let mut stream = masker.stream().unwrap();
    let mut out = Vec::new();
    for line in ["and\n", "  ogs1234 x\n"] {
        stream.push(line.as_bytes(), &mut out);
    }
    stream.finish(&mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "and\n*** x\n");
    let mut stream = masker.stream().unwrap();
    let mut out = Vec::new();
    stream.push(b"\x1b[1mread\x1b[0m\n", &mut out);
    assert_eq!(String::from_utf8_lossy(&out), "\x1b[1mread\x1b[0m\n", "a coloured line is not kept waiting");
}

#[test]
fn base64_in_lines() {
    let secret = "correct horse battery staple, and a word more than one line of base64 can hold: xylophone";
    let masker = masker(&[secret]);
    for before in ["", "u:", "user:", "Authorization: "] {
        let whole = STANDARD.encode(format!("{before}{secret}\n"));
        let lines: Vec<String> =
            whole.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        let text = format!("  {}\n", lines.join("\n  "));
        let masked = masker.text(&text);
        assert!(masked.len() < before.len() * 2 + 20 && masked.lines().count() == lines.len(), "{masked}");
    }
}

#[test]
fn values_of_events() {
    let mut value = json!({ "a": ["x hunter22", 1, null, { "hunter22": "aHVudGVyMjI=" }], "b": "x" });
    masker(&["hunter22"]).hide_in(&mut value);
    assert_eq!(value, json!({ "a": ["x ***", 1, null, { "***": "***=" }], "b": "x" }));
}

/// Lines come when they are written, though the next one might go on with what looks like a secret.
#[test]
fn lines_are_not_kept_waiting() {
    let mut stream = masker(&["dogs1234"]).stream().unwrap();
    let mut out = Vec::new();
    let mut push = |text: &str| {
        out.clear();
        stream.push(text.as_bytes(), &mut out);
        String::from_utf8(out.clone()).unwrap()
    };
    assert_eq!(push("Downloaded\n"), "Downloaded\n");
    assert_eq!(push("and\n"), "and\n");
    assert_eq!(push("ogs1234 x\n"), "*** x\n");
    assert_eq!(push("dogs1"), "");
    assert_eq!(push("234\n"), "***\n");
    assert_eq!(push("dog\n"), "dog\n");
    assert_eq!(push("s\n"), "");
    assert_eq!(push("x\n"), "s\nx\n");
}

/// What looks like a secret that never ends fills no memory.
#[test]
fn what_is_held_back_is_bounded() {
    for gap in ["\n", "\x1b[0m", "   \n"] {
        let masker = masker(&["hunter22"]);
        let mut stream = masker.stream().unwrap();
        let (mut out, gaps) = (Vec::new(), gap.repeat(1000));
        stream.push(b"hunter", &mut out);
        for _ in 0..100 {
            stream.push(gaps.as_bytes(), &mut out);
        }
        assert!(out.len() > 50 * gaps.len(), "{gap:?}: {}", out.len());
        stream.finish(&mut out);
        assert_eq!(out.len(), 6 + 100 * gaps.len());
    }
}

#[test]
fn nothing_to_look_for() {
    let masker = Masker::default();
    assert!(masker.is_empty() && masker.stream().is_none());
    assert!(matches!(masker.text("x"), Cow::Borrowed("x")));
    assert!(!format!("{:?}", self::masker(&["hunter22"])).contains("hunter"));
}

/// The same, as programs might write it.
fn written(secret: &str, how: usize) -> String {
    match how % 9 {
        0 => secret.to_owned(),
        1 => STANDARD.encode(secret),
        2 => URL_SAFE.encode(format!("x{secret}y")),
        3 => STANDARD.encode(format!("ab{secret}c")),
        4 => secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
        5 => json!(secret).to_string(),
        6 => percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string(),
        7 => format!("{secret:?}"),
        _ => format!("'{}'", secret.replace('\'', "'\\''")),
    }
}

proptest! {
    /// Whatever is written, wherever it is cut: no form of a secret is left, as it stands or as a terminal shows it.
    #[test]
    fn no_form_gets_through(
        secrets in proptest::collection::vec("[a-c][a-c'/ ]{2,7}[a-c]|[!-)+-~äß]{4,20}", 1..4),
        parts in proptest::collection::vec((any::<Index>(), 0..12_usize, "[a-d \n]{0,6}|\x1b\\[1m|\r\n  "), 0..8),
        lengths in proptest::collection::vec(1..20_usize, 1..6),
        breaks in proptest::collection::vec(any::<Index>(), 0..3),
    ) {
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let mut text = String::new();
        for (which, how, noise) in &parts {
            if *how < 9 {
                text.push_str(&written(secrets[which.index(secrets.len())], *how));
            }
            text.push_str(noise);
        }
        let mut text = text.into_bytes();
        for at in breaks {
            let at = at.index(text.len() + 1);
            text.insert(at, b'\n');
        }
        let masker = masker(&secrets);
        let forms = Arc::clone(masker.0.as_ref().unwrap());
        for out in [masker.bytes(&text).into_owned(), streamed(&masker, &text, &lengths)] {
            for view in View::ALL {
                let viewed = view::of(view, &out);
                prop_assert!(!forms.shown.automaton.is_match(viewed.bytes()), "{:?}", String::from_utf8_lossy(&out));
            }
            let lines = |text: &[u8]| text.iter().filter(|byte| **byte == b'\n').count();
            prop_assert_eq!(lines(&out), lines(&text));
        }
    }

    /// However the words of a secret are spread: no long part of it is left.
    #[test]
    fn no_wrapping_gets_through(
        words in proptest::collection::vec("[a-m]{2,6}", 2..5),
        gaps in proptest::collection::vec("\n|\n  | |  |\t|\r\n| \n\t|\x1b\\[1m \x1b\\[0m\n", 4),
        lengths in proptest::collection::vec(1..20_usize, 1..4),
    ) {
        prop_assume!(words.concat().len() >= 8);
        let secret = words.join(" ");
        let spread: String = words.iter().zip(&gaps).map(|(word, gap)| format!("{word}{gap}")).collect();
        let text = format!("it is <{spread}>\n");
        let masker = masker(&[&secret]);
        for out in [masker.bytes(text.as_bytes()).into_owned(), streamed(&masker, text.as_bytes(), &lengths)] {
            let left = String::from_utf8_lossy(&out).replace("\x1b[1m", "").replace("\x1b[0m", "");
            let left: String = left.split_whitespace().collect();
            for part in words.concat().as_bytes().windows(8) {
                prop_assert!(!left.contains(std::str::from_utf8(part).unwrap()), "{left}");
            }
        }
    }

    #[test]
    fn what_is_no_secret_comes_through(
        text in "[x-z\n \x1b\\[m]{0,60}",
        lengths in proptest::collection::vec(1..20_usize, 1..4),
    ) {
        let masker = masker(&["abcdefgh", "[mab"]);
        prop_assert_eq!(masker.text(&text), text.as_str());
        let out = streamed(&masker, text.as_bytes(), &lengths);
        prop_assert_eq!(String::from_utf8_lossy(&out), text.as_str());
    }
}
