//! The forms in which a secret turns up: as it is, and as common programs write it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use super::value::SHORTEST_CHARS;
use super::view::{self, View};

/// What RFC 3986 calls unreserved, and encoders leave alone.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// `encodeURIComponent` of JavaScript, and most of what follows its example, leaves these alone too.
const JAVASCRIPT: &AsciiSet = &COMPONENT.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*');
/// Python's `quote` leaves the slash.
const PATH: &AsciiSet = &COMPONENT.remove(b'/');
/// What forms of pages write, `URLSearchParams`: the tilde too.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');
/// The user part of a URL, as the URL standard writes it.
const USERINFO: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'=')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'|');
/// `encodeURI` of JavaScript leaves what separates the parts of a URL.
const WHOLE: &AsciiSet = &JAVASCRIPT
    .remove(b';')
    .remove(b'/')
    .remove(b'?')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b',')
    .remove(b'#');

/// Every form of `secret` that is long enough to be looked for, as the views of a text show it.
pub(super) fn forms(secret: &str) -> BTreeSet<Vec<u8>> {
    let mut all: BTreeSet<String> = BTreeSet::new();
    // Programs read a secret with and without the newline at its end.
    for text in [secret, secret.trim()] {
        all.insert(text.to_owned());
        all.extend(encoded(text));
        all.extend(based(text.as_bytes()));
        // By itself, the last character is its own too.
        all.extend([STANDARD_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(text)]);
        // What Docker, Kubernetes and others store is encoded once more when it is handed on.
        all.extend(based(STANDARD_NO_PAD.encode(text).as_bytes()));
        all.extend(based(text.as_bytes()).flat_map(|within| based(within.as_bytes()).collect::<Vec<_>>()));
        all.extend(hexadecimal(text.as_bytes()));
    }
    // Whoever prints one line of a key prints the key.
    for line in secret.lines().map(str::trim).filter(|line| line.chars().count() >= SHORTEST_CHARS) {
        all.insert(line.to_owned());
        all.extend(encoded(line));
    }
    all.iter()
        .flat_map(|form| View::ALL.map(|view| view::of(view, form.as_bytes()).into_bytes()))
        .filter(|form| form.len() >= SHORTEST_CHARS)
        .collect()
}

/// The part of a base64 text that `bytes` alone decide, wherever in the encoded text they begin.
fn based(bytes: &[u8]) -> impl Iterator<Item = String> {
    (0..3_usize).flat_map(move |before| {
        let padded: Vec<u8> = std::iter::repeat_n(0, before).chain(bytes.iter().copied()).collect();
        // Six bits a character: the first that holds nothing of what is in front, and the last that is whole.
        let (from, to) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)]
            .map(|text| text.get(from..to).unwrap_or_default().to_owned())
    })
}

fn hexadecimal(bytes: &[u8]) -> [String; 4] {
    let joined = |parts: Vec<String>, by: &str| parts.join(by);
    let lower = || bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>();
    let upper = || bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>();
    [joined(lower(), ""), joined(upper(), ""), joined(lower(), " "), joined(lower(), ":")]
}

/// `text` as it stands within URLs, strings of programs, and documents.
fn encoded(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for set in [COMPONENT, JAVASCRIPT, PATH, FORM, USERINFO, WHOLE] {
        let percent = utf8_percent_encode(text, set).to_string();
        all.push(lower_escapes(&percent));
        all.push(percent.replace("%20", "+"));
        all.push(percent);
    }
    let json = serde_json::to_string(text).unwrap_or_default();
    let json = json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
    all.push(json.replace('/', "\\/"));
    all.push(ascii_json(json));
    // As Go's encoder writes it, for pages.
    all.push(json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"));
    // A document within a document.
    all.push(json.replace('\\', "\\\\").replace('"', "\\\""));
    all.push(json.to_owned());

    let escaped = |special: &str| {
        text.chars().fold(String::new(), |mut out, c| {
            if special.contains(c) {
                out.push('\\');
            }
            out.push(c);
            out
        })
    };
    // `'…'`, `"…"` and `$'…'` of shells, `printf %q`, and the same in the output of `set -x`.
    all.push(text.replace('\'', "'\\''"));
    all.push(text.replace('\'', "'\"'\"'"));
    all.push(escaped("\"\\$`"));
    all.push(escaped("\"\\$`!"));
    all.push(escaped(" \t!\"#$&'()*,;<>?[\\]^`{|}~"));
    all.push(escaped(" \t!\"#$&'()*;<>?[\\]^`{|}"));
    // Bash's own: these two only where they come first.
    let inner = escaped(" \t!\"$&'()*,;<>?[\\]^`{|}");
    all.push(if text.starts_with(['#', '~']) { format!("\\{inner}") } else { inner });
    all.push(text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n").replace('\t', "\\t"));
    // `repr` of Python, `Debug` of Rust.
    all.push(text.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r"));
    all.push(text.escape_debug().to_string());
    // Within commands of `sed`, which people write with what they have at hand.
    all.push(text.replace('/', "\\/"));

    let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    all.push(html.replace('"', "&quot;").replace('\'', "&#39;"));
    all.push(html.replace('"', "&quot;").replace('\'', "&#x27;"));
    all.push(html.replace('"', "&#34;").replace('\'', "&#39;"));
    all.push(html.replace('"', "&quot;").replace('\'', "&apos;"));
    all.push(html.replace('"', "&quot;"));
    all.push(html);
    all
}

/// `%C3%A4` as `%c3%a4`.
fn lower_escapes(percent: &str) -> String {
    let mut left = 0_u8;
    percent
        .chars()
        .map(|c| {
            if c == '%' {
                left = 2;
                return c;
            }
            let escape = left > 0;
            left = left.saturating_sub(1);
            if escape { c.to_ascii_lowercase() } else { c }
        })
        .collect()
}

/// JSON as encoders write it that trust nothing but ASCII.
fn ascii_json(json: &str) -> String {
    json.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_of_common_programs() {
        let cases = [
            ("as it is", "p a/s's\"w&d", "p a/s's\"w&d"),
            ("python3: json.dumps", "p a/s's\"w&d", "p a/s's\\\"w&d"),
            ("json.dumps of what is not ASCII", "pässword", "p\\u00e4ssword"),
            ("python3: quote", "p a/s's\"w&d", "p%20a/s%27s%22w%26d"),
            ("python3: quote_plus", "p a/s's\"w&d", "p+a%2Fs%27s%22w%26d"),
            ("node: encodeURIComponent", "p a/s's\"w&d", "p%20a%2Fs's%22w%26d"),
            ("bash: printf %q", "p a/s's\"w&d", "p\\ a/s\\'s\\\"w\\&d"),
            ("set -x", "p a/s's\"w&d", "p a/s'\\''s\"w&d"),
            ("python3: html.escape", "p a/s's\"w&d", "p a/s&#x27;s&quot;w&amp;d"),
            ("go: json of HTML", "p a/s's\"w&d", "p a/s's\\\"w\\u0026d"),
            ("xxd -p", "pass", "70617373"),
            ("openssl: hex", "pass", "70:61:73:73"),
            ("a document in a document", "a\"bcd", "a\\\\\\\"bcd"),
            ("a line of a key", "-----BEGIN-----\nabcdef\n-----END-----", "abcdef"),
            ("a key in one line", "-----BEGIN-----\nabcdef\n", "-----BEGIN-----\\nabcdef\\n"),
        ];
        for (name, secret, form) in cases {
            assert!(forms(secret).contains(form.as_bytes()), "{name}");
        }
    }

    #[test]
    fn nothing_short_is_looked_for() {
        for secret in ["abcd", "a\nb\nc\nd", "{\n\"a\": 1\n}"] {
            let short: Vec<_> =
                forms(secret).into_iter().filter(|form| form.len() < SHORTEST_CHARS).collect();
            assert!(short.is_empty(), "{secret:?}: {short:?}");
        }
    }

    proptest! {
        #[test]
        fn base64_at_any_offset(before in ".{0,7}", secret in "[!-~]{4,40}", after in ".{0,7}") {
            let text = STANDARD.encode(format!("{before}{secret}{after}"));
            let found = based(secret.as_bytes()).any(|form| text.contains(&form));
            prop_assert!(found, "{}", text);
        }
    }
}
