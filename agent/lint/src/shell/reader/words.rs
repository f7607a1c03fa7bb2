//! Words: quotes, variables and substitutions in them.

use super::{Close, DEEPEST, Reader, begins_array, is_braces, word_at};
use crate::shell::command::{Inside, Word};
use crate::shell::{Expansion, Place};

impl<'s> Reader<'s> {
    /// Reads a word of `command`; at least a character.
    pub(super) fn word(&mut self, command: Option<usize>) -> Word<'s> {
        while self.sees_block() {
            self.action(Place::Bare, command);
        }
        let start = self.at;
        // Open brackets of patterns like `@(a|b)`.
        let mut patterns = 0_usize;
        let mut is_array = false;
        while let Some(byte) = self.byte() {
            match byte {
                b'{' if self.sees_block() => break,
                b'{' if self.sees("{{") => self.action(Place::Bare, command),
                b'\'' => self.single(command),
                b'"' => self.double(command),
                b'$' => self.dollar(command, false),
                b'`' if self.backticks => break,
                b'`' => self.backtick(command),
                b'\\' => {
                    self.skip(1);
                    self.skip_char();
                }
                b'<' | b'>' if self.sees("<(") || self.sees(">(") => {
                    self.bashism("`<(…)`", "a file or a pipe", self.at..self.at + 2);
                    self.substitution(command, true);
                }
                // One word is one array: whether its beginning is a name is asked once.
                b'(' if !is_array && begins_array(&self.source[start..self.at]) => {
                    is_array = true;
                    self.array(start, command);
                }
                b'(' if self.at > start
                    && matches!(self.source.as_bytes()[self.at - 1], b'@' | b'?' | b'*' | b'+' | b'!') =>
                {
                    patterns += 1;
                    self.skip(1);
                }
                b')' | b'|' if patterns > 0 => {
                    patterns -= usize::from(byte == b')');
                    self.skip(1);
                }
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'|' | b'&' | b'(' | b')' | b'<' | b'>' => break,
                b'{' => self.brace(),
                _ => self.skip_char(),
            }
        }
        if self.at == start {
            // An operator that stands where a word should.
            if !matches!(self.byte(), Some(b'\n' | b')' | b'`')) {
                self.skip_char();
            }
        }
        word_at(self.source, start..self.at.max(start))
    }

    /// `{a,b}` and `{1..3}`.
    fn brace(&mut self) {
        // Further away is no brace that anybody wrote by hand.
        let near = &self.rest().as_bytes()[..self.rest().len().min(100)];
        let inner = near.iter().position(|b| *b == b'}').and_then(|end| self.rest().get(1..end));
        if let Some(inner) = inner.filter(|inner| is_braces(inner)) {
            self.bashism("`{…,…}`", "the words themselves", self.at..self.at + inner.len() + 2);
        }
        self.skip(1);
    }

    /// `name=(…)`: the words of an array.
    fn array(&mut self, start: usize, command: Option<usize>) {
        self.bashism("an array", "positional parameters, as `set -- …`", start..self.at);
        self.skip(1);
        if self.depth >= DEEPEST {
            return;
        }
        self.depth += 1;
        while let Some(byte) = self.byte() {
            match byte {
                b')' => {
                    self.skip(1);
                    break;
                }
                b' ' | b'\t' | b'\r' | b'\n' => self.skip(1),
                b'#' => self.comment(),
                b'`' if self.backticks => break,
                _ => drop(self.word(command)),
            }
        }
        self.depth -= 1;
    }

    /// `'…'`
    fn single(&mut self, command: Option<usize>) {
        self.skip(1);
        while let Some(byte) = self.byte() {
            match byte {
                b'\'' => return self.skip(1),
                b'{' if self.sees("{{") => self.action(Place::Single, command),
                _ => self.skip_char(),
            }
        }
    }

    /// `$'…'`
    fn ansi(&mut self, command: Option<usize>) {
        self.bashism("`$'…'`", "`printf`", self.at..self.at + 2);
        self.skip(2);
        while let Some(byte) = self.byte() {
            match byte {
                b'\'' => return self.skip(1),
                b'\\' => {
                    self.skip(1);
                    self.skip_char();
                }
                b'{' if self.sees("{{") => self.action(Place::Single, command),
                _ => self.skip_char(),
            }
        }
    }

    /// `"…"`
    fn double(&mut self, command: Option<usize>) {
        self.skip(1);
        while let Some(byte) = self.byte() {
            match byte {
                b'"' => return self.skip(1),
                b'`' if self.backticks => return,
                _ => self.in_quotes(byte, Place::Double, command),
            }
        }
    }

    /// The body of a here-document whose variables are expanded.
    pub(super) fn here(&mut self, command: Option<usize>) {
        while let Some(byte) = self.byte() {
            self.in_quotes(byte, Place::Here, command);
        }
    }

    /// What has a meaning between double quotes.
    fn in_quotes(&mut self, byte: u8, place: Place, command: Option<usize>) {
        match byte {
            b'\\' => {
                self.skip(1);
                self.skip_char();
            }
            b'$' => self.dollar(command, true),
            b'`' if !self.backticks => self.backtick(command),
            b'{' if self.sees("{{") => self.action(place, command),
            _ => self.skip_char(),
        }
    }

    /// `$`, and what it begins. `quoted`: between double quotes.
    fn dollar(&mut self, command: Option<usize>, quoted: bool) {
        let rest = self.rest();
        match rest.as_bytes().get(1) {
            Some(b'\'') if !quoted => self.ansi(command),
            Some(b'"') if !quoted => self.skip(1),
            Some(b'(') if self.depth >= DEEPEST => self.skip(2),
            Some(b'(') if rest.starts_with("$((") => {
                self.skip(3);
                self.arithmetic(command);
            }
            Some(b'(') => self.substitution(command, false),
            Some(b'{') if !rest.starts_with("${{") => self.parameter(command, quoted),
            Some(b) if b.is_ascii_alphabetic() || *b == b'_' => {
                let len = 1 + name_len(&rest[1..]);
                self.expansion(1..len, "", self.at..self.at + len, command);
                self.skip(len);
            }
            _ => self.skip(1),
        }
    }

    fn expansion(
        &mut self,
        name: std::ops::Range<usize>,
        operator: &'s str,
        range: std::ops::Range<usize>,
        command: Option<usize>,
    ) {
        let name = &self.source[range.start..][name];
        let at = self.script.expansions.partition_point(|other| other.range.start <= range.start);
        self.script.expansions.insert(at, Expansion { name, operator, range, command });
    }

    /// `$(…)`, `<(…)` or `>(…)`.
    fn substitution(&mut self, command: Option<usize>, file: bool) {
        let inside = Inside { command, at: self.at, file };
        self.skip(2);
        if self.depth >= DEEPEST {
            return;
        }
        self.depth += 1;
        let backticks = std::mem::take(&mut self.backticks);
        self.commands(Close::Parenthesis, Some(inside));
        self.backticks = backticks;
        self.depth -= 1;
    }

    /// `` `…` ``
    fn backtick(&mut self, command: Option<usize>) {
        let inside = Inside { command, at: self.at, file: false };
        self.skip(1);
        if self.depth >= DEEPEST {
            return;
        }
        self.depth += 1;
        self.backticks = true;
        self.commands(Close::Backtick, Some(inside));
        self.backticks = false;
        self.depth -= 1;
    }

    /// What stands between `((` and `))`.
    pub(super) fn arithmetic(&mut self, command: Option<usize>) {
        if self.depth >= DEEPEST {
            return;
        }
        self.depth += 1;
        self.until_arithmetic_ends(command);
        self.depth -= 1;
    }

    fn until_arithmetic_ends(&mut self, command: Option<usize>) {
        let mut open = 0_usize;
        while let Some(byte) = self.byte() {
            match byte {
                b'(' => {
                    open += 1;
                    self.skip(1);
                }
                b')' if open > 0 => {
                    open -= 1;
                    self.skip(1);
                }
                b')' => return self.skip(if self.sees("))") { 2 } else { 1 }),
                b'`' if self.backticks => return,
                _ => self.in_quotes(byte, Place::Sum, command),
            }
        }
    }

    /// `${…}`
    fn parameter(&mut self, command: Option<usize>, quoted: bool) {
        let start = self.at;
        let inner = &self.rest()[2..];
        let prefix = usize::from(inner.starts_with(['#', '!']) && name_len(&inner[1..]) > 0);
        let name = 2 + prefix..2 + prefix + name_len(&inner[prefix..]);
        let operator = start + name.end;
        self.skip(name.end.max(2));
        let of_bash = match self.rest().as_bytes() {
            _ if inner.starts_with('!') && prefix > 0 => true,
            [b'^' | b',' | b'/' | b'@' | b'[', ..] => !name.is_empty(),
            [b':', then, ..] => !matches!(then, b'-' | b'=' | b'?' | b'+'),
            _ => false,
        };
        // `${#name}` says how long it is, not what it says.
        let counts = prefix > 0 && inner.starts_with('#');
        // Patterns have quotes of their own, also where the whole is quoted.
        let is_pattern = matches!(self.byte(), Some(b'%' | b'#' | b'/' | b'^' | b','));
        if self.depth < DEEPEST {
            self.depth += 1;
            while let Some(byte) = self.byte() {
                match byte {
                    b'}' => break,
                    b'\'' if !quoted || is_pattern => self.single(command),
                    b'"' => self.double(command),
                    b'`' if self.backticks => break,
                    _ => self.in_quotes(byte, if quoted { Place::Double } else { Place::Bare }, command),
                }
            }
            self.depth -= 1;
        }
        let end = self.at.max(operator);
        let text = &self.source[operator.min(end)..end];
        self.skip(usize::from(self.byte() == Some(b'}')));
        if of_bash {
            self.bashism("`${name^…}` and its like", "`tr`, `cut` or `sed`", start..self.at);
        }
        if !name.is_empty() && !counts {
            self.expansion(name, text, start..self.at, command);
        }
    }
}

fn name_len(text: &str) -> usize {
    let digit = text.starts_with(|c: char| c.is_ascii_digit());
    if digit { 0 } else { text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count() }
}
