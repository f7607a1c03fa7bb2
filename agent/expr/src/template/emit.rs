//! Translates the tree into minijinja source in one canonical form.
//!
//! A field access becomes a call of `get` (or `opt`, where it may be missing) that knows its path; everything
//! else becomes a call of a registered function, so that minijinja's own operators, filters and truth play no
//! part. Every action stands on a line of its own, by which errors find their way back to the source.

use std::fmt::Write as _;
use std::ops::Range;

use super::ast::{Base, Expr, ExprKind, Node};
use super::error::{TemplateError, TemplateErrorKind};
use super::function::{Function, Yields};
use super::lookup::Root;
use super::name;
use super::reference::{Reference, Use};
use crate::suggest;

/// minijinja source, and what is known about it.
#[derive(Debug)]
pub(crate) struct Emitted {
    pub(crate) source: String,
    /// The action on each line, counted from line 2.
    pub(crate) lines: Vec<Range<usize>>,
    pub(crate) references: Vec<Reference>,
}

/// Translates `nodes`, which were parsed from `source`.
pub(crate) fn emit(source: &str, nodes: &[Node]) -> Result<Emitted, TemplateError> {
    let mut emitter = Emitter {
        source,
        out: String::with_capacity(source.len() * 2),
        lines: Vec::new(),
        references: Vec::new(),
        variables: Vec::new(),
        dot: Binding { code: Root::NAME.to_owned(), origin: Some(Vec::new()), assignable: false },
        names: 0,
    };
    emitter.out.push_str("{% set vars = namespace() %}");
    emitter.nodes(nodes)?;
    Ok(Emitted { source: emitter.out, lines: emitter.lines, references: emitter.references })
}

/// What a variable or the dot stands for.
#[derive(Clone, Debug)]
struct Binding {
    /// The variable of the emitted source.
    code: String,
    /// The path it was read from, if it is no more than that; `*` stands for any element.
    origin: Option<Vec<String>>,
    assignable: bool,
}

/// How the value of an expression is used.
#[derive(Clone, Copy)]
struct Flow {
    lenient: bool,
    usage: Use,
    /// Whether a function makes another text of it that keeps no quotes.
    altered: bool,
}

const PRINTED: Flow = Flow { lenient: false, usage: Use::Output, altered: false };
const CONDITION: Flow = Flow { lenient: true, usage: Use::Tested, altered: false };

struct Emitter<'s> {
    source: &'s str,
    out: String,
    lines: Vec<Range<usize>>,
    references: Vec<Reference>,
    variables: Vec<(String, Binding)>,
    dot: Binding,
    names: usize,
}

type Emission = Result<(), TemplateError>;

impl Emitter<'_> {
    fn nodes(&mut self, nodes: &[Node]) -> Emission {
        nodes.iter().try_for_each(|node| self.node(node))
    }

    /// A body with variables of its own.
    fn scope(&mut self, nodes: &[Node]) -> Emission {
        let variables = self.variables.len();
        self.nodes(nodes)?;
        self.variables.truncate(variables);
        Ok(())
    }

    /// Begins a tag on a line that belongs to `range`.
    fn tag(&mut self, open: &str, range: &Range<usize>) {
        self.out.push_str(open);
        self.out.push('\n');
        self.lines.push(range.clone());
    }

    fn node(&mut self, node: &Node) -> Emission {
        match node {
            Node::Text(range) => {
                self.out.push_str("{{ ");
                let text = &self.source[range.clone()];
                self.string(text);
                self.out.push_str(" }}");
            }
            Node::Print(value) => {
                self.tag("{{", &value.range);
                self.expr(value, PRINTED)?;
                self.out.push_str(" }}");
            }
            Node::Set { name, declares, value, range } => self.set(name, *declares, value, range)?,
            Node::If { arms, otherwise } => {
                for (at, (condition, body)) in arms.iter().enumerate() {
                    self.tag(if at == 0 { "{% if" } else { "{% elif" }, &condition.range);
                    self.truth(condition, CONDITION)?;
                    self.out.push_str(" %}");
                    self.scope(body)?;
                }
                self.out.push_str("{% else %}");
                self.scope(otherwise)?;
                self.out.push_str("{% endif %}");
            }
            Node::With { variable, value, body, otherwise } => {
                let code = self.fresh("with");
                self.tag(&format!("{{% set {code} ="), &value.range);
                self.expr(value, Flow { usage: bound(value), ..CONDITION })?;
                _ = write!(self.out, " %}}{{% if truthy({code}) %}}");
                let binding = Binding { code, origin: self.origin(value), assignable: false };
                let outer = self.variables.len();
                self.variables.extend(variable.iter().map(|name| (name.clone(), binding.clone())));
                self.rebound(binding, body)?;
                self.variables.truncate(outer);
                self.out.push_str("{% else %}");
                self.scope(otherwise)?;
                self.out.push_str("{% endif %}");
            }
            Node::Range { variables, value, body, otherwise } => {
                let (key, item) = (self.fresh("key"), self.fresh("item"));
                self.tag(&format!("{{% for {key}, {item} in pairs("), &value.range);
                self.expr(value, Flow { usage: bound(value), ..PRINTED })?;
                self.out.push_str(") %}");
                let mut origin = self.origin(value);
                if let Some(path) = &mut origin {
                    path.push("*".to_owned());
                }
                let item = Binding { code: item, origin, assignable: false };
                let key = Binding { code: key, origin: None, assignable: false };
                let outer = self.variables.len();
                // One variable is the element, two are index and element, as in Go.
                let bindings =
                    if variables.len() == 1 { vec![item.clone()] } else { vec![key, item.clone()] };
                self.variables.extend(variables.iter().cloned().zip(bindings));
                self.rebound(item, body)?;
                self.variables.truncate(outer);
                self.out.push_str("{% else %}");
                self.scope(otherwise)?;
                self.out.push_str("{% endfor %}");
            }
        }
        Ok(())
    }

    /// A body inside which the dot stands for something else.
    fn rebound(&mut self, dot: Binding, body: &[Node]) -> Emission {
        let outer = std::mem::replace(&mut self.dot, dot);
        self.scope(body)?;
        self.dot = outer;
        Ok(())
    }

    fn set(&mut self, name: &str, declares: bool, value: &Expr, range: &Range<usize>) -> Emission {
        let code = if declares {
            format!("vars.{}", self.fresh("v"))
        } else {
            let binding = self.variable(name, range)?;
            if !binding.assignable {
                return Err(TemplateError::syntax(
                    range.clone(),
                    format!("`${name}` of a block cannot be set"),
                ));
            }
            let code = binding.code.clone();
            // Set in one of several branches, it may now come from more than one place.
            if let Some((_, binding)) = self.variables.iter_mut().rev().find(|(known, _)| known == name) {
                binding.origin = None;
            }
            code
        };
        self.tag(&format!("{{% set {code} ="), &value.range);
        let usage = if declares { bound(value) } else { Use::Output };
        self.expr(value, Flow { usage, ..PRINTED })?;
        self.out.push_str(" %}");
        if declares {
            let origin = self.origin(value);
            self.variables.push((name.to_owned(), Binding { code, origin, assignable: true }));
        }
        Ok(())
    }

    fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn variable(&self, name: &str, range: &Range<usize>) -> Result<&Binding, TemplateError> {
        let found = self.variables.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, binding)| binding).ok_or_else(|| {
            let known = self.variables.iter().map(|(known, _)| known.as_str());
            let hint = match suggest::closest(name, known) {
                Some(known) => format!("did you mean `${known}`?"),
                None => format!("declare it first: `{{{{ ${name} := … }}}}`"),
            };
            TemplateError::new(
                TemplateErrorKind::UnknownName,
                range.clone(),
                format!("unknown variable `${name}`"),
            )
            .with_hint(hint)
        })
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                _ => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    fn expr(&mut self, expr: &Expr, flow: Flow) -> Emission {
        match &expr.kind {
            ExprKind::Null => self.out.push_str("none"),
            ExprKind::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            ExprKind::Int(value) => _ = write!(self.out, "({value})"),
            ExprKind::Float(value) => {
                self.out.push_str("to_float(");
                self.string(&value.to_string());
                self.out.push(')');
            }
            ExprKind::Str(value) => self.string(value),
            ExprKind::Path(base, path) => self.path(base, path, &expr.range, flow)?,
            ExprKind::Call(function, args) => self.call(function, args, flow)?,
            ExprKind::And(terms) => self.infix(terms, " and ", flow)?,
            ExprKind::Or(terms) => self.infix(terms, " or ", flow)?,
            ExprKind::Not(term) => {
                self.out.push_str("(not ");
                self.truth(term, Flow { usage: Use::Tested, ..flow })?;
                self.out.push(')');
            }
            ExprKind::Choice(three) => {
                let [condition, yes, no] = three.as_ref();
                self.out.push('(');
                self.expr(yes, flow)?;
                self.out.push_str(" if ");
                self.truth(condition, CONDITION)?;
                self.out.push_str(" else ");
                self.expr(no, flow)?;
                self.out.push(')');
            }
        }
        Ok(())
    }

    /// An expression as a boolean.
    fn truth(&mut self, expr: &Expr, flow: Flow) -> Emission {
        self.out.push_str("truthy(");
        self.expr(expr, flow)?;
        self.out.push(')');
        Ok(())
    }

    fn infix(&mut self, terms: &[Expr], operator: &str, flow: Flow) -> Emission {
        self.out.push('(');
        for (at, term) in terms.iter().enumerate() {
            if at > 0 {
                self.out.push_str(operator);
            }
            self.truth(term, Flow { usage: Use::Tested, ..flow })?;
        }
        self.out.push(')');
        Ok(())
    }

    fn call(&mut self, function: &Function, args: &[Expr], flow: Flow) -> Emission {
        let usage = match (function.yields, flow.usage) {
            (Yields::Test, _) | (_, Use::Tested) => Use::Tested,
            // What is quoted last is quoted, whatever was done to it before.
            (_, Use::Quoted) => Use::Quoted,
            (_, Use::Plain) => Use::Plain,
            // What is done to it afterwards may take the quotes away, or put something between them.
            (Yields::Quoted, Use::Output) if !flow.altered => Use::Quoted,
            (Yields::Plain, Use::Output) if !flow.altered => Use::Plain,
            _ => Use::Output,
        };
        let altered = flow.altered || (function.yields == Yields::Data && function.name != "default");
        let inner = Flow { lenient: flow.lenient || function.lenient, usage, altered };
        // The lenient variant of a function gives null where the strict one finds nothing.
        let variant = if flow.lenient { "_opt(" } else { "(" };
        _ = write!(self.out, "{}{variant}", function.name);
        for (at, arg) in args.iter().enumerate() {
            if at > 0 {
                self.out.push_str(", ");
            }
            self.expr(arg, inner)?;
        }
        self.out.push(')');
        Ok(())
    }

    fn path(&mut self, base: &Base, path: &[String], range: &Range<usize>, flow: Flow) -> Emission {
        let binding = match base {
            Base::Value(value) => {
                self.out.push_str(if flow.lenient { "opt(" } else { "get(" });
                self.expr(value, flow)?;
                self.segments(path);
                return Ok(());
            }
            Base::Root => {
                Binding { code: Root::NAME.to_owned(), origin: Some(Vec::new()), assignable: false }
            }
            Base::Dot => self.dot.clone(),
            Base::Variable(name) => self.variable(name, range)?.clone(),
        };
        let mut lenient = flow.lenient;
        let mut own = path.to_vec();
        if let Some(mut full) = joined(binding.origin.as_deref(), path) {
            own = full.split_off(binding.origin.as_ref().map_or(0, Vec::len));
            full.extend(own.iter().cloned());
            // A name that is not set is the empty text, as in a shell.
            lenient |= full.len() == 2 && full[0] == "env";
            self.references.push(Reference { path: full, range: range.clone(), lenient, usage: flow.usage });
        }
        if own.is_empty() && binding.code != Root::NAME {
            self.out.push_str(&binding.code);
            return Ok(());
        }
        _ = write!(self.out, "{}({}", if lenient { "opt" } else { "get" }, binding.code);
        self.segments(&own);
        Ok(())
    }

    fn segments(&mut self, path: &[String]) {
        for segment in path {
            self.out.push_str(", ");
            self.string(segment);
        }
        self.out.push(')');
    }

    /// The path an expression reads, if it does no more than that.
    fn origin(&self, expr: &Expr) -> Option<Vec<String>> {
        let ExprKind::Path(base, path) = &expr.kind else { return None };
        let start: &[String] = match base {
            Base::Root => &[],
            Base::Dot => self.dot.origin.as_deref()?,
            Base::Variable(name) => self.variable(name, &expr.range).ok()?.origin.as_deref()?,
            Base::Value(_) => return None,
        };
        joined(Some(start), path)
    }
}

/// What happens to a value at the moment it is bound: nothing, if its path goes on being known.
fn bound(value: &Expr) -> Use {
    match &value.kind {
        ExprKind::Path(Base::Value(_), _) => Use::Output,
        ExprKind::Path(..) => Use::Tested,
        _ => Use::Output,
    }
}

/// `origin` and `path` as one path in full form.
fn joined(origin: Option<&[String]>, path: &[String]) -> Option<Vec<String>> {
    let mut full = origin?.to_vec();
    full.extend_from_slice(path);
    name::canonical(&mut full);
    Some(full)
}
