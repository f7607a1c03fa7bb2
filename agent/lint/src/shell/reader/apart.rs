//! What stands apart from the words of commands: redirections with their here-documents, comments, and the actions of
//! templates.

use super::{List, Reader};
use crate::shell::{Action, Place, Redirection};

/// A here-document that begins on the next line.
pub(super) struct Heredoc {
    delimiter: String,
    /// Whether nothing is expanded in it.
    literal: bool,
    /// Whether tabs in front of lines are removed.
    tabs: bool,
    /// Its redirection.
    redirection: usize,
}

impl Reader<'_> {
    /// `> file` and its like.
    pub(super) fn redirection(&mut self, list: &mut List) {
        let commands = match (list.open, list.last.clone()) {
            // A group without commands, `() > f`, has nothing that could write: the redirection is one by itself.
            (None, Some(last)) if !last.is_empty() => last,
            _ => {
                let command = self.open(list);
                command..command + 1
            }
        };
        // What is redirected has a number.
        let start = self.source[..self.at].trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let start = if self.at - start > 3 { self.at } else { start };
        const OPERATORS: [&str; 12] =
            ["&>>", "&>", "<<<", "<<-", "<<", ">>", ">&", "<&", "<>", ">|", ">", "<"];
        let known = OPERATORS.into_iter().find(|known| self.sees(known)).unwrap_or(">");
        let from = self.at;
        self.skip(known.len());
        match known {
            "<<<" => self.bashism("`<<<`", "a pipe from `printf`", from..self.at),
            "&>" | "&>>" => self.bashism("`&>`", "`> file 2>&1`", from..self.at),
            _ => {}
        }
        let number = &self.source[start..from];
        self.skip_blanks();
        let target = self.word(Some(commands.start));
        let own = self.script.redirections.len();
        if known.starts_with('<')
            && let Some(command) = self.script.commands.get_mut(commands.start)
        {
            command.input = Some(own);
        }
        if matches!(known, "<<" | "<<-") {
            self.heredocs.push(Heredoc {
                delimiter: target.text.replace(['"', '\'', '\\'], ""),
                literal: target.text.contains(['"', '\'', '\\']),
                tabs: known == "<<-",
                redirection: own,
            });
        }
        let on_screen = matches!(target.text, "/dev/stderr" | "/dev/stdout" | "/dev/tty" | "1" | "2");
        if known.contains('>') && matches!(number, "" | "1") && !on_screen && list.written != commands {
            for command in &mut self.script.commands[commands.clone()] {
                command.writes.get_or_insert(own);
            }
            list.written = commands.clone();
        }
        let text = (known == "<<<").then(|| target.range.clone());
        self.script.redirections.push(Redirection { command: commands.start, target, text });
    }

    /// A comment, which ends with its line.
    pub(super) fn comment(&mut self) {
        let start = self.at;
        let end = start + self.rest().find('\n').unwrap_or(self.rest().len());
        self.actions_until(end, Place::Comment, None);
        self.script.comments.push(start..self.at);
    }

    /// Reads a text in which nothing but templates has a meaning.
    fn actions_until(&mut self, end: usize, place: Place, command: Option<usize>) {
        while self.at < end {
            match self.source[self.at..end].find("{{") {
                Some(found) => {
                    self.at += found;
                    self.action(place, command);
                }
                None => self.at = end,
            }
        }
    }

    /// A template's action.
    pub(super) fn action(&mut self, place: Place, command: Option<usize>) {
        let len = self.rest().find("}}").map_or(self.rest().len(), |end| end + 2);
        self.script.actions.push(Action { range: self.at..self.at + len, place, command });
        self.skip(len);
    }

    /// Reads the here-documents that begin here.
    pub(super) fn skip_heredocs(&mut self) {
        for heredoc in std::mem::take(&mut self.heredocs) {
            let start = self.at;
            let mut body = self.end;
            let mut behind = self.end;
            for line in self.rest().split_inclusive('\n') {
                let text = line.trim_end_matches(['\n', '\r']);
                let text = if heredoc.tabs { text.trim_start_matches('\t') } else { text };
                if text == heredoc.delimiter {
                    body = self.at;
                    behind = self.at + line.len();
                    break;
                }
                self.at += line.len();
            }
            self.at = start;
            let redirection = &mut self.script.redirections[heredoc.redirection];
            redirection.text = Some(start..body);
            let command = Some(redirection.command);
            if heredoc.literal {
                self.actions_until(body, Place::Literal, command);
            } else {
                let end = std::mem::replace(&mut self.end, body);
                self.here(command);
                self.end = end;
            }
            self.at = behind.max(self.at);
        }
    }
}
