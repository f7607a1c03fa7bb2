//! Reading a script, in one pass.

mod apart;
mod words;

use std::ops::Range;

use super::command::{Command, Inside, Word, is_assignment};
use super::{Bashism, Place, Script};
use apart::Heredoc;

/// Substitutions, and groups of commands, that stand in each other deeper than that are taken for text.
const DEEPEST: usize = 64;

/// Reads a script.
pub(crate) fn read(source: &str) -> Script<'_> {
    let mut reader = Reader {
        source,
        at: 0,
        end: source.len(),
        depth: 0,
        backticks: false,
        script: Script { source, ..Script::default() },
        heredocs: Vec::new(),
    };
    while reader.at < reader.end {
        reader.commands(Close::End, None);
    }
    reader.script.commands.iter_mut().for_each(Command::settle);
    reader.script
}

/// What ends a list of commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Close {
    End,
    Parenthesis,
    Backtick,
}

struct Reader<'s> {
    source: &'s str,
    at: usize,
    /// Where what is read ends: the script, or a here-document.
    end: usize,
    depth: usize,
    /// Whether a backtick ends what is read.
    backticks: bool,
    script: Script<'s>,
    /// Here-documents that begin on the next line.
    heredocs: Vec<Heredoc>,
}

/// A compound command that has begun.
struct Compound {
    /// The word or bracket that ends it.
    closing: &'static str,
    /// The number of commands before it.
    start: usize,
    /// Of a `case`, whether a pattern comes next.
    pattern: bool,
    /// Whether it is the body of a function.
    function: bool,
}

/// Where in a list of commands the reader is.
#[derive(Default)]
struct List {
    inside: Option<Inside>,
    compounds: Vec<Compound>,
    /// The command that is being read.
    open: Option<usize>,
    /// The command or compound that has just ended.
    last: Option<Range<usize>>,
    /// Commands of which it is known where they write to: one look at each is enough.
    written: Range<usize>,
    /// Whether a function's body comes next.
    named: bool,
    /// How many of the compounds are bodies of functions.
    functions: usize,
    /// What the next command reads.
    reads: Range<usize>,
}

impl<'s> Reader<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at.min(self.end)..self.end]
    }

    fn byte(&self) -> Option<u8> {
        self.source.as_bytes()[..self.end].get(self.at).copied()
    }

    fn sees(&self, text: &str) -> bool {
        self.rest().starts_with(text)
    }

    /// Moves on by `len` bytes.
    fn skip(&mut self, len: usize) {
        self.at = (self.at + len).min(self.end);
    }

    /// Moves on by a character.
    fn skip_char(&mut self) {
        self.skip(self.rest().chars().next().map_or(1, char::len_utf8));
    }

    fn skip_blanks(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t')) {
            self.skip(1);
        }
    }

    /// Whether an action comes next that says when and how often what follows is there, and gives nothing itself.
    fn sees_block(&self) -> bool {
        let Some(action) = self.rest().strip_prefix("{{") else { return false };
        // None of the words stands further away; an action may be very long.
        let near = &action.as_bytes()[..action.len().min(32)];
        let near = std::str::from_utf8(near).unwrap_or_default();
        let near = near.strip_prefix('-').unwrap_or(near).trim_start();
        let word = near.find(|c: char| !c.is_ascii_alphabetic()).map_or(near, |end| &near[..end]);
        matches!(word, "if" | "else" | "end" | "range" | "with") || near.starts_with("/*")
    }

    fn bashism(&mut self, what: &'static str, instead: &'static str, range: Range<usize>) {
        self.script.bashisms.push(Bashism { what, instead, range });
    }

    /// Reads commands up to what closes them, and that too.
    fn commands(&mut self, close: Close, inside: Option<Inside>) {
        let mut list = List { inside, ..List::default() };
        while let Some(byte) = self.byte() {
            match byte {
                b'\n' => {
                    // What follows a pipe may stand on the next line.
                    if list.open.is_some() || list.reads.is_empty() {
                        self.ended(&mut list);
                    }
                    self.skip(1);
                    self.skip_heredocs();
                }
                b'\\' if self.sees("\\\n") => self.skip(2),
                b' ' | b'\t' | b'\r' => self.skip(1),
                b'#' => self.comment(),
                b'`' if self.backticks => {
                    if close == Close::Backtick {
                        self.skip(1);
                    }
                    break;
                }
                b')' if self.parenthesis(&mut list, close) => break,
                b')' => {}
                b'|' => self.pipe(&mut list),
                b'&' if self.sees("&>") => self.redirection(&mut list),
                b'&' => {
                    self.ended(&mut list);
                    self.skip(if self.sees("&&") { 2 } else { 1 });
                }
                b';' => {
                    self.ended(&mut list);
                    if self.sees(";;") || self.sees(";&") {
                        self.skip(if self.sees(";;&") { 3 } else { 2 });
                        if let Some(case) = list.compounds.last_mut().filter(|of| of.closing == "esac") {
                            case.pattern = true;
                        }
                    } else {
                        self.skip(1);
                    }
                }
                b'(' => self.opening(&mut list),
                b'<' | b'>' if !self.sees("<(") && !self.sees(">(") => self.redirection(&mut list),
                b'{' if self.sees_block() => self.action(Place::Bare, list.open),
                _ => self.in_command(&mut list),
            }
        }
        self.ended(&mut list);
    }

    /// Ends the command and forgets it.
    fn ended(&mut self, list: &mut List) {
        list.open = None;
        list.last = None;
        list.reads = 0..0;
    }

    /// `|`, `||` or `|&`.
    fn pipe(&mut self, list: &mut List) {
        if list.compounds.last().is_some_and(|of| of.pattern) {
            // Between two patterns of a `case`.
            return self.skip(1);
        }
        let from = self.last(list);
        self.ended(list);
        if self.sees("||") {
            return self.skip(2);
        }
        if self.sees("|&") {
            self.bashism("`|&`", "`2>&1 |`", self.at..self.at + 2);
            self.skip(2);
        } else {
            self.skip(1);
        }
        list.reads = from.unwrap_or_default();
    }

    /// The command or compound in front of an operator.
    fn last(&self, list: &List) -> Option<Range<usize>> {
        list.open.map(|command| command..self.script.commands.len()).or_else(|| list.last.clone())
    }

    /// `)`; whether it ends the list.
    fn parenthesis(&mut self, list: &mut List, close: Close) -> bool {
        if let Some(case) = list.compounds.last_mut().filter(|of| of.pattern) {
            case.pattern = false;
            self.skip(1);
        } else if list.compounds.last().is_some_and(|of| of.closing == ")") {
            self.skip(1);
            self.close(list);
        } else {
            self.ended(list);
            self.skip(1);
            return close == Close::Parenthesis;
        }
        false
    }

    /// `(` where a command may begin, or behind the name of a function.
    fn opening(&mut self, list: &mut List) {
        if list.compounds.last().is_some_and(|of| of.pattern) {
            return self.skip(1);
        }
        if let Some(command) = list.open {
            if self.sees("((") {
                // `for ((…))`
                let start = self.at;
                self.skip(2);
                self.arithmetic(Some(command));
                return self.bashism("`((…))`", "`$((…))` in a test", start..self.at);
            }
            self.skip(1);
            // A function: its body is read like any command.
            let name = std::mem::take(&mut self.script.commands[command].words);
            self.script.functions.extend(name.first().map(|word| word.text));
            list.open = None;
            list.named = true;
            self.skip_blanks();
            return self.skip(usize::from(self.byte() == Some(b')')));
        }
        if self.sees("((") {
            let start = self.at;
            self.skip(2);
            self.arithmetic(None);
            return self.bashism("`((…))`", "`[ $((…)) -ne 0 ]`", start..self.at);
        }
        self.skip(1);
        self.begin(list, ")");
    }

    fn begin(&mut self, list: &mut List, closing: &'static str) {
        let function = std::mem::take(&mut list.named);
        list.functions += usize::from(function);
        let start = self.script.commands.len();
        list.compounds.push(Compound { closing, start, pattern: false, function });
    }

    /// Ends the innermost compound command.
    fn close(&mut self, list: &mut List) {
        self.ended(list);
        let deep = list.compounds.len() > DEEPEST;
        if let Some(compound) = list.compounds.pop() {
            list.functions -= usize::from(compound.function);
            let end = self.script.commands.len();
            let start = if deep { end.saturating_sub(1).max(compound.start) } else { compound.start };
            list.last = Some(start..end);
        }
    }

    /// The command that is being read; a new one where none is.
    fn open(&mut self, list: &mut List) -> usize {
        if let Some(command) = list.open {
            return command;
        }
        let command = self.script.commands.len();
        let reads = std::mem::take(&mut list.reads);
        self.script.commands[reads.clone()].iter_mut().for_each(|before| before.feeds = Some(command));
        let (inside, in_function) = (list.inside.clone(), list.functions > 0);
        self.script.commands.push(Command { at: self.at, reads, inside, in_function, ..Command::default() });
        list.open = Some(command);
        list.last = None;
        command
    }

    /// A word of a command, or one that has a meaning of its own where a command begins.
    fn in_command(&mut self, list: &mut List) {
        if list.compounds.last().is_some_and(|of| of.pattern) {
            if self.word(None).text == "esac" {
                self.close(list);
            }
            return;
        }
        let begins = list.open.is_none();
        if begins && self.reserved(list) {
            return;
        }
        let command = self.open(list);
        let word = self.word(Some(command));
        if word.text.bytes().all(|b| b.is_ascii_digit()) && matches!(self.byte(), Some(b'<' | b'>')) {
            // The number of what is redirected.
            return self.redirection(list);
        }
        let words = &mut self.script.commands[command].words;
        let first = words.first().map_or("", |word| word.text);
        if first == "case" && word.text == "in" {
            // Its own word begins the compound; the patterns are no commands.
            list.open = None;
            self.begin(list, "esac");
            if let Some(case) = list.compounds.last_mut() {
                (case.start, case.pattern) = (command, true);
            }
            return;
        }
        words.push(word);
        if begins && self.script.commands[command].words[0].text == "[[" {
            self.test(command);
        }
    }

    /// Takes a reserved word; whether there was one.
    fn reserved(&mut self, list: &mut List) -> bool {
        let is_end =
            |c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')' | '<' | '>' | '`');
        // None is longer; a whole word may be very long.
        let start = self.rest().as_bytes();
        let start = &start[..start.len().min(10)];
        let len = start.iter().position(|b| is_end(char::from(*b))).unwrap_or(start.len());
        let Some(word) = self.rest().get(..len) else { return false };
        match word {
            // They stand in front of a command and are no part of it.
            "then" | "do" | "else" | "elif" | "!" | "coproc" => self.skip(len),
            "fi" | "done" | "esac" | "}" if list.compounds.last().is_some_and(|of| of.closing == word) => {
                self.skip(len);
                self.close(list);
            }
            "if" | "while" | "until" | "{" => {
                self.skip(len);
                let closing = match word {
                    "if" => "fi",
                    "{" => "}",
                    _ => "done",
                };
                self.begin(list, closing);
            }
            // They have words of their own, and are read as commands of that name; a `case` begins behind its `in`.
            "for" | "select" => {
                self.begin(list, "done");
                return false;
            }
            "function" => {
                self.bashism("`function`", "`name() { … }`", self.at..self.at + len);
                self.skip(len);
                self.skip_blanks();
                let name = self.word(None).text;
                self.script.functions.insert(name);
                list.named = true;
                self.skip_blanks();
                if self.sees("()") {
                    self.skip(2);
                }
            }
            _ => return false,
        }
        true
    }

    /// The words of `[[ … ]]`, in which operators are words.
    fn test(&mut self, command: usize) {
        while let Some(byte) = self.byte() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' => self.skip(1),
                b';' => break,
                b'`' if self.backticks => break,
                _ => {
                    let word = self.word(Some(command));
                    let last = word.text == "]]";
                    self.script.commands[command].words.push(word);
                    if last {
                        break;
                    }
                }
            }
        }
    }
}

/// Whether a word so far is the name of an array that begins.
fn begins_array(word: &str) -> bool {
    word.ends_with('=') && is_assignment(word)
}

/// Whether a word may be expanded to several by its braces.
fn is_braces(inner: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ',');
    inner.chars().all(plain) && (inner.contains(',') || inner.contains(".."))
}

/// The word that stands there.
fn word_at<'s>(source: &'s str, range: Range<usize>) -> Word<'s> {
    Word { text: &source[range.clone()], range }
}
