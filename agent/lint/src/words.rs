//! Where the words of a file stand, so that a question about one name does not read the whole file.

use std::ops::Range;

/// The words of a text, in alphabetical order, and those that are alike in the order of the text.
pub(crate) struct Words<'a> {
    text: &'a str,
    /// Offset and length.
    places: Vec<(usize, usize)>,
}

impl<'a> Words<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        let start_of = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
        let words = text.split(|c| !is_of_word(c)).filter(|word| !word.is_empty());
        let mut places: Vec<(usize, usize)> = words.map(|word| (start_of(word), word.len())).collect();
        places.sort_by_key(|&(start, len)| (&text[start..start + len], start));
        Self { text, places }
    }

    /// The first place within `range` where `wanted` stands by itself, and not as a part of a longer name.
    pub(crate) fn find(&self, wanted: &str, range: Range<usize>) -> Option<usize> {
        self.bounded(wanted, range, |c| is_of_word(c) || c == '-')
    }

    /// Whether `wanted` stands anywhere by itself; before and behind it may be a `-`, as in `$NAME-suffix`.
    pub(crate) fn contain(&self, wanted: &str) -> bool {
        self.bounded(wanted, 0..self.text.len(), is_of_word).is_some()
    }

    /// The first place of `wanted` within `range` before and behind which no letter `goes_on`.
    fn bounded(&self, wanted: &str, range: Range<usize>, goes_on: fn(char) -> bool) -> Option<usize> {
        if wanted.is_empty() {
            return None;
        }
        let longest = wanted.split(|c| !is_of_word(c)).max_by_key(|word| word.len())?;
        let fits = |at: usize| {
            let end = at + wanted.len();
            at >= range.start
                && end <= range.end
                && self.text.get(at..end) == Some(wanted)
                && !self.text[..at].ends_with(goes_on)
                && !self.text[end..].starts_with(goes_on)
        };
        if longest.is_empty() {
            // Signs alone, which are short.
            let part = self.text.get(range.clone())?;
            return part.match_indices(wanted).map(|(at, _)| range.start + at).find(|&at| fits(at));
        }
        let inside = longest.as_ptr() as usize - wanted.as_ptr() as usize;
        let key = |&(start, len): &(usize, usize)| (&self.text[start..start + len], start);
        let from = self.places.partition_point(|place| key(place) < (longest, range.start + inside));
        let alike = self.places[from..].iter().take_while(|place| key(place).0 == longest);
        let within = alike.map(|(start, _)| *start).take_while(|start| *start < range.end);
        within.filter_map(|start| start.checked_sub(inside)).find(|&at| fits(at))
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_by_themselves_and_within_a_range() {
        let text = "ab abc a-b $TAKO_X-Y é-b \"feature/*\" ** abc";
        let cases = [
            ("a word", "abc", 0..text.len(), Some(3)),
            ("the next one", "abc", 4..text.len(), Some(text.len() - 3)),
            ("not behind the range", "abc", 4..10, None),
            ("not within a word", "bc", 0..text.len(), None),
            ("with a dash", "a-b", 0..text.len(), Some(7)),
            ("behind a sign", "TAKO_X-Y", 0..text.len(), Some(12)),
            ("not before a dash", "TAKO_X", 0..text.len(), None),
            ("of other letters", "é-b", 0..text.len(), Some(21)),
            ("a pattern", "feature/*", 0..text.len(), Some(27)),
            ("signs alone", "**", 0..text.len(), Some(38)),
            ("nothing alike", "zebra", 0..text.len(), None),
            ("an empty text", "", 0..text.len(), None),
        ];
        let words = Words::of(text);
        for (name, wanted, range, at) in cases {
            assert_eq!(words.find(wanted, range), at, "{name}");
        }
        assert!(words.contain("TAKO_X"), "a variable may have text behind it");
        assert!(!words.contain("TAKO"), "a part of a word is no word");
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_a_search(text in "[a-c_ /é-]{0,40}", wanted in "[a-c_ /é-]{1,4}", from in 0_usize..20) {
            let from = text.floor_char_boundary(from);
            let plain = text[from..].match_indices(&wanted).map(|(at, _)| from + at).find(|&at| {
                let goes_on = |c| is_of_word(c) || c == '-';
                !text[..at].ends_with(goes_on) && !text[at + wanted.len()..].starts_with(goes_on)
            });
            proptest::prop_assert_eq!(Words::of(&text).find(&wanted, from..text.len()), plain);
        }
    }
}
