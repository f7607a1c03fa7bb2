//! Words of strangers: what may pass as a name, and how the rest is shown.

/// Letters, digits, `.`, `_` and `-`, from 1 to `most` of them.
#[must_use]
pub(crate) fn is_word(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// `text` on one line of at most `most` characters, without control characters and without those that change the
/// direction of writing or are invisible.
#[must_use]
pub(crate) fn plain(text: &str, most: usize) -> String {
    let visible = |c: &char| {
        !c.is_control()
            && !matches!(*c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    text.chars().filter(visible).take(most).collect::<String>().trim().to_owned()
}

/// An error and its causes on one line.
#[must_use]
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let cases = [
            ("a name", "builder-1.local_x", true),
            ("nothing", "", false),
            ("a slash", "a/b", false),
            ("a colon, which internal labels have", "tako:internal", false),
            ("a newline", "a\n", false),
            ("not ASCII", "é", false),
        ];
        for (name, text, good) in cases {
            assert_eq!(is_word(text, 64), good, "{name}");
        }
        assert!(is_word(&"a".repeat(64), 64) && !is_word(&"a".repeat(65), 64));
    }

    #[test]
    fn what_people_wrote_is_shown_without_tricks() {
        let cases = [
            ("plain words stay", "Ünïcode is fine", "Ünïcode is fine"),
            ("terminal escapes lose their start", "a\u{1b}[31mb\u{7}", "a[31mb"),
            ("lines become one", "a\nb\r\nc", "abc"),
            ("the direction of writing stays", "a\u{202e}b\u{2066}c", "abc"),
        ];
        for (name, text, want) in cases {
            assert_eq!(plain(text, 200), want, "{name}");
        }
        assert_eq!(plain(&"é".repeat(300), 200).chars().count(), 200);
    }
}
