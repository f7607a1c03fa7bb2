//! How the run of a subscription begins: what the subscription makes of an event.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use tako_expr::template::{Context, Template};
use tako_schemas::diagnostic::{SourceFile, Text};
use tako_schemas::event::Event;
use tako_schemas::input::resolve_inputs;

use crate::check;
use crate::conclude;
use crate::context;
use crate::fault::{Fault, chain, placed};
use crate::loading;
use crate::port::{Candidate, Origin, RepoSource, StepRegistry};
use crate::ports::Settings;
use crate::submit::{Claims, claims};

/// How the run of a subscription begins.
#[derive(Default)]
pub(crate) struct Beginning {
    /// Its inputs, checked.
    pub(crate) inputs: IndexMap<String, String>,
    /// The commit that it must take.
    pub(crate) commit: Option<String>,
    /// What it claims of others.
    pub(crate) claims: Claims,
}

/// How the run of `candidate` begins for `event`.
///
/// # Errors
///
/// Why it cannot.
pub(crate) async fn begin(
    repos: &dyn RepoSource,
    steps: &Arc<dyn StepRegistry>,
    settings: &Settings,
    event: &Event,
    candidate: &Candidate,
) -> Result<Beginning, Fault> {
    let checkout = repos.open(&Origin::Set(candidate.repo.clone())).await?;
    let name = candidate.subscription.workflow.as_str();
    let (manifest, workflow) = loading::workflow(steps, &checkout, name).await?;
    if let Some(missing) = check::unsupported(&manifest, &workflow).iter().find(|missing| missing.is_error())
    {
        return Err(Fault::error(checkout.manifest.one_line(missing)));
    }
    let (event, mapping) = (event.clone(), candidate.subscription.inputs.clone());
    let commit = checkout.pinned.then(|| checkout.commit.clone());
    let given = tokio::task::spawn_blocking(move || mapped(&event, &mapping, &checkout.manifest))
        .await
        .map_err(|error| Fault::error(format!("mapping inputs: {error}")))??;
    // Undeclared inputs of a mapping are allowed: the workflow sees them, the linter warns.
    let (declared, extra): (IndexMap<_, _>, IndexMap<_, _>) =
        given.into_iter().partition(|(name, _)| workflow.inputs.contains_key(name));
    let mut inputs = resolve_inputs(&workflow.inputs, &declared).map_err(|errors| {
        let all: Vec<String> = errors.iter().map(|error| chain(error)).collect();
        Fault::failure(all.join("; "))
    })?;
    inputs.extend(extra);
    conclude::bounded("the inputs", inputs.values().map(String::len).sum())?;
    Ok(Beginning { inputs, commit, claims: claims(&workflow, &candidate.repo, settings) })
}

/// The inputs that a subscription makes of an event.
fn mapped(
    event: &Event,
    mapping: &IndexMap<String, Text>,
    file: &SourceFile,
) -> Result<IndexMap<String, String>, Fault> {
    let context = Context::new(Value::Object(context::of_mapping(event)));
    let render = |(name, text): (&String, &Text)| {
        let rendered = Template::compile(text.as_str()).and_then(|template| template.render(&context));
        let value = rendered.map_err(|error| {
            let place = placed(file, text, error.range.clone(), &error.message);
            Fault::failure(format!("input `{name}`: {place}"))
        })?;
        Ok((name.clone(), value))
    };
    mapping.iter().map(render).collect()
}
