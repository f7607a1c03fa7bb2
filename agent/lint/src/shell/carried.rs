//! What the variables of a script hold that it sets itself.

use std::collections::HashMap;
use std::ops::Range;

use super::{Command, Expansion, MAX_PIPE, Script, Word, is_assignment};

/// Programs that set variables whose words say to what.
const SETTERS: [&str; 5] = ["export", "local", "readonly", "declare", "typeset"];

/// Programs that give what they read or are given, or a part of it.
pub(crate) const PASSING: [&str; 24] = [
    "awk", "base64", "basename", "cat", "column", "cut", "dirname", "echo", "fold", "grep", "head",
    "hexdump", "jq", "nl", "od", "printf", "rev", "sed", "sort", "tail", "tee", "tr", "uniq", "xxd",
];

/// Programs that give what their arguments say.
pub(crate) const SAYING: [&str; 4] = ["basename", "dirname", "echo", "printf"];

/// A place of a script, and the command that it is part of.
type Spot = (usize, Range<usize>);

/// So many names of one `read` are looked at.
const MAX_NAMES: usize = 16;

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
            for (name, places) in self.settings(at, command) {
                let value = places
                    .iter()
                    .flat_map(|(at, place)| self.given(*at, place).into_iter())
                    .filter_map(|found| of(found.name).max(carried.get(found.name).copied()))
                    .chain(places.iter().filter_map(|(_, place)| templates(place)))
                    .max();
                if let Some(value) = value {
                    let known = carried.entry(name).or_insert(value);
                    *known = value.max(*known);
                }
            }
        }
        carried
    }

    /// The variables that a command sets, and the places that say to what, each with the command that it is part of.
    fn settings(&self, at: usize, command: &Command<'s>) -> Vec<(&'s str, Vec<Spot>)> {
        let words = &command.words;
        match (command.program(), words.first().map(|word| word.text)) {
            (_, Some("for" | "select")) if words.len() > 3 => {
                let whole = words[2].range.start..command.range().end;
                vec![(words[1].text, vec![(at, whole)])]
            }
            ("read", _) => {
                let mut places: Vec<_> =
                    self.input(command).map(|place| (at, place.clone())).into_iter().collect();
                for writer in self.writers(at).into_iter().skip(1) {
                    places.push((writer, self.commands[writer].range()));
                }
                let names = command.arguments().filter(|word| !word.text.starts_with('-'));
                names.map(|word| (word.text, places.clone())).take(MAX_NAMES).collect()
            }
            (program, _) => {
                let setting = if SETTERS.contains(&program) { words } else { command.leading() };
                let set = setting.iter().filter(|word| is_assignment(word.text));
                let name = |text: &'s str| text.split(['=', '+', '[']).next().unwrap_or_default();
                set.map(|word| (name(word.text), vec![(at, word.range.clone())])).collect()
            }
        }
    }

    /// The variables whose values become part of what a place of `command` says: its own, and those of substitutions
    /// that only pass them on.
    pub(crate) fn given(&self, command: usize, place: &Range<usize>) -> Vec<&Expansion<'s>> {
        let mut known: HashMap<Option<usize>, bool> = HashMap::from([(Some(command), true)]);
        let mut found = Vec::new();
        for expansion in self.values(place) {
            let of = expansion.command;
            let passes = *known.entry(of).or_insert_with(|| of.is_some_and(|of| self.passes(of, command)));
            if passes {
                found.push(expansion);
            }
        }
        found
    }

    /// Whether what a command within `outer` writes becomes part of what that says.
    pub(crate) fn passes(&self, inner: usize, outer: usize) -> bool {
        // The arguments of others are names of files, or say what to do.
        let says = self
            .commands
            .get(inner)
            .is_some_and(|first| SAYING.contains(&first.program()) || self.text(first).is_some());
        if !says {
            return false;
        }
        let mut at = inner;
        for _ in 0..MAX_PIPE {
            let Some(command) = self.commands.get(at) else { return false };
            if !self.goes_through(command).all(|next| PASSING.contains(&next.program()) && !cleans(next)) {
                return false;
            }
            match command.inside.as_ref().and_then(|inside| inside.command) {
                Some(of) if of == outer => return true,
                Some(of) => at = of,
                None => return false,
            }
        }
        false
    }

    /// A command, and those whose output it passes on.
    pub(crate) fn writers(&self, at: usize) -> Vec<usize> {
        let mut writers = vec![at];
        let mut next = self.commands[at].reads.clone();
        for _ in 0..MAX_PIPE {
            writers.extend(next.clone());
            let Some(first) = self.commands.get(next.start).filter(|_| !next.is_empty()) else { break };
            if !PASSING.contains(&first.program()) || cleans(first) {
                break;
            }
            next = first.reads.clone();
        }
        writers
    }

    /// A command, and those that read what it writes, one behind the other.
    pub(crate) fn goes_through<'c>(
        &'c self,
        first: &'c Command<'s>,
    ) -> impl Iterator<Item = &'c Command<'s>> {
        // Each reads what stands before it: there is no circle.
        std::iter::successors(Some(first), |command| self.commands.get(command.feeds?)).take(MAX_PIPE)
    }
}

/// Whether a command leaves nothing but characters that mean nothing to a shell: `tr -cd a-z`.
fn cleans(command: &Command<'_>) -> bool {
    // Further back stands nothing that anybody wrote by hand.
    let near = || command.arguments().take(8);
    let (options, operands): (Vec<_>, Vec<_>) = near().partition(|word| word.text.starts_with('-'));
    let keeps = |word: &&Word<'_>| word.text.contains('d') && word.text.contains(['c', 'C']);
    if command.program() != "tr" || !options.iter().any(keeps) {
        return false;
    }
    let kept = operands.first().map_or("", |word| word.plain());
    let classes = ["[:alnum:]", "[:alpha:]", "[:digit:]", "[:lower:]", "[:upper:]", "[:xdigit:]"];
    let kept = classes.iter().fold(kept.to_owned(), |kept, class| kept.replace(class, ""));
    kept.chars().all(|c| c.is_ascii_alphanumeric() || "_-.,/:@%+=".contains(c))
}
