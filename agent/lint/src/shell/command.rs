//! A simple command, and which program it runs.

use std::ops::Range;

/// A simple command.
#[derive(Debug, Default)]
pub(crate) struct Command<'s> {
    /// Its words, without redirections and reserved words.
    pub(crate) words: Vec<Word<'s>>,
    /// Position of the program among them.
    pub(super) invoked: usize,
    /// Where it begins.
    pub(crate) at: usize,
    /// The commands whose output it reads through a pipe.
    pub(crate) reads: Range<usize>,
    /// The command that reads what it writes.
    pub(crate) feeds: Option<usize>,
    /// Position of the redirection that says where its output goes.
    pub(crate) writes: Option<usize>,
    /// Position of the redirection that says what it reads.
    pub(crate) input: Option<usize>,
    /// The command of which it is a part, in `$(…)` or `<(…)`.
    pub(crate) inside: Option<Inside>,
    /// Whether it is part of a function: nobody knows who calls that, and where its output goes.
    pub(crate) in_function: bool,
}

/// How a command is part of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inside {
    /// The other command.
    pub(crate) command: Option<usize>,
    /// Where the substitution begins.
    pub(crate) at: usize,
    /// Whether it is `<(…)`, a file to read, and not `$(…)`, a text.
    pub(crate) file: bool,
}

/// A word of a script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Word<'s> {
    pub(crate) text: &'s str,
    pub(crate) range: Range<usize>,
}

/// What is known of a program that runs another one: its options that take a value, and how many operands stand in front
/// of the other.
fn wrapper(name: &str) -> Option<(&'static [&'static str], usize)> {
    let (valued, operands): (&[&str], usize) = match name {
        "builtin" | "busybox" | "command" | "nohup" | "setsid" => (&[], 0),
        "doas" => (&["-u", "-C"], 0),
        "env" => (&["-u", "-C", "-S"], 0),
        "exec" => (&["-a"], 0),
        "ionice" => (&["-c", "-n"], 0),
        "nice" => (&["-n"], 0),
        "stdbuf" => (&["-i", "-o", "-e"], 0),
        "sudo" => (
            &[
                "-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "-U", "--user", "--group", "--host",
                "--chdir", "--prompt",
            ],
            0,
        ),
        "time" => (&["-f", "-o"], 0),
        "timeout" => (&["-k", "-s", "--kill-after", "--signal"], 1),
        "xargs" => (
            &[
                "-n",
                "-I",
                "-P",
                "-L",
                "-d",
                "-a",
                "-s",
                "--max-args",
                "--max-procs",
                "--max-lines",
                "--delimiter",
            ],
            0,
        ),
        _ => return None,
    };
    Some((valued, operands))
}

impl<'s> Word<'s> {
    /// The text without quotes around the whole of it, and without a backslash in front.
    pub(crate) fn plain(&self) -> &'s str {
        let text = self.text.strip_prefix('\\').unwrap_or(self.text);
        let inner = ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
        inner.unwrap_or(text)
    }

    /// The last part of a path.
    pub(crate) fn name(&self) -> &'s str {
        let text = self.plain();
        text.rsplit('/').next().unwrap_or(text)
    }
}

impl<'s> Command<'s> {
    /// The program's name, without directories. Assignments and programs that run another one are passed over.
    pub(crate) fn program(&self) -> &'s str {
        self.words.get(self.invoked).map_or("", Word::name)
    }

    /// The words in front of the program: assignments, and what runs it.
    pub(crate) fn leading(&self) -> &[Word<'s>] {
        &self.words[..self.invoked.min(self.words.len())]
    }

    /// The words behind the program.
    pub(crate) fn arguments(&self) -> impl DoubleEndedIterator<Item = &Word<'s>> + Clone {
        self.words.iter().skip(self.invoked + 1)
    }

    /// The programs in front of the program, like `sudo`.
    pub(crate) fn wrappers(&self) -> impl Iterator<Item = &'s str> {
        let words = self.words.iter().take(self.invoked).filter(|word| !is_assignment(word.text));
        words.map(Word::name).filter(|word| wrapper(word).is_some())
    }

    /// The whole command.
    pub(crate) fn range(&self) -> Range<usize> {
        match (self.words.first(), self.words.last()) {
            (Some(first), Some(last)) => first.range.start..last.range.end,
            _ => 0..0,
        }
    }

    /// Finds the program among the words.
    pub(super) fn settle(&mut self) {
        self.invoked = self.find_program();
    }

    fn find_program(&self) -> usize {
        let mut at = 0;
        // `env` alone prints, and `exec > file` redirects: the last wrapper is the program if nothing follows.
        let mut last = self.words.len();
        while let Some(word) = self.words.get(at) {
            if is_assignment(word.text) {
                at += 1;
                continue;
            }
            last = at;
            let Some((valued, operands)) = wrapper(word.name()) else { return at };
            // `command -v sudo` only asks for it.
            let asks = |option: &Word<'_>| matches!(option.text, "-v" | "-V");
            if word.name() == "command" && self.words.get(at + 1).is_some_and(asks) {
                return at;
            }
            at += 1;
            while let Some(option) = self.words.get(at).filter(|word| word.text.starts_with('-')) {
                // The last of several letters may take a value: `sudo -iu me`.
                let letters = option.text.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
                let last = letters.and_then(|rest| rest.char_indices().last()).map(|(at, _)| at);
                let takes = |known: &&str| {
                    last.is_some_and(|at| known.strip_prefix('-') == letters.and_then(|rest| rest.get(at..)))
                };
                at += if valued.contains(&option.text) || valued.iter().any(takes) { 2 } else { 1 };
            }
            at += operands;
        }
        last
    }
}

/// Whether a word in front of a program sets a variable.
pub(crate) fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        let name = name.strip_suffix('+').unwrap_or(name);
        let name = name.split('[').next().unwrap_or(name);
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}
