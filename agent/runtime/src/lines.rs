//! Cuts a stream into pieces of whole lines without holding more than one piece of it.

/// Longest line of a log, without its newline, and the size of every read.
pub(crate) const LINE_LIMIT: usize = 64 * 1024;

/// One stream's line buffer.
///
/// A line of more than [`LINE_LIMIT`] bytes is split by newlines of ours, so that another stream's lines never
/// stand in the middle of one of its lines. No byte is dropped.
#[derive(Debug)]
pub(crate) struct Lines {
    /// One byte longer than [`LINE_LIMIT`]: room for a newline of ours.
    buffer: Vec<u8>,
    filled: usize,
    /// Where the last whole line ends.
    whole: usize,
    /// The last line ended with a newline of ours; one of the stream's own would make an empty line.
    was_split: bool,
}

impl Lines {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; LINE_LIMIT + 1], filled: 0, whole: 0, was_split: false }
    }

    /// Where the stream's next bytes go; never empty.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.whole..self.filled, 0);
        self.filled -= self.whole;
        self.whole = 0;
        &mut self.buffer[self.filled..LINE_LIMIT]
    }

    /// The `count` bytes that were just put into [`Lines::space`].
    pub(crate) fn new_bytes(&self, count: usize) -> &[u8] {
        &self.buffer[self.filled..self.filled + count]
    }

    /// Takes over the `count` bytes that were just put into [`Lines::space`]; the lines that they complete.
    pub(crate) fn advance(&mut self, mut count: usize) -> &[u8] {
        if count > 0 && self.was_split {
            self.was_split = false;
            // A line that was split has left an empty buffer.
            if self.buffer[0] == b'\n' {
                self.buffer.copy_within(1..count, 0);
                count -= 1;
            }
        }
        let from = self.filled;
        self.filled += count;
        if let Some(last) = self.buffer[from..self.filled].iter().rposition(|byte| *byte == b'\n') {
            self.whole = from + last + 1;
        } else if self.filled == LINE_LIMIT {
            self.end_line();
            self.was_split = true;
        }
        &self.buffer[..self.whole]
    }

    /// What is left when the stream is over: a line without a newline, or nothing.
    /// Ends it with a newline if `more` is to come from elsewhere.
    pub(crate) fn rest(&mut self, more: bool) -> &[u8] {
        let from = self.whole;
        if more && !self.is_empty() {
            self.end_line();
        }
        &self.buffer[from..self.filled]
    }

    /// Whether nothing is left in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.filled == self.whole
    }

    fn end_line(&mut self) {
        self.buffer[self.filled] = b'\n';
        self.filled += 1;
        self.whole = self.filled;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `input` in reads of at most the given sizes; the pieces that come out.
    fn pieces(input: &[u8], reads: &[usize]) -> Vec<Vec<u8>> {
        let mut lines = Lines::new();
        let mut out = Vec::new();
        let mut sizes = reads.iter().copied().cycle();
        let mut left = input;
        while !left.is_empty() {
            let space = lines.space();
            let count = sizes.next().unwrap_or(usize::MAX).min(left.len()).min(space.len());
            space[..count].copy_from_slice(&left[..count]);
            left = &left[count..];
            out.push(lines.advance(count).to_vec());
        }
        let more = lines.rest(false).to_vec();
        out.push(lines.rest(true).to_vec());
        if !more.is_empty() {
            assert_eq!(out.last_mut().and_then(Vec::pop), Some(b'\n'));
            assert_eq!(out.last(), Some(&more));
        }
        out.retain(|piece| !piece.is_empty());
        out
    }

    #[test]
    fn pieces_are_whole_lines() {
        let cases = [
            ("nothing", "", vec![]),
            ("a line", "a\n", vec!["a\n"]),
            ("lines at once", "a\nb\n", vec!["a\nb\n"]),
            ("no newline at the end", "a\nb", vec!["a\n", "b"]),
            ("empty lines", "\n\n", vec!["\n\n"]),
        ];
        for (name, input, want) in cases {
            let got = pieces(input.as_bytes(), &[usize::MAX]);
            assert_eq!(got, want.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>(), "{name}");
        }
        let long = "x".repeat(LINE_LIMIT);
        let split =
            |input: String| String::from_utf8(pieces(input.as_bytes(), &[usize::MAX]).concat()).unwrap();
        for (name, input, want) in [
            ("as long as may be", format!("{long}\nb\n"), format!("{long}\nb\n")),
            ("two bytes too long", format!("{long}yz\n"), format!("{long}\nyz\n")),
            ("an empty line follows", format!("{long}\n\n"), format!("{long}\n\n")),
        ] {
            assert!(split(input) == want, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_and_no_line_too_long(
            lengths in proptest::collection::vec(prop_oneof![0..200usize, 60_000..70_000usize, 131_000..131_200usize], 0..6),
            ends_with_newline: bool,
            reads in proptest::collection::vec(prop_oneof![1_000..5_000usize, Just(usize::MAX)], 1..4),
        ) {
            let mut input = lengths.iter().map(|len| "x".repeat(*len)).collect::<Vec<_>>().join("\n");
            if ends_with_newline {
                input.push('\n');
            }
            let out = pieces(input.as_bytes(), &reads);
            for (index, piece) in out.iter().enumerate() {
                prop_assert!(index + 1 == out.len() || piece.ends_with(b"\n"));
            }
            let out = String::from_utf8(out.concat()).unwrap();
            prop_assert!(out.lines().all(|line| line.len() <= LINE_LIMIT));
            prop_assert_eq!(out.replace('\n', ""), input.replace('\n', ""));
            let want: usize = lengths.iter().map(|len| len.saturating_sub(1) / LINE_LIMIT).sum();
            // A split line that ends exactly at the limit keeps our newline even without one of its own.
            let extra = out.matches('\n').count() - input.matches('\n').count();
            prop_assert!(extra == want || (extra == want + 1 && !ends_with_newline), "{} {}", extra, want);
        }
    }
}
