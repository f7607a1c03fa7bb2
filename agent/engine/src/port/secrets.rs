//! Where the values of secrets come from.

use async_trait::async_trait;

use crate::secrets::{BadSecret, Secret};

/// What an operator keeps secrets in. Who may have which is decided before it is asked.
#[async_trait]
pub trait SecretSource: Send + Sync {
    /// The secrets of these names, in the same order.
    ///
    /// # Errors
    ///
    /// [`SecretError`] for the first that cannot be had.
    async fn get(&self, names: &[String]) -> Result<Vec<Secret>, SecretError>;
}

/// Why a secret cannot be had. Never says anything of its value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is none of that name.
    #[error("the secret `{name}` has no value: it is neither {looked}")]
    Missing {
        /// Its name.
        name: String,
        /// Where it was looked for: `in the environment nor in the file /etc/tako/secrets`.
        looked: String,
    },
    /// Its value is none that could be kept secret.
    #[error("the secret `{name}` cannot be used")]
    Unusable {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: BadSecret,
    },
    /// Where it is kept cannot be read, or can be read by others.
    #[error("the secret `{name}` cannot be read: {reason}")]
    Unreadable {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
}
