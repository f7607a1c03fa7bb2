//! The shape of a shell script: its commands and words, and in which quotes its templates stand.
//!
//! No shell: enough of its lexical rules to look at simple commands, wrong only where a script is unusual. Whole
//! parsers refuse templates, and give no offsets of words.

use std::ops::Range;

/// What a script consists of.
#[derive(Debug, Default)]
pub(crate) struct Script<'s> {
    pub(crate) commands: Vec<Command<'s>>,
    pub(crate) actions: Vec<Action>,
}

/// A simple command.
#[derive(Debug, Default)]
pub(crate) struct Command<'s> {
    pub(crate) words: Vec<Word<'s>>,
    /// Whether it reads what the command before it writes.
    pub(crate) piped: bool,
}

/// A word or a redirection operator.
#[derive(Clone, Debug)]
pub(crate) struct Word<'s> {
    pub(crate) text: &'s str,
    pub(crate) range: Range<usize>,
}

/// A template's action.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub(crate) range: Range<usize>,
    /// Whether it stands between quotes of the script.
    pub(crate) quoted: bool,
}

impl<'s> Command<'s> {
    /// The program's name, without directories; assignments and words like `exec` and `env` in front of it are passed over.
    pub(crate) fn program(&self) -> &'s str {
        let name = self.words.iter().map(|word| word.text).find(|word| !is_prefix(word)).unwrap_or_default();
        let name = name.trim_start_matches('(');
        name.rsplit('/').next().unwrap_or(name)
    }

    /// The words behind the program.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &Word<'s>> {
        let program = self.words.iter().position(|word| !is_prefix(word.text)).unwrap_or(self.words.len());
        self.words.iter().skip(program + 1)
    }

    /// The whole command.
    pub(crate) fn range(&self) -> Range<usize> {
        match (self.words.first(), self.words.last()) {
            (Some(first), Some(last)) => first.range.start..last.range.end,
            _ => 0..0,
        }
    }

    /// The file it writes its output to.
    pub(crate) fn target(&self) -> Option<&Word<'s>> {
        let at = self.words.iter().position(|word| word.text.ends_with('>'))?;
        self.words.get(at + 1)
    }
}

fn is_prefix(word: &str) -> bool {
    let assigns = word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    });
    assigns
        || matches!(
            word,
            "exec"
                | "env"
                | "command"
                | "nohup"
                | "time"
                | "!"
                | "then"
                | "do"
                | "else"
                | "if"
                | "while"
                | "{"
        )
}

/// Reads a script.
pub(crate) fn read(source: &str) -> Script<'_> {
    let mut reader = Reader {
        source,
        at: 0,
        script: Script::default(),
        command: Command::default(),
        heredocs: Vec::new(),
    };
    reader.read();
    reader.script
}

struct Reader<'s> {
    source: &'s str,
    at: usize,
    script: Script<'s>,
    command: Command<'s>,
    /// Delimiters of the here-documents that begin on the next line.
    heredocs: Vec<&'s str>,
}

impl<'s> Reader<'s> {
    fn read(&mut self) {
        while let Some(c) = self.rest().chars().next() {
            match c {
                '\n' => {
                    self.end(false);
                    self.at += 1;
                    self.skip_heredocs();
                }
                '\\' if self.rest().starts_with("\\\n") => self.at += 2,
                c if c.is_whitespace() => self.at += c.len_utf8(),
                '#' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                '|' if self.rest().starts_with("||") => self.operator(2, false),
                '|' => {
                    let len = if self.rest().starts_with("|&") { 2 } else { 1 };
                    self.operator(len, true);
                }
                '&' if self.rest().starts_with("&>") => self.redirection(),
                '&' if self.rest().starts_with("&&") => self.operator(2, false),
                ';' | '&' | '(' | ')' => self.operator(1, false),
                '>' | '<' => self.redirection(),
                _ => self.word(),
            }
        }
        self.end(false);
    }

    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn operator(&mut self, len: usize, pipes: bool) {
        self.end(pipes);
        self.at += len;
    }

    fn end(&mut self, pipes: bool) {
        let next = Command { piped: pipes, ..Command::default() };
        let command = std::mem::replace(&mut self.command, next);
        if command.words.is_empty() {
            self.command.piped |= command.piped;
        } else {
            self.script.commands.push(command);
        }
    }

    fn redirection(&mut self) {
        let len =
            self.rest().find(|c| !matches!(c, '<' | '>' | '&' | '-')).unwrap_or(self.rest().len()).max(1);
        let operator = &self.rest()[..len];
        let range = self.at..self.at + len;
        self.at += len;
        if operator.starts_with("<<") && !operator.starts_with("<<<") {
            let rest = self.rest().trim_start_matches([' ', '\t']);
            let delimiter =
                rest.split(|c: char| c.is_whitespace() || matches!(c, ';' | '|' | ')' | '&')).next();
            self.heredocs.extend(delimiter.map(|word| word.trim_matches(['"', '\'', '\\'])));
        }
        self.command.words.push(Word { text: operator, range });
    }

    fn word(&mut self) {
        let start = self.at;
        let mut quote: Option<char> = None;
        while let Some(c) = self.rest().chars().next() {
            if self.rest().starts_with("{{") {
                self.action(quote.is_some());
                continue;
            }
            match (quote, c) {
                (None, c) if c.is_whitespace() || matches!(c, ';' | '|' | '&' | '(' | ')' | '<' | '>') => {
                    // `$(…)` and `name()` are read as commands of their own.
                    break;
                }
                (None, '"' | '\'' | '`') => quote = Some(c),
                (Some(open), c) if c == open => quote = None,
                (None | Some('"'), '\\') => {
                    let escaped = self.rest().chars().nth(1).map_or(0, char::len_utf8);
                    self.at += escaped;
                }
                _ => {}
            }
            self.at += c.len_utf8();
        }
        if self.at == start {
            // An operator that stands where a word may not.
            self.at += self.rest().chars().next().map_or(1, char::len_utf8);
        }
        let range = start..self.at.min(self.source.len());
        self.command.words.push(Word { text: &self.source[range.clone()], range });
    }

    fn action(&mut self, quoted: bool) {
        let len = self.rest().find("}}").map_or(self.rest().len(), |end| end + 2);
        self.script.actions.push(Action { range: self.at..self.at + len, quoted });
        self.at += len;
    }

    fn skip_heredocs(&mut self) {
        for delimiter in std::mem::take(&mut self.heredocs) {
            while !self.rest().is_empty() {
                let line = self.rest().split('\n').next().unwrap_or_default();
                let end = self.at + line.len();
                let mut from = self.at;
                while let Some(found) = self.source[from..end].find("{{") {
                    self.at = from + found;
                    self.action(true);
                    from = self.at.min(end);
                }
                self.at = (end + 1).min(self.source.len());
                if line.trim() == delimiter {
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Commands as `program(words)`, those that read a pipe behind `|`.
    fn shown(source: &str) -> Vec<String> {
        let show = |command: &Command<'_>| {
            let words: Vec<&str> = command.words.iter().map(|word| word.text).collect();
            format!("{}{}: {}", if command.piped { "|" } else { "" }, command.program(), words.join(" · "))
        };
        read(source).commands.iter().map(show).collect()
    }

    #[test]
    fn commands_and_words() {
        let cases: &[(&str, &str, &[&str])] = &[
            ("words", "go test ./...", &["go: go · test · ./..."]),
            ("a pipe", "curl x | sh", &["curl: curl · x", "|sh: sh"]),
            ("lists", "a && b || c; d & e", &["a: a", "b: b", "c: c", "d: d", "e: e"]),
            ("quotes hold operators", "echo 'a | b' \"c;d\"", &["echo: echo · 'a | b' · \"c;d\""]),
            ("a template holds pipes", "echo {{ .a | upper }}x", &["echo: echo · {{ .a | upper }}x"]),
            ("comments", "a # b | c\nd", &["a: a", "d: d"]),
            ("a hash inside of a word", "a b#c", &["a: a · b#c"]),
            ("a continued line", "a \\\n  b", &["a: a · b"]),
            ("assignments in front", "A=1 B=2 make", &["make: A=1 · B=2 · make"]),
            ("a path", "/usr/bin/sudo x", &["sudo: /usr/bin/sudo · x"]),
            ("a redirection", "echo x >> \"$TAKO_ENV\"", &["echo: echo · x · >> · \"$TAKO_ENV\""]),
            ("a here-document", "cat <<EOF > f\na | b\nEOF\nc", &["cat: cat · << · EOF · > · f", "c: c"]),
            ("a substitution", "x=$(curl y)", &[": x=$", "curl: curl · y"]),
            ("an escaped quote", "echo \\\" | a", &["echo: echo · \\\"", "|a: a"]),
        ];
        for (name, source, want) in cases {
            assert_eq!(shown(source), *want, "{name}");
        }
    }

    #[test]
    fn templates_know_their_quotes() {
        let source = "a {{ .b }} \"c {{ .d }}\" '{{ .e }}'\ncat <<X\n{{ .f }}\nX\n";
        let quoted: Vec<bool> = read(source).actions.iter().map(|action| action.quoted).collect();
        assert_eq!(quoted, [false, true, true, true]);
    }

    proptest! {
        #[test]
        fn anything_is_read(source in "([a-z \n|&;<>(){}\"'`\\\\$#=é]|<<E|\\{\\{|\\}\\}){0,60}") {
            for command in read(&source).commands {
                for word in command.words {
                    prop_assert_eq!(&source[word.range.clone()], word.text);
                }
            }
        }
    }
}
