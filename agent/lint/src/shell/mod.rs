//! The shape of a shell script: its commands, what flows between them, and in which quotes its variables and templates
//! stand.
//!
//! No shell: enough of its grammar to say who reads whose output. It reads any text in one pass, however broken, and
//! knows templates. Parsers of whole shells refuse templates, and those at hand take seconds, or the stack, for
//! hostile scripts of a few kilobytes.

mod command;
mod reader;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub(crate) use command::{Command, Inside, Word};
pub(crate) use reader::read;

/// What a script consists of.
#[derive(Debug, Default)]
pub(crate) struct Script<'s> {
    /// Simple commands, in the order in which they begin: those of a substitution follow the command that it is part of.
    pub(crate) commands: Vec<Command<'s>>,
    pub(crate) redirections: Vec<Redirection<'s>>,
    /// In the order in which they stand.
    pub(crate) expansions: Vec<Expansion<'s>>,
    pub(crate) actions: Vec<Action>,
    /// What shells other than bash do not know.
    pub(crate) bashisms: Vec<Bashism>,
    /// The names of its functions.
    pub(crate) functions: Vec<&'s str>,
}

/// `> file` of a command, or of several in a group.
#[derive(Debug)]
pub(crate) struct Redirection<'s> {
    /// The command, or the first of them.
    pub(crate) command: usize,
    pub(crate) target: Word<'s>,
    /// The text of a here-document.
    pub(crate) body: Range<usize>,
}

/// `$name`, or `${name…}`.
#[derive(Debug)]
pub(crate) struct Expansion<'s> {
    pub(crate) name: &'s str,
    /// What stands between the name and the closing brace.
    pub(crate) operator: &'s str,
    pub(crate) range: Range<usize>,
    /// The command whose words it is part of.
    pub(crate) command: Option<usize>,
}

/// A template's action.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub(crate) range: Range<usize>,
    pub(crate) place: Place,
    /// The command whose words it is part of.
    pub(crate) command: Option<usize>,
}

/// Where in a script something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Between the words of a command.
    Bare,
    /// Between quotes of the script.
    Quoted,
    /// In a here-document.
    Here,
    /// In a comment.
    Comment,
}

/// What a POSIX shell does not know.
#[derive(Clone, Debug)]
pub(crate) struct Bashism {
    pub(crate) what: &'static str,
    pub(crate) instead: &'static str,
    pub(crate) range: Range<usize>,
}

impl<'s> Expansion<'s> {
    /// Whether the value is what it becomes, not only a reason for something else.
    pub(crate) fn gives_value(&self) -> bool {
        !self.operator.starts_with(":+") && !self.operator.starts_with('+')
    }
}

impl<'s> Script<'s> {
    /// The variables that a word expands, without those of commands in it.
    pub(crate) fn expanded(
        &self,
        command: usize,
        range: &Range<usize>,
    ) -> impl Iterator<Item = &Expansion<'s>> {
        let first = self.expansions.partition_point(|expansion| expansion.range.start < range.start);
        let end = range.end;
        self.expansions[first..]
            .iter()
            .take_while(move |expansion| expansion.range.start < end)
            .filter(move |expansion| expansion.command == Some(command) && expansion.gives_value())
    }

    /// The commands within a word.
    pub(crate) fn within(
        &self,
        command: usize,
        range: &Range<usize>,
    ) -> impl Iterator<Item = (&Inside, &Command<'s>)> {
        let range = range.clone();
        // They begin behind the command, and before its end.
        self.commands[(command + 1).min(self.commands.len())..]
            .iter()
            .take_while(move |inner| inner.inside.as_ref().is_some_and(|inside| inside.at < range.end))
            .filter_map(move |inner| Some((inner.inside.as_ref()?, inner)))
            .filter(move |(inside, _)| inside.command == Some(command) && inside.at >= range.start)
    }

    /// Whether it does nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        let nothing = |command: &Command<'_>| matches!(command.program(), ":" | "true");
        let others =
            self.actions.len() + self.redirections.len() + self.bashisms.len() + self.expansions.len();
        others == 0 && self.commands.iter().all(nothing)
    }

    /// The file that a command writes its output to.
    pub(crate) fn target(&self, command: &Command<'_>) -> Option<&Word<'s>> {
        self.redirections.get(command.writes?).map(|redirection| &redirection.target)
    }

    /// Where the text of the here-document stands that a command reads.
    pub(crate) fn document(&self, command: &Command<'_>) -> Option<&Range<usize>> {
        self.redirections.get(command.document?).map(|redirection| &redirection.body)
    }
}
