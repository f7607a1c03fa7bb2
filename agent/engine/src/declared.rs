//! What a repository declares of its events, ready to check what is emitted.
//!
//! Schemas are read from where `tako.yml` was read, before a run begins, and never from a workspace: what a step does
//! there changes nothing about them.

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;
use tako_schemas::workflow::{EventDeclaration, Manifest};

use crate::fault::{Fault, chain};
use crate::payload::{PayloadSchema, PayloadSchemaError};
use crate::port::{Checkout, RepoError, RepoSource};

/// More schemas are not compiled for a run.
const MOST_SCHEMAS: usize = 100;
/// So many violations are told of one payload.
const TOLD: usize = 3;
/// So many versions are listed.
const LISTED: usize = 10;

/// The events that a repository declares, by short name.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct DeclaredEvents(IndexMap<String, DeclaredEvent>);

/// One of them. It serialises to what it means, whatever file that stands in.
#[derive(Clone, Debug, Serialize)]
struct DeclaredEvent {
    /// The JSON Schema.
    document: Option<Value>,
    /// The same, compiled.
    #[serde(skip)]
    schema: Option<PayloadSchema>,
    versions: Vec<String>,
    deprecated: Vec<String>,
}

/// A schema that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{place}: the schema of the event `{event}` cannot be used")]
pub struct DeclarationError {
    /// The event.
    pub event: String,
    /// Where it is declared, `tako.yml:3:5`.
    pub place: String,
    /// Why not.
    #[source]
    pub problem: SchemaProblem,
}

/// Why a schema cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaProblem {
    /// It is a path, and not of a JSON file.
    #[error("`{path}` is no `.json` file")]
    NotJson {
        /// As written.
        path: String,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Unreadable(RepoError),
    /// The file has something else in it.
    #[error("`{path}` is not JSON: {reason}")]
    Malformed {
        /// As written.
        path: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// It is refused.
    #[error("{}{problem}", path.as_ref().map(|path| format!("`{path}`: ")).unwrap_or_default())]
    Refused {
        /// As written; `None`: it stands in `tako.yml`.
        path: Option<String>,
        /// Why.
        problem: PayloadSchemaError,
    },
    /// There are too many before it.
    #[error("no more than {MOST_SCHEMAS} events of a repository may have one")]
    TooMany,
}

impl DeclarationError {
    /// What the reader can do about it, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match &self.problem {
            SchemaProblem::NotJson { .. } => {
                Some("name a file that ends in `.json`, or write the schema itself in its place".to_owned())
            }
            SchemaProblem::Unreadable(error) => error.hint(),
            SchemaProblem::Malformed { .. } => {
                Some("a schema file is one JSON value, without comments".to_owned())
            }
            SchemaProblem::Refused { problem, .. } => problem.hint(),
            SchemaProblem::TooMany => Some("leave the schemas of some events out".to_owned()),
        }
    }
}

impl From<DeclarationError> for Fault {
    fn from(error: DeclarationError) -> Self {
        let cause = chain(&error);
        match error.problem {
            SchemaProblem::Unreadable(problem) => Self { cause, ..Self::from(problem) },
            _ => Self::failure(cause),
        }
    }
}

impl DeclaredEvents {
    /// Reads the schemas of everything that `manifest` declares, from where it was itself read.
    ///
    /// # Errors
    ///
    /// The first schema that cannot be used.
    pub async fn read(
        repos: &dyn RepoSource,
        checkout: &Checkout,
        manifest: &Manifest,
    ) -> Result<Self, DeclarationError> {
        let mut events = IndexMap::new();
        let mut schemas = 0;
        for (name, declaration) in &manifest.events {
            let refused = |problem| {
                let at = checkout.manifest.position(declaration.span.start);
                let place = format!("{}:{}:{}", checkout.manifest.name(), at.line, at.column);
                DeclarationError { event: name.clone(), place, problem }
            };
            schemas += usize::from(declaration.schema.is_some());
            if schemas > MOST_SCHEMAS {
                return Err(refused(SchemaProblem::TooMany));
            }
            let (document, schema) = read(repos, checkout, declaration).await.map_err(refused)?.unzip();
            let EventDeclaration { versions, deprecated, .. } = declaration.clone();
            events.insert(name.clone(), DeclaredEvent { document, schema, versions, deprecated });
        }
        Ok(Self(events))
    }

    /// Whether nothing is declared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses an event that is not as it is declared; one that is not declared may be anything. May take a while.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in one line.
    pub fn check(&self, kind: &str, version: Option<&str>, payload: &Value) -> Result<(), String> {
        let Some(event) = self.0.get(kind) else { return Ok(()) };
        if let Some(version) = version
            && !event.versions.is_empty()
            && !event.versions.iter().chain(&event.deprecated).any(|known| known == version)
        {
            let known: Vec<String> = event.versions.iter().chain(&event.deprecated).cloned().collect();
            return Err(format!(
                "the event `{kind}` is declared with other versions than {version}: {}",
                beginning(known, LISTED, ", ")
            ));
        }
        let violations = event.schema.as_ref().map(|schema| schema.violations(payload)).unwrap_or_default();
        if violations.is_empty() {
            return Ok(());
        }
        let told = violations.iter().map(ToString::to_string).collect();
        Err(format!("the event `{kind}` does not fit its schema: {}", beginning(told, TOLD, "; ")))
    }
}

/// The schema of one event, as it stands and compiled; `None` where it has none.
async fn read(
    repos: &dyn RepoSource,
    checkout: &Checkout,
    declaration: &EventDeclaration,
) -> Result<Option<(Value, PayloadSchema)>, SchemaProblem> {
    let (path, document) = match &declaration.schema {
        None => return Ok(None),
        Some(Value::String(path)) => (Some(path.clone()), in_file(repos, checkout, path).await?),
        Some(inline) => (None, inline.clone()),
    };
    let work = move || (PayloadSchema::compile(&document), document);
    // Whatever becomes of the thread, the schema could not be read on it.
    let compiled = tokio::task::spawn_blocking(work).await;
    let (schema, document) = compiled.unwrap_or((Err(PayloadSchemaError::Exhausted), Value::Null));
    let schema = schema.map_err(|problem| SchemaProblem::Refused { path, problem })?;
    Ok(Some((document, schema)))
}

async fn in_file(repos: &dyn RepoSource, checkout: &Checkout, path: &str) -> Result<Value, SchemaProblem> {
    if !path.ends_with(".json") {
        return Err(SchemaProblem::NotJson { path: path.to_owned() });
    }
    let bytes = repos.file(checkout, path).await.map_err(SchemaProblem::Unreadable)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| SchemaProblem::Malformed { path: path.to_owned(), reason: error.to_string() })
}

/// The first of `items`.
fn beginning(mut items: Vec<String>, most: usize, separator: &str) -> String {
    if items.len() > most {
        items.truncate(most);
        items.push("and more".to_owned());
    }
    items.join(separator)
}

#[cfg(test)]
mod tests;
