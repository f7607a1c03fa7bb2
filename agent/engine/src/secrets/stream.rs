//! Masks a text that comes piece by piece, wherever it is cut.

use std::sync::Arc;

use super::mask::{Forms, Look, find_in, write_masked};
use super::value::SHORTEST_CHARS;
use super::view::{self, View};

/// Line breaks and escape sequences within what may be a secret are kept until it is one, or is none. More of them
/// than this are no accident, and must not fill the memory.
const MOST_GAPS_BYTES: usize = 16 << 10;

/// Masks a stream. Holds back only what may be the beginning of a secret.
pub struct MaskStream {
    forms: Arc<Forms>,
    /// What was not handed on yet, behind what was but may begin a secret.
    held: Vec<u8>,
    /// How much of that was.
    handed_on: usize,
}

impl std::fmt::Debug for MaskStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MaskStream").field("held_bytes", &self.held.len()).finish_non_exhaustive()
    }
}

impl MaskStream {
    pub(super) fn new(forms: Arc<Forms>) -> Self {
        Self { forms, held: Vec::new(), handed_on: 0 }
    }

    /// Takes the stream's next bytes; adds to `out` what is certain.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(bytes);
        let looks = self.forms.look(&self.held);
        let found = find_in(&looks);
        let open = looks.iter().filter_map(Look::open_end).min().unwrap_or(self.held.len());
        // What ends within it may go on.
        let whole = found.iter().find(|range| range.end > open).map_or(open, |range| range.start.min(open));
        let gone_on = self.held.len() - whole > 2 * self.forms.longest() + MOST_GAPS_BYTES;
        let whole = if gone_on { self.held.len() } else { whole };

        let certain = found.partition_point(|range| range.end <= whole);
        if whole > self.handed_on {
            write_masked(&self.held[..whole], self.handed_on, &found[..certain], out);
        }
        let ends_line = self.held.ends_with(b"\n");
        self.held.drain(..whole);
        self.handed_on = self.handed_on.saturating_sub(whole);
        if ends_line && certain == found.len() {
            self.hand_on_line(out);
        }
    }

    /// The stream is over: adds the rest to `out`.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let found = find_in(&self.forms.look(&self.held));
        write_masked(&self.held, self.handed_on, &found, out);
        self.held.clear();
        self.handed_on = 0;
    }

    /// A line that ends with one of the first characters of a secret is not kept waiting for the next one: most ends
    /// of lines would be. Should the rest follow, it is masked.
    fn hand_on_line(&mut self, out: &mut Vec<u8>) {
        // What is held stays whole: blanks behind its line break are none of the next line's.
        if self.handed_on < self.held.len()
            && view::of(View::Shown, &self.held).bytes().len() < SHORTEST_CHARS
        {
            out.extend_from_slice(&self.held[self.handed_on..]);
            self.handed_on = self.held.len();
        }
    }
}
