//! A value that nobody sees by accident.

use std::fmt;

use zeroize::Zeroizing;

/// A shorter value cannot be masked: it would stand in half of all words.
pub const SHORTEST_CHARS: usize = 4;

/// A longer value is not one: Linux gives no process a variable of more than 128 KiB, and every form of a value is
/// looked for in all that a step writes.
pub const LARGEST_BYTES: usize = 32 << 10;

/// Why a value cannot be a secret. It is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// It has hardly a character.
    #[error(
        "it has fewer than {SHORTEST_CHARS} characters beside white space at its ends: masking it would mask half of all words"
    )]
    Short,
    /// It has too many.
    #[error("it has {bytes} bytes, the limit is {LARGEST_BYTES}")]
    Long {
        /// How many.
        bytes: usize,
    },
    /// It has a zero byte.
    #[error("it has a NUL byte, which no environment variable can hold")]
    Nul,
}

/// What a secret is. `Debug` does not show it, and this memory of it is wiped when it is dropped. What is made of it, for
/// a step's environment and to mask it, is not.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<String>);

impl SecretValue {
    /// `text` as the value of a secret.
    ///
    /// # Errors
    ///
    /// [`BadSecret`] for what could not be masked, or not be given to a step.
    pub fn new(text: String) -> Result<Self, BadSecret> {
        let text = Zeroizing::new(text);
        if text.trim().chars().filter(|c| !matches!(c, '\r' | '\n')).count() < SHORTEST_CHARS {
            return Err(BadSecret::Short);
        }
        if text.len() > LARGEST_BYTES {
            return Err(BadSecret::Long { bytes: text.len() });
        }
        if text.contains('\0') {
            return Err(BadSecret::Nul);
        }
        Ok(Self(text))
    }

    /// The value itself, for the process that it is meant for.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_secret() {
        let long = "x".repeat(LARGEST_BYTES + 1);
        let cases = [
            ("empty", "", Some(BadSecret::Short)),
            ("three", "abc", Some(BadSecret::Short)),
            ("three and blanks", "  abc\n", Some(BadSecret::Short)),
            ("three on two lines", "a\n\nbc", Some(BadSecret::Short)),
            ("two that take four bytes", "äö", Some(BadSecret::Short)),
            ("four", "abcd", None),
            ("as long as may be", &long[1..], None),
            ("too long", &long, Some(BadSecret::Long { bytes: LARGEST_BYTES + 1 })),
            ("a NUL", "abcd\0", Some(BadSecret::Nul)),
        ];
        for (name, text, want) in cases {
            assert_eq!(SecretValue::new(text.to_owned()).err(), want, "{name}");
        }
    }

    #[test]
    fn it_is_not_shown() {
        let value = SecretValue::new("hunter22".to_owned()).unwrap();
        assert_eq!(format!("{value:?}"), "***");
    }
}
