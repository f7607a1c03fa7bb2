//! What steps write to `$TAKO_OUTPUT`, `$TAKO_ENV` and `$TAKO_PATH`.
//!
//! Lines of `name=value`, or, for values of several lines, `name<<DELIMITER` up to a line that is the delimiter.
//! Nothing is guessed: a line that is neither is an error, because half a value is worse than none.

mod env_name;

use indexmap::IndexMap;

pub use env_name::{EnvNameError, check_env_name};

/// Why a file of a step cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct AssignmentError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: AssignmentProblem,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssignmentProblem {
    /// It is not text.
    #[error("not UTF-8")]
    NotUtf8,
    /// It has a zero byte, which no environment variable can hold.
    #[error("a NUL byte")]
    Nul,
    /// It is neither of the two forms.
    #[error("neither `name=value` nor `name<<DELIMITER`")]
    Malformed,
    /// What it assigns to is no name.
    #[error("`{name}` is not a name: begin with a letter or `_`; letters, digits, `_` and `-` may follow")]
    Name {
        /// As written.
        name: String,
    },
    /// Nothing behind `<<`.
    #[error("`{name}<<` has no delimiter")]
    NoDelimiter {
        /// What it would assign to.
        name: String,
    },
    /// The delimiter does not come again.
    #[error("the value of `{name}` has no end: no line is `{delimiter}`")]
    Unterminated {
        /// What it would assign to.
        name: String,
        /// The delimiter.
        delimiter: String,
    },
    /// A directory that is not absolute.
    #[error("`{path}` is not an absolute path")]
    Relative {
        /// As written.
        path: String,
    },
    /// A directory that would be two.
    #[error("`{path}` has a `:`, which separates directories")]
    Colon {
        /// As written.
        path: String,
    },
}

impl AssignmentProblem {
    fn at(self, line: usize) -> AssignmentError {
        AssignmentError { line, problem: self }
    }
}

/// The assignments of `$TAKO_OUTPUT` or `$TAKO_ENV`, in order. The last one of a name counts.
///
/// Names are what either file allows; see [`is_output_name`] and [`check_env_name`] for the difference.
///
/// # Errors
///
/// The first line that is wrong.
pub fn parse_assignments(bytes: &[u8]) -> Result<IndexMap<String, String>, AssignmentError> {
    let mut assignments = IndexMap::new();
    let mut lines = lines(bytes);
    while let Some(line) = lines.next() {
        let (number, line) = line?;
        let (text, has_return) = without_return(line);
        if text.trim().is_empty() {
            continue;
        }
        // The first of the two signs tells the form: values may hold the other one.
        let equals = text.find('=').unwrap_or(usize::MAX);
        let heredoc = text.find("<<").unwrap_or(usize::MAX);
        if equals < heredoc {
            let name = checked(&text[..equals], number)?;
            assignments.insert(name.to_owned(), text[equals + 1..].to_owned());
        } else if heredoc < equals {
            let name = checked(&text[..heredoc], number)?;
            let delimiter = &text[heredoc + 2..];
            if delimiter.is_empty() {
                return Err(AssignmentProblem::NoDelimiter { name: name.to_owned() }.at(number));
            }
            let end = Heredoc { name, delimiter, number, has_return };
            assignments.insert(name.to_owned(), end.value(&mut lines)?);
        } else {
            return Err(AssignmentProblem::Malformed.at(number));
        }
    }
    Ok(assignments)
}

/// The directories of `$TAKO_PATH`, one a line, in order.
///
/// # Errors
///
/// The first line that is not one absolute path.
pub fn parse_paths(bytes: &[u8]) -> Result<Vec<String>, AssignmentError> {
    let mut paths = Vec::new();
    for line in lines(bytes) {
        let (number, line) = line?;
        let (path, _) = without_return(line);
        let wrong = if path.trim().is_empty() {
            continue;
        } else if !path.starts_with('/') {
            AssignmentProblem::Relative { path: path.to_owned() }
        } else if path.contains(':') {
            AssignmentProblem::Colon { path: path.to_owned() }
        } else {
            paths.push(path.to_owned());
            continue;
        };
        return Err(wrong.at(number));
    }
    Ok(paths)
}

/// Whether `name` can be the name of an output.
#[must_use]
pub fn is_output_name(name: &str) -> bool {
    is_name(name) && !name.starts_with('_')
}

/// A value of several lines.
struct Heredoc<'a> {
    name: &'a str,
    delimiter: &'a str,
    number: usize,
    /// Whether its first line ended with CR LF; then those of the value do, and only then it is not part of them.
    has_return: bool,
}

impl Heredoc<'_> {
    fn value<'a>(
        self,
        lines: impl Iterator<Item = Result<(usize, &'a str), AssignmentError>>,
    ) -> Result<String, AssignmentError> {
        let mut value: Option<String> = None;
        for line in lines {
            let (_, line) = line?;
            let (text, _) = without_return(line);
            if text == self.delimiter {
                return Ok(value.unwrap_or_default());
            }
            let kept = if self.has_return { text } else { line };
            match &mut value {
                Some(value) => {
                    value.push('\n');
                    value.push_str(kept);
                }
                None => value = Some(kept.to_owned()),
            }
        }
        let (name, delimiter) = (self.name.to_owned(), self.delimiter.to_owned());
        Err(AssignmentProblem::Unterminated { name, delimiter }.at(self.number))
    }
}

/// Lines with their numbers, without their newlines.
fn lines(bytes: &[u8]) -> impl Iterator<Item = Result<(usize, &str), AssignmentError>> {
    let whole = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    whole.split(|byte| *byte == b'\n').enumerate().map(|(index, line)| {
        let number = index + 1;
        if line.contains(&0) {
            return Err(AssignmentProblem::Nul.at(number));
        }
        let text = std::str::from_utf8(line).map_err(|_| AssignmentProblem::NotUtf8.at(number))?;
        Ok((number, text))
    })
}

fn without_return(line: &str) -> (&str, bool) {
    line.strip_suffix('\r').map_or((line, false), |line| (line, true))
}

fn checked(name: &str, number: usize) -> Result<&str, AssignmentError> {
    if is_name(name) { Ok(name) } else { Err(AssignmentProblem::Name { name: name.to_owned() }.at(number)) }
}

/// `^[A-Za-z_][A-Za-z0-9_-]*$`.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn assignments() {
        type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);
        let cases: [Case; 17] = [
            ("nothing", "", &[]),
            ("one", "a=1\n", &[("a", "1")]),
            ("no newline at the end", "a=1", &[("a", "1")]),
            ("empty lines", "\n \na=1\n\n", &[("a", "1")]),
            ("signs in the value", "a=b=c<<d\n", &[("a", "b=c<<d")]),
            ("blanks are kept", "a= 1 \n", &[("a", " 1 ")]),
            ("an empty value", "a=\n", &[("a", "")]),
            ("the last one counts", "a=1\nb=2\na=3\n", &[("a", "3"), ("b", "2")]),
            ("CR LF", "a=1\r\n\r\nb=2\r\n", &[("a", "1"), ("b", "2")]),
            ("several lines", "a<<E\n1\n\n2\nE\nb=3\n", &[("a", "1\n\n2"), ("b", "3")]),
            ("no lines", "a<<E\nE\n", &[("a", "")]),
            ("an empty line", "a<<E\n\nE", &[("a", "")]),
            ("lines that look like others", "a<<E\nb=1\nc<<F\n E\nE \nE\n", &[("a", "b=1\nc<<F\n E\nE ")]),
            ("an `=` in the delimiter", "a<<x=y\n1\nx=y\n", &[("a", "1")]),
            ("several lines with CR LF", "a<<E\r\n1\r\n2\r\nE\r\n", &[("a", "1\n2")]),
            ("a value's own CRs", "a<<E\n1\r\n2\nE\n", &[("a", "1\r\n2")]),
            ("names", "_a=1\nB-2_c=2\n", &[("_a", "1"), ("B-2_c", "2")]),
        ];
        for (name, text, want) in cases {
            let want = want.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(parse_assignments(text.as_bytes()), Ok(want), "{name}");
        }
    }

    #[test]
    fn malformed_assignments() {
        let cases: [(&str, &[u8], &str); 12] = [
            ("a word", b"a=1\nword\n", "line 2: neither `name=value` nor `name<<DELIMITER`"),
            ("no name", b"=1\n", "line 1: `` is not a name: "),
            ("a blank in the name", b"a b=1\n", "line 1: `a b` is not a name: "),
            ("a blank around the sign", b"a =1\n", "line 1: `a ` is not a name: "),
            ("a digit first", b"\n1a=1\n", "line 2: `1a` is not a name: "),
            ("not ASCII", "é=1\n".as_bytes(), "line 1: `é` is not a name: "),
            ("no name for lines", b"<<E\nE\n", "line 1: `` is not a name: "),
            ("no delimiter", b"a<<\n1\n\n", "line 1: `a<<` has no delimiter"),
            ("no end", b"x=1\na<<E\n1\nEE\n", "line 2: the value of `a` has no end: no line is `E`"),
            ("a NUL", b"a=1\nb=\x002\n", "line 2: a NUL byte"),
            ("a NUL within lines", b"a<<E\n1\n\0\nE\n", "line 3: a NUL byte"),
            ("not UTF-8", b"a=1\nb=\xff\n", "line 2: not UTF-8"),
        ];
        for (name, text, want) in cases {
            let error = parse_assignments(text).unwrap_err().to_string();
            assert!(error.starts_with(want), "{name}: {error}");
        }
    }

    #[test]
    fn paths() {
        type Case = (&'static str, &'static [u8], Result<&'static [&'static str], &'static str>);
        let cases: [Case; 8] = [
            ("nothing", b"", Ok(&[])),
            ("some", b"/a\n/b c/d\n", Ok(&["/a", "/b c/d"])),
            ("CR LF and empty lines", b"/a\r\n\r\n\n/b", Ok(&["/a", "/b"])),
            ("twice", b"/a\n/a\n", Ok(&["/a", "/a"])),
            ("relative", b"/a\nbin\n", Err("line 2: `bin` is not an absolute path")),
            ("two in one", b"/a:/b\n", Err("line 1: `/a:/b` has a `:`, which separates directories")),
            ("a NUL", b"/a\0\n", Err("line 1: a NUL byte")),
            ("not UTF-8", b"/\xff\n", Err("line 1: not UTF-8")),
        ];
        for (name, text, want) in cases {
            let got = parse_paths(text).map_err(|error| error.to_string());
            let want = want.map(|paths| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>());
            assert_eq!(got, want.map_err(str::to_owned), "{name}");
        }
    }

    #[test]
    fn output_names() {
        for (name, good) in
            [("a", true), ("A-b_1", true), ("_a", false), ("1a", false), ("", false), ("a.b", false)]
        {
            assert_eq!(is_output_name(name), good, "{name}");
        }
    }

    proptest! {
        #[test]
        fn values_come_back(values in proptest::collection::vec(("[A-Za-z_][A-Za-z0-9_-]{0,8}", "[^\0]*"), 0..6)) {
            let mut text = String::new();
            let mut want = IndexMap::new();
            for (name, value) in values {
                let delimiter = format!("END-{}", value.len());
                prop_assume!(value.split('\n').all(|line| line.trim_end_matches('\r') != delimiter));
                text.push_str(&format!("{name}<<{delimiter}\n{value}\n{delimiter}\n"));
                want.insert(name, value);
            }
            prop_assert_eq!(parse_assignments(text.as_bytes()), Ok(want));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, text in "([a-c=<E\r\n]|<<){0,40}") {
            for bytes in [bytes.as_slice(), text.as_bytes()] {
                let _ = parse_assignments(bytes);
                let _ = parse_paths(bytes);
            }
        }
    }
}
