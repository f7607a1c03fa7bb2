//! The store as [`Access`].
//!
//! A name is given once among the tokens in force, with one exception: a registration token may bear the name of
//! an agent. It is made to replace that agent's token, and does so when it is used.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use tako_engine::port::{Access, Grant, JournalError, Role, TokenHash};

use crate::SqliteStore;
use crate::failure::{During, check_length};
use crate::stamp::Stamp;

/// Most bytes of a name.
const NAME_LIMIT_BYTES: usize = 1 << 10;

const READ: &str = "read the tokens";
const WRITE: &str = "write a token";

const FIND: &str = "SELECT name, role, created_at FROM tokens WHERE hash = ?1 AND withdrawn_at IS NULL";

const NAMED: &str = "SELECT name, role, created_at FROM tokens WHERE name = ?1 AND withdrawn_at IS NULL";

const IS_KNOWN: &str = "SELECT EXISTS (SELECT 1 FROM tokens WHERE hash = ?1)";

const INSERT: &str = "INSERT INTO tokens (name, role, hash, created_at) VALUES (?1, ?2, ?3, ?4)";

const WITHDRAW: &str = "UPDATE tokens SET withdrawn_at = ?2 WHERE name = ?1 AND withdrawn_at IS NULL \
     AND (?3 IS NULL OR role = ?3)";

const ALL: &str = "SELECT name, role, created_at FROM tokens WHERE withdrawn_at IS NULL ORDER BY id";

/// All of them but the one that reads everything.
#[cfg(test)]
pub(crate) const STATEMENTS: [&str; 5] = [FIND, NAMED, IS_KNOWN, INSERT, WITHDRAW];

/// A registration token may bear the name of an agent that is in force; withdrawing that name withdraws both.
/// A token that was in force once, and is not any more, is never granted again.
#[async_trait]
impl Access for SqliteStore {
    async fn grant(&self, grant: &Grant, hash: &TokenHash) -> Result<(), JournalError> {
        check_name(&grant.name)?;
        let (grant, hash) = (grant.clone(), *hash);
        self.writer.write(move |connection, _| add(connection, &grant, &hash)).await
    }

    async fn find(&self, hash: &TokenHash) -> Result<Option<Grant>, JournalError> {
        let hash = *hash;
        self.readers.read(move |connection| find(connection, &hash)).await
    }

    async fn register(
        &self,
        registration: &TokenHash,
        agent: &Grant,
        hash: &TokenHash,
    ) -> Result<bool, JournalError> {
        check_name(&agent.name)?;
        if agent.role != Role::Agent {
            return Err(refused("only an agent can be registered"));
        }
        let now = self.clock.now().into();
        let (registration, agent, hash) = (*registration, agent.clone(), *hash);
        self.writer.write(move |connection, _| register(connection, &registration, &agent, &hash, now)).await
    }

    async fn grants(&self) -> Result<Vec<Grant>, JournalError> {
        self.readers
            .read(|connection| {
                let rows: Vec<GrantRow> = connection
                    .prepare_cached(ALL)
                    .and_then(|mut statement| statement.query_map([], GrantRow::get)?.collect())
                    .during(READ)?;
                rows.into_iter().map(GrantRow::parse).collect()
            })
            .await
    }

    async fn withdraw(&self, name: &str) -> Result<bool, JournalError> {
        let (name, now) = (name.to_owned(), self.clock.now().into());
        self.writer.write(move |connection, _| withdraw(connection, &name, None, now)).await
    }
}

fn check_name(name: &str) -> Result<(), JournalError> {
    if name.is_empty() {
        return Err(refused("a token needs a name"));
    }
    check_length("the name of a token", name.len(), NAME_LIMIT_BYTES)
}

fn find(connection: &Connection, hash: &TokenHash) -> Result<Option<Grant>, JournalError> {
    let row = connection
        .prepare_cached(FIND)
        .and_then(|mut statement| statement.query_row([hash], GrantRow::get).optional())
        .during(READ)?;
    row.map(GrantRow::parse).transpose()
}

fn register(
    connection: &Connection,
    registration: &TokenHash,
    agent: &Grant,
    hash: &TokenHash,
    now: Stamp,
) -> Result<bool, JournalError> {
    let found = find(connection, registration)?;
    let Some(registration) = found.filter(|grant| grant.role == Role::Registration) else {
        return Ok(false);
    };
    withdraw(connection, &registration.name, Some(Role::Registration), now)?;
    if registration.name == agent.name {
        withdraw(connection, &agent.name, Some(Role::Agent), now)?;
    }
    add(connection, agent, hash)?;
    Ok(true)
}

fn add(connection: &Connection, grant: &Grant, hash: &TokenHash) -> Result<(), JournalError> {
    let named: Vec<GrantRow> = connection
        .prepare_cached(NAMED)
        .and_then(|mut statement| statement.query_map([&grant.name], GrantRow::get)?.collect())
        .during(WRITE)?;
    for other in named {
        let other = other.parse()?;
        let may_share = matches!(
            (other.role, grant.role),
            (Role::Agent, Role::Registration) | (Role::Registration, Role::Agent)
        );
        if !may_share {
            return Err(refused(&format!("the name `{}` is taken by another token", grant.name)));
        }
    }
    let is_known: bool = connection
        .prepare_cached(IS_KNOWN)
        .and_then(|mut statement| statement.query_row([hash], |row| row.get(0)))
        .during(WRITE)?;
    if is_known {
        return Err(refused("this token was given before"));
    }
    connection
        .prepare_cached(INSERT)
        .and_then(|mut statement| {
            let created_at = Stamp::from(grant.created_at);
            statement.execute(params![grant.name, role_name(grant.role), hash, created_at])
        })
        .map(drop)
        .during(WRITE)
}

/// Takes what has this name, or what of it has this role, out of force.
fn withdraw(
    connection: &Connection,
    name: &str,
    role: Option<Role>,
    now: Stamp,
) -> Result<bool, JournalError> {
    connection
        .prepare_cached(WITHDRAW)
        .and_then(|mut statement| statement.execute(params![name, now, role.map(role_name)]))
        .map(|withdrawn| withdrawn > 0)
        .during(WRITE)
}

/// A row of `tokens`.
struct GrantRow {
    name: String,
    role: String,
    created_at: Stamp,
}

impl GrantRow {
    fn get(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { name: row.get(0)?, role: row.get(1)?, created_at: row.get(2)? })
    }

    fn parse(self) -> Result<Grant, JournalError> {
        let role = serde_json::from_value(Value::String(self.role)).during(READ)?;
        Ok(Grant { name: self.name, role, created_at: self.created_at.0 })
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Read => "read",
        Role::Trigger => "trigger",
        Role::Admin => "admin",
        Role::Registration => "registration",
        Role::Agent => "agent",
    }
}

fn refused(reason: &str) -> JournalError {
    JournalError::Refused { reason: reason.to_owned() }
}
