//! What the variables of a script hold that it sets itself.

use std::collections::HashMap;
use std::ops::Range;

use super::{Command, Expansion, Script, is_assignment};

/// Programs that set variables whose words say to what.
const SETTERS: [&str; 5] = ["export", "local", "readonly", "declare", "typeset"];

/// Programs that give what they read or are given, or a part of it.
pub(crate) const PASSING: [&str; 24] = [
    "awk", "base64", "basename", "cat", "column", "cut", "dirname", "echo", "fold", "grep", "head",
    "hexdump", "jq", "nl", "od", "printf", "rev", "sed", "sort", "tail", "tee", "tr", "uniq", "xxd",
];

impl<'s> Script<'s> {
    /// The variables that the script sets from others, and the worst of what these hold: `V="${TAG#v}"`.
    ///
    /// `of` says what a variable holds when the script begins, `templates` what the templates within a place give.
    pub(crate) fn carried<T: Copy + Ord>(
        &self,
        of: impl Fn(&str) -> Option<T>,
        templates: impl Fn(&Range<usize>) -> Option<T>,
    ) -> HashMap<&'s str, T> {
        let mut carried: HashMap<&'s str, T> = HashMap::new();
        for (at, command) in self.commands.iter().enumerate() {
            let setting =
                if SETTERS.contains(&command.program()) { &command.words } else { command.leading() };
            for word in setting.iter().filter(|word| is_assignment(word.text)) {
                let value = self
                    .values(&word.range)
                    .filter(|found| found.command == Some(at) || self.passes(found, at))
                    .filter_map(|found| of(found.name).max(carried.get(found.name).copied()))
                    .chain(templates(&word.range))
                    .max();
                let name = word.text.split(['=', '+', '[']).next().unwrap_or_default();
                if let Some(value) = value {
                    let known = carried.entry(name).or_insert(value);
                    *known = value.max(*known);
                }
            }
        }
        carried
    }

    /// Whether a variable within a substitution of `command` is a part of what that gives.
    fn passes(&self, found: &Expansion<'_>, command: usize) -> bool {
        let Some(inner) = found.command.and_then(|at| self.commands.get(at)) else { return false };
        inner.inside.as_ref().is_some_and(|inside| inside.command == Some(command))
            && self.goes_through(inner).all(|next| PASSING.contains(&next.program()) && !cleans(next))
    }

    /// A command, and those that read what it writes, one behind the other.
    pub(crate) fn goes_through<'c>(
        &'c self,
        first: &'c Command<'s>,
    ) -> impl Iterator<Item = &'c Command<'s>> {
        // Each reads what stands before it: there is no circle.
        std::iter::successors(Some(first), |command| self.commands.get(command.feeds?)).take(super::MAX_PIPE)
    }
}

/// Whether a command leaves nothing but the characters that it names: `tr -cd a-z`.
fn cleans(command: &Command<'_>) -> bool {
    let mut options = command.arguments().take_while(|word| word.text.starts_with('-'));
    command.program() == "tr" && options.any(|word| word.text.contains('d') && word.text.contains(['c', 'C']))
}
