//! Texts without what may stand in the middle of a secret: line breaks, and the escape sequences of terminals.

use memchr::{memchr, memchr2, memchr3};

const ESCAPE: u8 = 0x1b;
/// A longer escape sequence is none: what follows the escape is text.
const LONGEST_SEQUENCE_BYTES: usize = 4096;

/// How to look at a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// Without line breaks, and the indentation behind them.
    Joined,
    /// Without escape sequences too. What stands within one, the address of a link, is seen by the other view.
    Shown,
    /// Without any white space, and without escape sequences.
    Solid,
}

impl View {
    /// Those in which forms are looked for as they are.
    pub(super) const ALL: [Self; 2] = [Self::Joined, Self::Shown];
}

/// A text as it is viewed, and where its bytes come from.
#[derive(Debug, Default)]
pub(super) struct Viewed {
    bytes: Vec<u8>,
    /// For each run of bytes without a gap: where it begins here, and in the text.
    runs: Vec<(usize, usize)>,
    /// Where an escape sequence begins that is not over yet.
    unfinished: Option<usize>,
}

impl Viewed {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Where the byte at `index` comes from.
    pub(super) fn origin(&self, index: usize) -> usize {
        let run = self.runs.partition_point(|(from, _)| *from <= index).saturating_sub(1);
        self.runs.get(run).map_or(index, |(from, origin)| origin + (index - from))
    }

    /// Where an escape sequence begins that may go on behind the end of the text.
    pub(super) fn unfinished(&self) -> Option<usize> {
        self.unfinished
    }

    fn take(&mut self, text: &[u8], from: usize, to: usize) {
        if from < to {
            self.runs.push((self.bytes.len(), from));
            self.bytes.extend_from_slice(&text[from..to]);
        }
    }
}

/// `text`, viewed.
pub(super) fn of(view: View, text: &[u8]) -> Viewed {
    let mut viewed = Viewed { bytes: Vec::with_capacity(text.len()), ..Viewed::default() };
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let gap = match view {
            View::Joined => memchr2(b'\n', b'\r', rest),
            View::Shown => memchr3(b'\n', b'\r', ESCAPE, rest),
            View::Solid => rest.iter().position(|byte| *byte == ESCAPE || byte.is_ascii_whitespace()),
        };
        let gap = gap.map_or(text.len(), |gap| at + gap);
        viewed.take(text, at, gap);
        at = match text.get(gap) {
            None => gap,
            Some(&ESCAPE) => match sequence(&text[gap..]) {
                Sequence::Whole(length) => gap + length,
                Sequence::Unfinished => {
                    viewed.unfinished = Some(gap);
                    text.len()
                }
                Sequence::None => {
                    viewed.take(text, gap, gap + 1);
                    gap + 1
                }
            },
            Some(_) => {
                let blanks = text[gap..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                gap + blanks
            }
        };
    }
    viewed
}

/// Whether a text looks the same in both views.
pub(super) fn is_plain(text: &[u8]) -> bool {
    memchr(ESCAPE, text).is_none()
}

/// What begins with an escape.
enum Sequence {
    Whole(usize),
    Unfinished,
    None,
}

/// The escape sequence at the beginning of `text` (ECMA-48).
fn sequence(text: &[u8]) -> Sequence {
    let within = &text[..text.len().min(LONGEST_SEQUENCE_BYTES)];
    let end = match text.get(1) {
        // CSI: parameters and intermediates up to a final byte.
        Some(b'[') => {
            let body = within[2..].iter().position(|byte| !(0x20..=0x3f).contains(byte));
            match body.map(|body| body + 2) {
                Some(end) if (0x40..=0x7e).contains(&text[end]) => Some(end + 1),
                Some(_) => return Sequence::None,
                None => None,
            }
        }
        // OSC, DCS, SOS, PM, APC: strings up to BEL or ST.
        Some(b']' | b'P' | b'X' | b'^' | b'_') => {
            let mut from = 2;
            loop {
                match memchr2(0x07, ESCAPE, &within[from..]).map(|end| from + end) {
                    Some(end) if text[end] == 0x07 => break Some(end + 1),
                    Some(end) if text.get(end + 1) == Some(&b'\\') => break Some(end + 2),
                    Some(end) if end + 1 < within.len() => from = end + 1,
                    _ => break None,
                }
            }
        }
        // Others: intermediates up to one final byte.
        Some(0x20..=0x7e) => match within[1..].iter().position(|byte| !(0x20..=0x2f).contains(byte)) {
            Some(end) if (0x30..=0x7e).contains(&text[end + 1]) => Some(end + 2),
            Some(_) => return Sequence::None,
            None => None,
        },
        Some(_) => return Sequence::None,
        None => None,
    };
    match end {
        Some(end) => Sequence::Whole(end),
        None if text.len() < LONGEST_SEQUENCE_BYTES => Sequence::Unfinished,
        None => Sequence::None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn views() {
        let link = "a\x1b]8;;http://h/?t=1\x1b\\b\x1b]8;;\x07c";
        let cases = [
            ("plain", "a b", "a b", "a b"),
            ("lines", "a\nb\r\nc\r", "abc", "abc"),
            ("indented", "a\n  b\n\t\n c", "abc", "abc"),
            ("colours", "a\x1b[1;31mb\x1b[0mc", "a\x1b[1;31mb\x1b[0mc", "abc"),
            ("a link", link, link, "abc"),
            ("a charset", "a\x1b(Bb\x1b7c", "a\x1b(Bb\x1b7c", "abc"),
            ("no sequence", "a\x1b\x01b", "a\x1b\x01b", "a\x1b\x01b"),
            ("a wrong one", "a\x1b[1\x01b", "a\x1b[1\x01b", "a\x1b[1\x01b"),
            ("unfinished", "a\x1b[1", "a\x1b[1", "a"),
        ];
        for (name, text, joined, shown) in cases {
            for (view, want) in [(View::Joined, joined), (View::Shown, shown)] {
                let got = of(view, text.as_bytes());
                assert_eq!(String::from_utf8_lossy(got.bytes()), want, "{name}: {view:?}");
            }
        }
        assert_eq!(of(View::Shown, b"a\x1b[1").unfinished(), Some(1));
        let long = format!("a\x1b]{}", "x".repeat(LONGEST_SEQUENCE_BYTES));
        assert_eq!(of(View::Shown, long.as_bytes()).bytes(), long.as_bytes());
    }

    proptest! {
        #[test]
        fn every_byte_knows_its_origin(text in "([ab\r\n ]|\x1b\\[1m|\x1b){0,40}") {
            for view in View::ALL {
                let viewed = of(view, text.as_bytes());
                for (index, byte) in viewed.bytes().iter().enumerate() {
                    prop_assert_eq!(text.as_bytes()[viewed.origin(index)], *byte);
                }
            }
        }
    }
}
