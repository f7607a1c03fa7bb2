//! Templates: text with `{{ }}` in it.
//!
//! Two spellings mean the same, the dot dialect `{{ .inputs.version-bump | shell_quote }}` and minijinja's
//! `{{ inputs["version-bump"] | shell_quote }}`. Both are parsed here, checked, and handed to minijinja in one
//! canonical form. A template is rendered once: values that contain `{{` stay text.

mod ast;
mod block;
mod call;
mod context;
mod emit;
mod engine;
mod error;
mod function;
mod lookup;
mod name;
mod parse;
mod reference;
mod segment;
mod token;
mod writer;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::{Arc, LazyLock};

pub use context::Context;
pub use error::{TemplateError, TemplateErrorKind};
pub use reference::{Reference, Use};

pub(crate) use ast::{Base as ConditionBase, Expr as ConditionExpr, ExprKind as ConditionKind};
pub(crate) use name::canonical as canonical_path;

use crate::cache::SourceCache;
use emit::Emitted;
use engine::{Engine, Failed};

/// Largest source of a template, in bytes.
pub const MAX_SOURCE: usize = 1 << 20;
/// Largest output of a template, in bytes.
pub const MAX_OUTPUT: usize = 1 << 20;
/// Bytes of source whose compiled form is kept.
const CACHE_BYTES: usize = 100 << 20;
/// What a compiled template holds besides, roughly.
const CACHE_OVERHEAD: usize = 8 << 10;

static CACHE: LazyLock<SourceCache<Template>> =
    LazyLock::new(|| SourceCache::new(CACHE_BYTES, CACHE_OVERHEAD));

/// A compiled template; cheap to clone.
#[derive(Clone, Debug)]
pub struct Template(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    source: String,
    /// Nothing when the template is its own output.
    engine: Option<Engine>,
    lines: Vec<Range<usize>>,
    references: Vec<Reference>,
}

impl Template {
    /// Compiles `source`, or finds it in the cache.
    ///
    /// # Errors
    ///
    /// Syntax that does not parse, unknown functions, wrong numbers of arguments, unknown variables, and sources
    /// that are too large or nested too deep. Names of the context are checked by [`Self::unknown_roots`].
    pub fn compile(source: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_SOURCE {
            let message = format!("the template is larger than {MAX_SOURCE} bytes");
            return Err(TemplateError::limit(0..0, message));
        }
        if let Some(template) = CACHE.get(source) {
            return Ok(template);
        }
        let template = Self(Arc::new(Compiled::new(source)?));
        if !template.is_literal() {
            CACHE.insert(source, template.clone());
        }
        Ok(template)
    }

    /// Whether the output is the source, whatever the context.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.0.engine.is_none()
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The fields that the template names, in the order of the source.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        &self.0.references
    }

    /// Names that are not available where the template stands, which has `allowed`: `inputs`, `steps`, …; and fields
    /// that `event` and `run` do not have.
    #[must_use]
    pub fn unknown_roots(&self, allowed: &[&str]) -> Vec<TemplateError> {
        let check = |reference: &Reference| reference.check_root(&self.0.source, allowed).err();
        self.0.references.iter().filter_map(check).collect()
    }

    /// The text of the template for `context`.
    ///
    /// # Errors
    ///
    /// A field that does not exist, a function that refuses its arguments, or a bound that is exceeded.
    pub fn render(&self, context: &Context) -> Result<String, TemplateError> {
        match &self.0.engine {
            None => Ok(self.0.source.clone()),
            Some(engine) => engine.render(context.shared()).map_err(|failed| self.0.explain(failed)),
        }
    }
}

impl Compiled {
    fn new(source: &str) -> Result<Self, TemplateError> {
        let source = source.to_owned();
        if !source.contains("{{") {
            return Ok(Self { source, engine: None, lines: Vec::new(), references: Vec::new() });
        }
        let nodes = block::parse(&source)?;
        let Emitted { source: emitted, lines, references } = emit::emit(&source, &nodes)?;
        let mut compiled = Self { source, engine: None, lines, references };
        let engine = Engine::compile(emitted).map_err(|failed| compiled.explain(failed))?;
        compiled.engine = Some(engine);
        Ok(compiled)
    }

    /// Finds the place in our source that a failure belongs to.
    fn explain(&self, failed: Failed) -> TemplateError {
        let Failed { mut failure, line } = failed;
        let action = line.and_then(|line| self.lines.get(line.checked_sub(2)?));
        let mut range = action.cloned().unwrap_or(0..self.source.len());
        if !failure.path.is_empty() {
            let inside = |reference: &&Reference| {
                range.start <= reference.range.start && reference.range.end <= range.end
            };
            let culprit = self.references.iter().filter(inside).find(|r| r.path.ends_with(&failure.path));
            if let Some(reference) = culprit {
                range = reference.range.clone();
                failure.message = format!("`{}` does not exist", reference.dotted());
                if reference.path != failure.path && name::root(&failure.path[0]).is_some() {
                    let name = failure.path.join(".");
                    failure.hint =
                        Some(format!("inside the block the dot is another value; write `$.{name}`"));
                }
            }
        }
        TemplateError::new(failure.kind, range, failure.message).with_hint_if(failure.hint)
    }
}

/// One expression of the dialect, for conditions, which share it.
pub(crate) fn parse_condition(source: &str) -> Option<ConditionExpr> {
    let tokens = token::tokenize(source, 0..source.len()).ok()?;
    parse::Parser::new(&tokens, source.len()).only_expr().ok()
}

/// Whether templates have a function of that name.
pub(crate) fn is_template_function(name: &str) -> bool {
    function::find(name).is_some()
}
