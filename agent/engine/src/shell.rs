//! What `shell` in a step means: program and arguments, `{0}` standing for the script's file.

/// Why a `shell` is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    /// Nothing there.
    #[error("`shell` is empty")]
    Empty,
    /// Several words, none of which stands for the script.
    #[error("`shell: {shell}` does not say where the script goes")]
    NoScript {
        /// As written.
        shell: String,
    },
    /// A quote without its counterpart, or a `\` at the end.
    #[error("`shell: {shell}` ends inside of a quotation")]
    Unterminated {
        /// As written.
        shell: String,
    },
}

impl ShellError {
    /// What the reader can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty => "name a shell such as `bash`, or leave `shell` out for `sh -e`",
            Self::NoScript { .. } => "write `{0}` in the place of the script's file, as in `bash -x {0}`",
            Self::Unterminated { .. } => {
                "close the quotation, or write `\\` in front of a quote that is meant itself"
            }
        }
    }
}

/// Program and arguments for a script of a step with this `shell`.
///
/// `sh`, `bash` and `python` have options of their own, as users of GitHub Actions expect them. Any other single
/// word is a program that takes the script's file. Several words are a template, split at blanks; quotes and `\`
/// work as in a shell, and nothing else does.
///
/// # Errors
///
/// The text is empty, has an open quotation, or is a template without `{0}`.
pub fn shell_argv(shell: Option<&str>) -> Result<Vec<String>, ShellError> {
    let words = match shell.map(str::trim) {
        Some("") => return Err(ShellError::Empty),
        None | Some("sh") => owned(&["sh", "-e", "{0}"]),
        Some("bash") => owned(&["bash", "-eo", "pipefail", "{0}"]),
        Some("python") => owned(&["python3", "{0}"]),
        Some(template) => {
            let shell = || template.to_owned();
            let mut words = split(template).ok_or_else(|| ShellError::Unterminated { shell: shell() })?;
            if !template.contains("{0}") {
                if words.len() > 1 {
                    return Err(ShellError::NoScript { shell: shell() });
                }
                words.push("{0}".to_owned());
            }
            words
        }
    };
    match words.first() {
        Some(program) if !program.is_empty() => Ok(words),
        _ => Err(ShellError::Empty),
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The words of `text`; `None` if it ends inside of a quotation.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        if next.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_default();
        match next {
            '\\' => word.push(chars.next()?),
            '\'' => loop {
                match chars.next()? {
                    '\'' => break,
                    other => word.push(other),
                }
            },
            '"' => loop {
                match chars.next()? {
                    '"' => break,
                    '\\' => match chars.next()? {
                        escaped @ ('"' | '\\') => word.push(escaped),
                        other => word.extend(['\\', other]),
                    },
                    other => word.push(other),
                }
            },
            other => word.push(other),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shells() {
        let cases: [(&str, Option<&str>, &[&str]); 16] = [
            ("none", None, &["sh", "-e", "{0}"]),
            ("sh", Some("sh"), &["sh", "-e", "{0}"]),
            ("bash", Some("bash"), &["bash", "-eo", "pipefail", "{0}"]),
            ("python", Some("python"), &["python3", "{0}"]),
            ("any other name", Some("zsh"), &["zsh", "{0}"]),
            ("a path", Some("/opt/bin/fish"), &["/opt/bin/fish", "{0}"]),
            ("blanks around", Some(" bash\n"), &["bash", "-eo", "pipefail", "{0}"]),
            ("a quoted program", Some("'/opt/my shell'"), &["/opt/my shell", "{0}"]),
            ("a template", Some("bash -x {0}"), &["bash", "-x", "{0}"]),
            ("inside of a word", Some("perl -I. --file={0}  --"), &["perl", "-I.", "--file={0}", "--"]),
            ("the script itself", Some("{0}"), &["{0}"]),
            ("single quotes", Some(r#"awk '$1 "\' {0}"#), &["awk", r#"$1 "\"#, "{0}"]),
            ("double quotes", Some(r#"x "a 'b' \"c\" \d $e" {0}"#), &["x", r#"a 'b' "c" \d $e"#, "{0}"]),
            ("backslashes", Some(r"x a\ b \'c {0}"), &["x", "a b", "'c", "{0}"]),
            ("an empty word", Some("x '' {0}"), &["x", "", "{0}"]),
            ("quotes inside of a word", Some("x a'b 'c\"d e\" {0}"), &["x", "ab cd e", "{0}"]),
        ];
        for (name, shell, want) in cases {
            assert_eq!(shell_argv(shell).unwrap(), want, "{name}");
        }
    }

    #[test]
    fn refused() {
        let shell = |text: &str| text.to_owned();
        let cases = [
            ("empty", "", ShellError::Empty),
            ("blank", " \t", ShellError::Empty),
            ("an empty program", "'' {0}", ShellError::Empty),
            ("no place for the script", "bash -x", ShellError::NoScript { shell: shell("bash -x") }),
            ("an open quote", "bash '{0}", ShellError::Unterminated { shell: shell("bash '{0}") }),
            ("an open double quote", "a\" {0}", ShellError::Unterminated { shell: shell("a\" {0}") }),
            (
                "nothing behind the backslash",
                "a {0} \\",
                ShellError::Unterminated { shell: shell("a {0} \\") },
            ),
        ];
        for (name, text, want) in cases {
            assert_eq!(shell_argv(Some(text)), Err(want), "{name}");
        }
    }

    proptest! {
        #[test]
        fn quoted_words_come_back(words in proptest::collection::vec(".*", 1..5)) {
            let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
            prop_assert_eq!(split(&quoted.join(" ")), Some(words));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = shell_argv(Some(&text));
        }
    }
}
