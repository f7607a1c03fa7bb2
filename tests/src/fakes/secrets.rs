//! Secrets of whose names everybody can tell the values.

use async_trait::async_trait;
use tako_engine::port::{SecretError, SecretSource};
use tako_engine::secrets::{Secret, SecretValue};

/// Has every secret: that of `TOKEN` is `value of TOKEN`.
#[derive(Debug)]
pub struct FakeSecrets;

#[async_trait]
impl SecretSource for FakeSecrets {
    async fn get(&self, names: &[String]) -> Result<Vec<Secret>, SecretError> {
        let secret = |name: &String| {
            let value = SecretValue::new(format!("value of {name}"))
                .map_err(|source| SecretError::Unusable { name: name.clone(), source })?;
            Ok(Secret { name: name.clone(), value })
        };
        names.iter().map(secret).collect()
    }
}
