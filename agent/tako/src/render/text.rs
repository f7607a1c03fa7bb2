//! Text of strangers, made safe for a terminal.
//!
//! Logs, inputs and event payloads may hold escape sequences that move the cursor, retitle the window or hide what
//! was written. They stay as they are on disk; on their way to people they lose everything but text.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// One line without control characters, escape sequences and direction marks.
pub(crate) fn clean_line(line: &str) -> String {
    clean(line.as_bytes()).replace('\n', " ")
}

/// Text without control characters (but for newlines and tabs), escape sequences and direction marks.
pub(crate) fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = anstream::adapter::strip_str(&text).to_string();
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !(c.is_control() || redirects(*c))).collect()
}

/// Whether `c` changes the direction in which the text around it is shown.
fn redirects(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `0.4s`, `12s`, `3m04s`, `2h05m`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", duration.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The time between two moments; none where clocks ran backwards.
pub(crate) fn between(from: OffsetDateTime, to: OffsetDateTime) -> Duration {
    Duration::try_from(to - from).unwrap_or_default()
}

/// A moment, to the second: `2026-07-26T14:30:22Z`.
pub(crate) fn moment(at: OffsetDateTime) -> String {
    let at = at.replace_nanosecond(0).unwrap_or(at);
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_get_text_only() {
        let cases: [(&str, &[u8], &str); 6] = [
            ("plain text", b"ok\n", "ok\n"),
            ("colours", b"\x1b[31mred\x1b[0m", "red"),
            ("a window title", b"\x1b]0;owned\x07text", "text"),
            ("a hyperlink", b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("carriage return and bell", b"over\rwritten\x07", "overwritten"),
            ("right-to-left override", "a\u{202e}b".as_bytes(), "ab"),
        ];
        for (name, given, want) in cases {
            assert_eq!(clean(given), want, "{name}");
        }
        assert_eq!(clean(b"bad \xff utf-8"), "bad \u{fffd} utf-8");
    }

    #[test]
    fn durations_are_short() {
        for (millis, want) in
            [(0, "0.0s"), (420, "0.4s"), (12_000, "12s"), (184_000, "3m04s"), (7_500_000, "2h05m")]
        {
            assert_eq!(duration(Duration::from_millis(millis)), want);
        }
    }
}
