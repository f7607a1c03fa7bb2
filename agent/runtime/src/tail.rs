//! The last lines of a step's output, for people.

/// Most lines.
const LINES: usize = 20;
/// Most bytes.
const BYTES: usize = 4 * 1024;

/// Remembers the end of what it is shown.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    bytes: Vec<u8>,
    /// Something came before `bytes`.
    is_cut: bool,
}

impl Tail {
    /// Shows it what comes next.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        let kept = &piece[piece.len().saturating_sub(BYTES)..];
        self.is_cut |= kept.len() < piece.len();
        self.bytes.extend_from_slice(kept);
        let surplus = self.bytes.len().saturating_sub(BYTES);
        // Moving bytes for every short line would cost more than the bytes do.
        if surplus > BYTES {
            self.bytes.drain(..surplus);
            self.is_cut = true;
        }
    }

    /// The last lines, the newest last. A line that is too long loses its beginning.
    pub(crate) fn lines(&self) -> Vec<String> {
        let surplus = self.bytes.len().saturating_sub(BYTES);
        let mut bytes = &self.bytes[surplus..];
        if self.is_cut || surplus > 0 {
            // The first line lost its beginning; skip it, unless it is all there is.
            let newline = bytes.iter().position(|byte| *byte == b'\n');
            bytes = match newline {
                Some(at) if at + 1 < bytes.len() => &bytes[at + 1..],
                _ => bytes,
            };
        }
        let text = String::from_utf8_lossy(bytes);
        let mut budget = BYTES;
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines().rev().take(LINES) {
            // Replacement characters are longer than what they replace.
            let mut from = line.len().saturating_sub(budget);
            while !line.is_char_boundary(from) {
                from += 1;
            }
            if from > 0 && !lines.is_empty() {
                break;
            }
            budget -= line.len() - from;
            lines.push(line[from..].to_owned());
        }
        lines.reverse();
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails() {
        let numbers = |range: std::ops::RangeInclusive<u32>| range.map(|n| n.to_string()).collect::<Vec<_>>();
        let long = "é".repeat(3_000);
        let cases = [
            ("nothing", vec![], vec![]),
            ("a line in pieces", vec!["a".to_owned(), "b\n".to_owned()], vec!["ab".to_owned()]),
            ("no newline", vec!["a\nb".to_owned()], vec!["a".to_owned(), "b".to_owned()]),
            ("carriage returns", vec!["a\r\nb\r\n".to_owned()], vec!["a".to_owned(), "b".to_owned()]),
            (
                "many lines",
                numbers(1..=5_000).iter().map(|n| format!("{n}\n")).collect(),
                numbers(4_981..=5_000),
            ),
            ("one long line", vec![format!("{long}\n")], vec!["é".repeat(2_047)]),
            ("a long line, then a short one", vec![format!("{long}\nend\n")], vec!["end".to_owned()]),
        ];
        for (name, pieces, want) in cases {
            let mut tail = Tail::default();
            pieces.iter().for_each(|piece| tail.push(piece.as_bytes()));
            assert_eq!(tail.lines(), want, "{name}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_stay_within_the_limit() {
        let mut tail = Tail::default();
        tail.push(&[0xff; 100_000]);
        let total: usize = tail.lines().iter().map(String::len).sum();
        assert!(total > 0 && total <= BYTES, "{total}");
    }
}
