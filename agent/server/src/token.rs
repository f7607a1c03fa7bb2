//! Tokens: how they are made, and what is kept of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tako_engine::port::TokenHash;

/// In front of every token, so that people and secret scanners recognise one.
const PREFIX: &str = "tako_";

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The operating system has no random numbers.
    #[error("cannot get random numbers for a token from the operating system")]
    Random(#[source] getrandom::Error),
}

/// A new token, and what is kept of it.
///
/// # Errors
///
/// When the operating system has no random numbers.
pub fn new_token() -> Result<(String, TokenHash), TokenError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(TokenError::Random)?;
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
    let hash = hash(&token);
    Ok((token, hash))
}

/// What is kept of `token`.
#[must_use]
pub fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_tokens_are_the_same_and_each_shows_what_it_is() {
        let (one, kept) = new_token().unwrap();
        let (other, _) = new_token().unwrap();
        assert_ne!(one, other);
        assert_eq!(hash(&one), kept);
        assert!(one.starts_with(PREFIX));
        let random = &one[PREFIX.len()..];
        assert_eq!(random.len(), 43, "32 bytes");
        assert!(random.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{one}");
    }
}
