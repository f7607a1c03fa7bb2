//! The shape of a shell script: its commands, what flows between them, and in which quotes its variables and templates
//! stand.
//!
//! No shell: enough of its grammar to say who reads whose output. It reads any text in one pass, however broken, and
//! knows templates. Parsers of whole shells refuse templates, and those at hand take seconds, or the stack, for
//! hostile scripts of a few kilobytes.

mod carried;
mod command;
mod reader;
mod scripts;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ops::Range;

pub(crate) use carried::{PASSING, SAYING};
pub(crate) use command::{Command, Word, is_assignment};
pub(crate) use reader::read;
pub(crate) use scripts::Scripts;

/// A pipe of more programs is followed so far.
pub(crate) const MAX_PIPE: usize = 16;

/// What a script consists of.
#[derive(Debug, Default)]
pub(crate) struct Script<'s> {
    source: &'s str,
    /// Simple commands, in the order in which they begin: those of a substitution follow the command that it is part of.
    pub(crate) commands: Vec<Command<'s>>,
    pub(crate) redirections: Vec<Redirection<'s>>,
    /// In the order in which they stand.
    pub(crate) expansions: Vec<Expansion<'s>>,
    pub(crate) actions: Vec<Action>,
    /// What shells other than bash do not know.
    pub(crate) bashisms: Vec<Bashism>,
    /// The names of its functions.
    pub(crate) functions: HashSet<&'s str>,
    /// Where its comments stand.
    pub(crate) comments: Vec<Range<usize>>,
}

/// `> file` of a command, or of several in a group; `<<`, `<<<` and `<`.
#[derive(Debug)]
pub(crate) struct Redirection<'s> {
    /// The command, or the first of them.
    pub(crate) command: usize,
    pub(crate) target: Word<'s>,
    /// What is read as a text: a here-document or a here-string.
    pub(crate) text: Option<Range<usize>>,
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
    /// Between quotes in which variables are expanded.
    Double,
    /// Between quotes in which nothing is.
    Single,
    /// In a here-document whose variables are expanded.
    Here,
    /// In one in which nothing is.
    Literal,
    /// In arithmetic, which evaluates what variables say.
    Sum,
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
    /// The variables whose values become part of a place, be it through commands in it.
    pub(crate) fn values(&self, range: &Range<usize>) -> impl Iterator<Item = &Expansion<'s>> {
        let first = self.expansions.partition_point(|expansion| expansion.range.start < range.start);
        let end = range.end;
        self.expansions[first..]
            .iter()
            .take_while(move |expansion| expansion.range.start < end)
            .filter(|expansion| expansion.gives_value())
    }

    /// The commands within a word of `command`.
    pub(crate) fn within(&self, command: usize, range: &Range<usize>) -> impl Iterator<Item = &Command<'s>> {
        let first = self.commands.partition_point(|inner| inner.at < range.start);
        let end = range.end;
        let all = self.commands[first..].iter().take_while(move |inner| inner.at < end);
        all.filter(move |inner| inner.inside.as_ref().is_some_and(|inside| inside.command == Some(command)))
    }

    /// The command in one of whose words `at` stands.
    pub(crate) fn command_at(&self, at: usize) -> Option<&Command<'s>> {
        let behind = self.commands.partition_point(|command| command.at <= at);
        let mut command = self.commands[..behind].last();
        while let Some(of) = command {
            let behind = of.words.partition_point(|word| word.range.start <= at);
            if of.words[..behind].last().is_some_and(|word| at < word.range.end) {
                return Some(of);
            }
            command = of.inside.as_ref().and_then(|inside| self.commands.get(inside.command?));
        }
        None
    }

    /// Whether `at` stands in a comment.
    pub(crate) fn in_comment(&self, at: usize) -> bool {
        let behind = self.comments.partition_point(|comment| comment.start <= at);
        self.comments[..behind].last().is_some_and(|comment| at < comment.end)
    }

    /// Whether it does nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        let nothing = |command: &Command<'_>| matches!(command.program(), ":" | "true");
        let others =
            self.actions.len() + self.redirections.len() + self.bashisms.len() + self.expansions.len();
        others == 0 && self.commands.iter().all(nothing)
    }

    /// A command as it stands in the script.
    pub(crate) fn source_of(&self, command: &Command<'_>) -> &'s str {
        self.source.get(command.range()).unwrap_or_default()
    }

    /// The file that a command writes its output to.
    pub(crate) fn target(&self, command: &Command<'_>) -> Option<&Word<'s>> {
        self.redirections.get(command.writes?).map(|redirection| &redirection.target)
    }

    /// What a command reads as a text that stands in the script.
    pub(crate) fn text(&self, command: &Command<'_>) -> Option<&Range<usize>> {
        self.redirections.get(command.input?)?.text.as_ref()
    }

    /// Where it stands what a command reads, be it a text or `<(…)`.
    pub(crate) fn input(&self, command: &Command<'_>) -> Option<&Range<usize>> {
        let redirection = self.redirections.get(command.input?)?;
        Some(redirection.text.as_ref().unwrap_or(&redirection.target.range))
    }
}
