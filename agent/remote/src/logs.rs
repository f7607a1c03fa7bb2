//! The server's logs, for whoever reads them.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tako_engine::port::{JournalError, LogName, Logs};
use tako_engine::wire::LogLength;

use crate::answer::Expected;
use crate::client::{Client, wait_ms};
use crate::error::ClientError;

/// The logs of a server. Trouble is told at once; what agents write goes through [`Shipper`](crate::Shipper).
#[derive(Clone, Debug)]
pub struct RemoteLogs {
    client: Client,
}

impl RemoteLogs {
    /// The logs of `client`'s server.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    fn about(log: &LogName, error: ClientError) -> JournalError {
        error.about(&log.run, 0)
    }
}

#[async_trait]
impl Logs for RemoteLogs {
    async fn append(&self, log: &LogName, offset: u64, bytes: Bytes) -> Result<u64, JournalError> {
        let Some(lease) = self.client.leases().attempt(&log.run) else {
            let reason = format!("logs of {} are written by whoever holds its lease", log.run);
            return Err(JournalError::Refused { reason });
        };
        let query = [("offset", offset.to_string()), ("lease", lease.to_string())];
        let attempt = log.attempt.to_string();
        let ask = self.client.put(&segments(log, &attempt), &query, bytes);
        let answer: Result<LogLength, _> = async { self.client.send(ask).await?.json().await }.await;
        answer.map(|answer| answer.length).map_err(|error| Self::about(log, error))
    }

    async fn read(
        &self,
        log: &LogName,
        offset: u64,
        limit_bytes: usize,
        wait: Duration,
    ) -> Result<Bytes, JournalError> {
        let wait_ms = wait_ms(wait);
        let (offset, limit) = (offset.to_string(), limit_bytes.to_string());
        let query = [("offset", offset), ("limit", limit), ("wait_ms", wait_ms.to_string())];
        let attempt = log.attempt.to_string();
        let ask = self.client.get(&segments(log, &attempt), &query).expects(Expected::Bytes);
        let ask = ask.limit(limit_bytes).waits(Duration::from_millis(wait_ms));
        match self.client.send(ask).await {
            Ok(answer) => Ok(answer.body),
            Err(error) if error.is_not_found() => Ok(Bytes::new()),
            Err(error) => Err(Self::about(log, error)),
        }
    }

    async fn length(&self, log: &LogName) -> Result<u64, JournalError> {
        let attempt = log.attempt.to_string();
        match self.client.send(self.client.head(&segments(log, &attempt))).await {
            Ok(answer) => Ok(answer.log_length()),
            Err(error) if error.is_not_found() => Ok(0),
            Err(error) => Err(Self::about(log, error)),
        }
    }
}

fn segments<'a>(log: &'a LogName, attempt: &'a str) -> [&'a str; 5] {
    ["runs", log.run.as_str(), "logs", log.step.as_str(), attempt]
}
