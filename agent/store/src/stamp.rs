//! Points in time as the tables hold them.

use std::time::Duration;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// A time to compare with others: nanoseconds since 1970. Ends in 2262.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Nanos(i64);

impl From<OffsetDateTime> for Nanos {
    fn from(at: OffsetDateTime) -> Self {
        let nanos = at.unix_timestamp_nanos();
        Self(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
    }
}

impl From<Nanos> for OffsetDateTime {
    fn from(Nanos(nanos): Nanos) -> Self {
        Self::from_unix_timestamp_nanos(nanos.into()).unwrap_or(Self::UNIX_EPOCH)
    }
}

impl ToSql for Nanos {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for Nanos {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

/// A time to read: RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(pub(crate) OffsetDateTime);

impl From<OffsetDateTime> for Stamp {
    fn from(at: OffsetDateTime) -> Self {
        Self(at.to_offset(UtcOffset::UTC))
    }
}

impl ToSql for Stamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = self.0.format(&Rfc3339);
        text.map(ToSqlOutput::from).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
    }
}

impl FromSql for Stamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        OffsetDateTime::parse(value.as_str()?, &Rfc3339).map(Self).map_err(FromSqlError::other)
    }
}

/// `pause` after `at`, or the end of time.
pub(crate) fn after(at: OffsetDateTime, pause: Duration) -> OffsetDateTime {
    at.saturating_add(time::Duration::try_from(pause).unwrap_or(time::Duration::MAX))
}
