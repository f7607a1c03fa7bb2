//! Compiled filters and conditions.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cel_interpreter::common::ast::SourceInfo;
use cel_interpreter::parser::Parser;
use cel_interpreter::{Context, ExecutionError, IdedExpr, ParseErrors, Value};

use super::activation::Activation;
use super::analysis::{self, Analysis, Scope};
use super::dialect::{self, Translated};
use super::error::{CelError, Limit};
use super::lexer::{Lexeme, Lexemes};
use super::rewrite::{Facts, Reference, Rewriter};
use super::syntax::{self, Mistake};
use super::{functions, guard, lexer, meter, prefix, semver, worker};
use crate::cache::SourceCache;
use crate::template::is_template_function;

/// Where an expression stands, which decides what it sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A filter of a subscription.
    Filter,
    /// The `if` of a step.
    Condition,
}

impl Kind {
    /// The variables an expression of this kind sees.
    #[must_use]
    pub const fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Filter => &["event", "payload", "event_type", "schema_version", "source"],
            Self::Condition => &["inputs", "steps", "event", "env", "run"],
        }
    }
}

/// What an expression says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    True,
    /// It does not.
    False,
}

/// Bytes of source whose compiled form is kept, for each kind.
const CACHE_BYTES: usize = 16 << 20;
/// What a compiled expression holds besides, roughly.
const CACHE_OVERHEAD: usize = 4 << 10;
/// The interpreter stops itself at its deadline; one that does not is abandoned after this.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest text of a value in an explanation, in characters.
const SHOWN: usize = 80;

static FILTERS: LazyLock<SourceCache<Program>> =
    LazyLock::new(|| SourceCache::new(CACHE_BYTES, CACHE_OVERHEAD));
static CONDITIONS: LazyLock<SourceCache<Program>> =
    LazyLock::new(|| SourceCache::new(CACHE_BYTES, CACHE_OVERHEAD));

/// A compiled expression; cheap to clone.
#[derive(Clone)]
pub struct Program(Arc<Compiled>);

struct Compiled {
    source: String,
    kind: Kind,
    /// The CEL it was compiled from, for an analysis of it as it was written.
    translated: Translated,
    expression: IdedExpr,
    facts: Facts,
}

impl Program {
    /// Compiles `source`, or finds it in the cache.
    ///
    /// # Errors
    ///
    /// Syntax that does not parse, unknown variables and functions, and bounds on length, nesting and chains.
    pub fn compile(source: &str, kind: Kind) -> Result<Self, CelError> {
        let cache = match kind {
            Kind::Filter => &FILTERS,
            Kind::Condition => &CONDITIONS,
        };
        if let Some(program) = cache.get(source) {
            return Ok(program);
        }
        // The length first: nothing is done with a huge source, not even rewriting it.
        if source.len() > Limit::Length.bound() {
            return Err(CelError::over(Limit::Length));
        }
        let compiled = match kind {
            Kind::Filter => Compiled::parse(source, kind, Translated::verbatim(source))?,
            Kind::Condition => Compiled::condition(source)?,
        };
        let program = Self(Arc::new(compiled));
        cache.insert(source, program.clone());
        Ok(program)
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Whether the expression calls `failure()` or `always()`: then its step is asked even after a failure.
    #[must_use]
    pub fn calls_status(&self) -> bool {
        self.0.facts.calls_status
    }

    /// The fields that the expression names, each once, in the order of the source.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        &self.0.facts.references
    }

    /// Evaluates the expression. Blocks for at most the deadline; runs on a thread of its own.
    ///
    /// # Errors
    ///
    /// [`CelError::MissingField`] when the values lack a field, [`CelError::NotBoolean`], a limit, or an
    /// evaluation that makes no sense.
    pub fn evaluate(&self, activation: &Activation) -> Result<Verdict, CelError> {
        self.within_limits(activation)?;
        let (compiled, values) = (Arc::clone(&self.0), activation.clone());
        let (result, exceeded) = worker::run(PATIENCE, move || meter::metered(|| compiled.execute(&values)))?;
        if let Some(limit) = exceeded {
            return Err(CelError::over(limit));
        }
        match result.map_err(|error| self.explain(&error, activation))? {
            Value::Bool(true) => Ok(Verdict::True),
            Value::Bool(false) => Ok(Verdict::False),
            other => Err(CelError::NotBoolean { found: type_name(&other).to_owned() }),
        }
    }

    /// The values of the fields that the expression names, shortened; `missing` where there is none.
    #[must_use]
    pub fn seen(&self, activation: &Activation) -> Vec<(String, String)> {
        let shown = |reference: &Reference| {
            let value = match activation.at(&reference.path) {
                Ok(value) => shorten(&value.to_string()),
                Err(_) => "missing".to_owned(),
            };
            (reference.path.join("."), value)
        };
        self.0.facts.references.iter().map(shown).collect()
    }

    /// What can be said of the expression before it is evaluated, given the types of what it sees.
    ///
    /// # Errors
    ///
    /// [`CelError::Interpreter`] or [`Limit::Deadline`], should the parser fail on what it parsed before.
    pub fn analyse(&self, scope: &Scope) -> Result<Analysis, CelError> {
        let (compiled, scope) = (Arc::clone(&self.0), scope.clone());
        worker::run(PATIENCE, move || compiled.analyse(&scope))?
    }

    /// What can be refused before anything runs.
    fn within_limits(&self, activation: &Activation) -> Result<(), CelError> {
        let facts = &self.0.facts;
        let sees_payload =
            self.0.kind == Kind::Filter || facts.references.iter().any(|r| r.path[0] == "event");
        if sees_payload && activation.payload() > Limit::Payload.bound() {
            return Err(CelError::over(Limit::Payload));
        }
        if facts.loops == 0 {
            return Ok(());
        }
        // Only what the expression reads: how many variables there are beside that must not decide.
        let read = facts.references.iter().map(|reference| activation.largest(&reference.path)).max();
        match facts.largest.max(read.unwrap_or(0)).checked_pow(facts.loops) {
            Some(work) if work <= Limit::Work.bound() => Ok(()),
            _ => Err(CelError::over(Limit::Work)),
        }
    }

    fn explain(&self, error: &ExecutionError, activation: &Activation) -> CelError {
        let missing = match error {
            ExecutionError::NoSuchKey(key) => key.to_string(),
            ExecutionError::IndexOutOfBounds(index) => plain(index),
            _ => return CelError::Evaluation { message: message(error) },
        };
        // The error knows the last segment only; the expression knows the paths it is part of.
        let path = self.0.facts.references.iter().find_map(|reference| {
            let found = activation.at(&reference.path).err()?;
            (reference.path.get(found) == Some(&missing)).then(|| reference.path[..=found].join("."))
        });
        CelError::MissingField { path: path.unwrap_or(missing) }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.0.source).finish()
    }
}

/// Everything that is wrong with an expression that does not compile, of which `first` is known: of names that do not
/// exist all, not only the first.
#[must_use]
pub fn problems(source: &str, kind: Kind, first: CelError) -> Vec<CelError> {
    if !matches!(first, CelError::UnknownVariable { .. } | CelError::UnknownFunction { .. }) {
        return vec![first];
    }
    let own = source.to_owned();
    let all = worker::run(PATIENCE, move || Compiled::problems(&own, kind)).flatten();
    // What was read by another grammar has problems of another.
    match all {
        Ok(all) if all.contains(&first) => all,
        _ => vec![first],
    }
}

impl Compiled {
    /// A condition, in any of its spellings.
    fn condition(source: &str) -> Result<Self, CelError> {
        let compiled = Self::parse(source, Kind::Condition, dialect::translate(source));
        let other_grammar = match &compiled {
            Err(CelError::Syntax { .. } | CelError::UnknownFunction { .. }) => true,
            // `not .inputs.flag` reads as a field of `not`.
            Err(CelError::UnknownVariable { name, .. }) => is_template_function(name),
            _ => false,
        };
        if !other_grammar {
            return compiled;
        }
        let Some(cel) = prefix::to_cel(&source[dialect::unwrapped(source)]) else {
            return match only_in_templates(source) {
                Some((name, range, instead)) => {
                    let hint = format!("it is a function of templates; in a condition write `{instead}`");
                    Err(CelError::UnknownFunction { name: name.to_owned(), range, hint: Some(hint) })
                }
                None => compiled,
            };
        };
        Self::parse(source, Kind::Condition, Translated::whole(cel, source))
    }

    fn parse(source: &str, kind: Kind, translated: Translated) -> Result<Self, CelError> {
        guard::check(source, &translated.cel)?;
        let source = source.to_owned();
        worker::run(PATIENCE, move || Self::new(source, kind, translated))?
    }

    fn new(source: String, kind: Kind, translated: Translated) -> Result<Self, CelError> {
        let (mut expression, info) = parsed(&translated, kind)?;
        let locate = |id: u64| located(&info, id, &translated);
        let facts =
            Rewriter::new(kind, &locate).rewrite(&mut expression).map_err(|error| dashed(error, &source))?;
        Ok(Self { source, kind, translated, expression, facts })
    }

    /// See [`problems`].
    fn problems(source: &str, kind: Kind) -> Result<Vec<CelError>, CelError> {
        let translated = match kind {
            Kind::Condition => dialect::translate(source),
            Kind::Filter => Translated::verbatim(source),
        };
        let (mut expression, info) = parsed(&translated, kind)?;
        let locate = |id: u64| located(&info, id, &translated);
        let found = Rewriter::new(kind, &locate).problems(&mut expression);
        Ok(found.into_iter().map(|error| dashed(error, source)).collect())
    }

    fn analyse(&self, scope: &Scope) -> Result<Analysis, CelError> {
        let (expression, info) = parsed(&self.translated, self.kind)?;
        let locate = |id: u64| located(&info, id, &self.translated);
        Ok(analysis::analyse(&expression, scope, &locate))
    }

    fn execute(&self, activation: &Activation) -> Result<Value, ExecutionError> {
        semver::install(activation.semver());
        let environment =
            functions::environment().map_err(|error| ExecutionError::InternalError(error.to_string()))?;
        let mut context = Context::with_env(environment);
        context.set_variable_resolver(activation);
        Value::resolve(&self.expression, &context)
    }
}

fn parsed(translated: &Translated, kind: Kind) -> Result<(IdedExpr, SourceInfo), CelError> {
    let parser = Parser::new().max_recursion_depth(5000).enable_ident_escape_syntax(true);
    parser.parse_with_source_info(&translated.cel).map_err(|errors| mistake(&errors, kind, translated))
}

/// An unknown variable that is the rest of a name behind a dash: `step` of `steps.my-step`.
fn dashed(error: CelError, source: &str) -> CelError {
    let CelError::UnknownVariable { name, range, hint } = error else { return error };
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let before = source.get(..range.start).unwrap_or_default();
    let start = before.trim_end_matches(is_part).len();
    let hint = match before.ends_with('-') && before[start..].contains('.') {
        true => {
            let behind = source.get(range.end..).unwrap_or_default();
            let end = range.end + behind.len() - behind.trim_start_matches(is_part).len();
            let path = source[start..end].trim_start_matches('.');
            Some(format!("`-` subtracts here; with a dot in front it is part of a name: `.{path}`"))
        }
        false => hint,
    };
    CelError::UnknownVariable { name, range, hint }
}

/// Where a node stands in the source: all of what the parser marks by one token.
fn located(info: &SourceInfo, id: u64, translated: &Translated) -> Range<usize> {
    let Some((start, stop)) = info.offset_for(id) else { return 0..0 };
    translated.locate(&lexer::around(&translated.cel, start as usize..stop as usize + 1))
}

/// The first of the parser's errors.
fn mistake(errors: &ParseErrors, kind: Kind, translated: &Translated) -> CelError {
    let Some(first) = errors.errors.first() else { return CelError::Interpreter };
    let (line, column) = first.pos;
    let line_start = match usize::try_from(line - 1) {
        Ok(line) => translated.cel.split_inclusive('\n').take(line).map(str::len).sum(),
        Err(_) => 0,
    };
    let column = usize::try_from(column - 1).unwrap_or(0);
    let rest = &translated.cel[line_start..];
    let at = line_start + rest.char_indices().nth(column).map_or(rest.len(), |(byte, _)| byte);
    let said = first.msg.lines().next().unwrap_or_default();
    let Mistake { message, range, hint } = syntax::explain(kind, &translated.cel, at, said);
    CelError::Syntax { message, range: translated.locate(&range), hint }
}

/// The first function of templates in a condition that conditions do not have, called as templates call it, and what
/// they have instead.
fn only_in_templates(source: &str) -> Option<(&str, Range<usize>, &'static str)> {
    let mut before = None;
    for (lexeme, range) in Lexemes::new(source) {
        let is_call = lexeme == Lexeme::Name
            && before != Some(Lexeme::Dot)
            && !source[range.end..].trim_start().starts_with('(');
        let name = &source[range.clone()];
        if let Some(instead) = instead_of(name).filter(|_| is_call) {
            return Some((name, range, instead));
        }
        before = Some(lexeme);
    }
    None
}

/// What conditions have for a function of templates.
fn instead_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "to_int" => "int(x)",
        "to_float" => "double(x)",
        "to_bool" => "x == \"true\"",
        "to_string" | "printf" => "string(x)",
        "event_has_field" => "has(event.payload.x)",
        "event_field" => "event.payload.x",
        "first" => "list[0]",
        "last" => "list[size(list) - 1]",
        _ => return None,
    })
}

fn message(error: &ExecutionError) -> String {
    let text = match error {
        ExecutionError::FunctionError { message, .. } => message.clone(),
        ExecutionError::DivisionByZero(value) => format!("division by zero of {}", plain(value)),
        ExecutionError::RemainderByZero(value) => format!("remainder of {} by zero", plain(value)),
        ExecutionError::Overflow(operation, left, right) => {
            format!("overflow: {operation} {} and {}", plain(left), plain(right))
        }
        error => error.to_string(),
    };
    lower_first(&text.chars().take(300).collect::<String>())
}

/// Messages are fragments: they begin in lower case, unless with a quotation.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Int(int) => int.to_string(),
        Value::UInt(uint) => uint.to_string(),
        Value::String(text) => text.to_string(),
        other => format!("{other:?}"),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::String(_) => "a text",
        Value::Bool(_) => "a boolean",
        Value::Null => "null",
        _ => "another value",
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some(_) => text.chars().take(SHOWN - 1).chain(Some('…')).collect(),
    }
}
