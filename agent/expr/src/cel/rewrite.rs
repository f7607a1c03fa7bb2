//! Checks the names of a parsed expression and puts the meter into it.

use std::cell::RefCell;
use std::ops::Range;

use cel_interpreter::IdedExpr;
use cel_interpreter::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, operators};

use super::activation::STATUS;
use super::error::CelError;
use super::functions::{self, MACROS, STANDARD};
use super::program::Kind;
use super::{path, semver};
use crate::{foreign, suggest};

/// A field that an expression names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The path from a variable on.
    pub path: Vec<String>,
    /// Where it begins in the source, in bytes.
    pub range: Range<usize>,
}

/// What is known about an expression without evaluating it.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) references: Vec<Reference>,
    /// Whether it calls `failure()` or `always()`.
    pub(crate) calls_status: bool,
    /// Levels of nested loops.
    pub(crate) loops: u32,
    /// Elements of the largest list literal.
    pub(crate) largest: usize,
}

/// Walks an expression, checking and changing it.
pub(crate) struct Rewriter<'a> {
    kind: Kind,
    /// Where a node stands in the source.
    locate: &'a dyn Fn(u64) -> Range<usize>,
    /// Variables of the macros around.
    bound: Vec<String>,
    loops: u32,
    facts: Facts,
    /// Names that do not exist, where all of them are asked for.
    unknown: Option<RefCell<Vec<CelError>>>,
}

type Checked = Result<(), CelError>;

/// Names of types, which are values too.
const TYPES: [&str; 12] = [
    "int",
    "uint",
    "double",
    "bool",
    "string",
    "bytes",
    "list",
    "map",
    "null_type",
    "type",
    "dyn",
    "optional_type",
];

impl<'a> Rewriter<'a> {
    pub(crate) fn new(kind: Kind, locate: &'a dyn Fn(u64) -> Range<usize>) -> Self {
        Self { kind, locate, bound: Vec::new(), loops: 0, facts: Facts::default(), unknown: None }
    }

    /// Every name in the expression that does not exist, and what else is wrong with it.
    pub(crate) fn problems(mut self, root: &mut IdedExpr) -> Vec<CelError> {
        self.unknown = Some(RefCell::default());
        let other = self.expr(root).err();
        self.unknown.into_iter().flat_map(RefCell::into_inner).chain(other).collect()
    }

    /// A name that does not exist. Where all of them are asked for, the search goes on.
    fn unknown(&self, error: CelError) -> Checked {
        let Some(unknown) = &self.unknown else { return Err(error) };
        unknown.borrow_mut().push(error);
        Ok(())
    }

    /// Checks and changes the whole expression.
    pub(crate) fn rewrite(mut self, root: &mut IdedExpr) -> Result<Facts, CelError> {
        self.expr(root)?;
        Ok(self.facts)
    }

    fn expr(&mut self, node: &mut IdedExpr) -> Checked {
        if let Some(path) = self.path(node) {
            self.reference(node, path)?;
        }
        match &mut node.expr {
            Expr::Ident(name) => {
                let name = name.clone();
                self.variable(&name, node.id)
            }
            Expr::Select(select) => self.inside_path(&mut select.operand),
            Expr::Call(_) => self.call(node),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::List(list) => {
                self.facts.largest = self.facts.largest.max(list.elements.len());
                list.elements.iter_mut().try_for_each(|element| self.copied(element))
            }
            Expr::Map(map) => map.entries.iter_mut().try_for_each(|entry| match &mut entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.copied(&mut entry.key)?;
                    self.copied(&mut entry.value)
                }
                EntryExpr::StructField(field) => self.copied(&mut field.value),
            }),
            Expr::Struct(message) => {
                let range = (self.locate)(node.id);
                Err(CelError::UnknownFunction { name: message.type_name.clone(), range, hint: None })
            }
            Expr::Literal(_) | Expr::Unspecified => Ok(()),
        }
    }

    /// The rest of a path whose reference is recorded: only its start is checked.
    fn inside_path(&mut self, node: &mut IdedExpr) -> Checked {
        if self.path(node).is_some() {
            // Silently: the longest path is the one that was meant.
            let known = self.facts.references.len();
            self.expr(node)?;
            self.facts.references.truncate(known);
            return Ok(());
        }
        self.expr(node)
    }

    /// The path that a node spells, from a variable on: `a.b`, `a["b"]`, `a[0]`.
    fn path(&self, node: &IdedExpr) -> Option<Vec<String>> {
        let path = path::of(node)?;
        let name = path.first()?;
        (!self.bound.contains(name) && self.kind.variables().contains(&name.as_str())).then_some(path)
    }

    fn reference(&mut self, node: &mut IdedExpr, path: Vec<String>) -> Checked {
        let path = self.short_output(node, path);
        let (first, last) = ((self.locate)(start(node).id), (self.locate)(node.id));
        let range = first.start..last.end.max(first.end);
        let reference = Reference { path, range };
        if !self.facts.references.iter().any(|known| known.path == reference.path) {
            self.facts.references.push(reference);
        }
        Ok(())
    }

    /// `steps.build.version` is short for `steps.build.outputs.version`.
    fn short_output(&self, node: &mut IdedExpr, mut path: Vec<String>) -> Vec<String> {
        let short = self.kind == Kind::Condition
            && path.len() > 2
            && path[0] == "steps"
            && !["outputs", "result"].contains(&path[2].as_str());
        if short {
            let mut at = node;
            for _ in 3..path.len() {
                at = match below(at) {
                    Some(inner) => inner,
                    None => return path,
                };
            }
            if let Some(step) = below(at) {
                let operand = std::mem::take(step);
                let id = operand.id;
                let select = cel_interpreter::common::ast::SelectExpr {
                    operand: Box::new(operand),
                    field: "outputs".to_owned(),
                    test: false,
                };
                *step = IdedExpr { id, expr: Expr::Select(select) };
                path.insert(2, "outputs".to_owned());
            }
        }
        path
    }

    fn variable(&self, name: &str, id: u64) -> Checked {
        // An absolute name, `.a`, is the same here: there is no container.
        let plain = name.trim_start_matches('.');
        let known = name.starts_with('@')
            || self.bound.iter().any(|bound| bound == name)
            || self.kind.variables().contains(&plain)
            || TYPES.contains(&plain);
        if known {
            return Ok(());
        }
        let hint = self.hint(plain);
        self.unknown(CelError::UnknownVariable { name: plain.to_owned(), range: (self.locate)(id), hint })
    }

    /// What to write instead of an unknown variable.
    fn hint(&self, name: &str) -> Option<String> {
        let status = self.kind == Kind::Condition && STATUS.iter().any(|(status, _)| *status == name);
        if status {
            return Some(format!("`{name}` is a function: `{name}()`"));
        }
        if functions::strings().chain(STANDARD).any(|function| function == name) {
            return Some(format!("`{name}` is a function: `{name}(…)`"));
        }
        let variables = self.kind.variables();
        let literal = match name {
            "None" | "none" | "nil" | "NULL" | "Null" | "undefined" => Some("null"),
            "True" | "TRUE" | "yes" => Some("true"),
            "False" | "FALSE" | "no" => Some("false"),
            _ => None,
        };
        let near = || suggest::hint(name, variables);
        match (literal, foreign::path(&[name.to_owned()], variables), foreign::advice(name)) {
            (Some(literal), ..) => Some(format!("write `{literal}`")),
            (None, Some(path), _) => Some(format!("did you mean `{path}`?")),
            (None, None, Some(advice)) if name != "outputs" => Some(advice.to_owned()),
            _ => near(),
        }
    }

    fn call(&mut self, node: &mut IdedExpr) -> Checked {
        let id = node.id;
        let Expr::Call(call) = &mut node.expr else { return Ok(()) };
        let name = call.func_name.clone();
        if let Some(target) = &mut call.target {
            let namespace = matches!(&target.expr, Expr::Ident(ident) if ident == "semver" && !self.bound.contains(ident));
            if namespace {
                self.known(&format!("semver.{name}"), id)?;
                self.arity(&name, call.args.len(), id)?;
            } else {
                self.known(&name, id)?;
                self.count(&name, call.args.len() + 1, id)?;
                self.expr(target)?;
            }
        } else if let Some((_, variable)) = STATUS.iter().find(|(status, _)| *status == name) {
            self.known(&name, id)?;
            if !call.args.is_empty() {
                let message = format!("`{name}` takes no arguments");
                let hint = Some(format!("write `{name}()`"));
                return Err(CelError::Syntax { message, range: (self.locate)(id), hint });
            }
            self.facts.calls_status |= matches!(name.as_str(), "failure" | "always");
            node.expr = Expr::Ident((*variable).to_owned());
            return Ok(());
        } else if !is_operator(&name) {
            self.known(&name, id)?;
            self.count(&name, call.args.len(), id)?;
        }
        let index = name == operators::INDEX;
        for (at, arg) in call.args.iter_mut().enumerate() {
            if index && at == 0 { self.inside_path(arg)? } else { self.expr(arg)? }
        }
        if name == "matches" {
            call.func_name = "@matches".to_owned();
            if let Some(target) = call.target.take() {
                call.args.insert(0, *target);
            }
        } else if name == operators::ADD {
            call.func_name = "@add".to_owned();
        }
        Ok(())
    }

    fn arity(&self, name: &str, found: usize, id: u64) -> Checked {
        match semver::FUNCTIONS.iter().find(|(known, ..)| *known == name) {
            Some((_, want, _)) if *want != found => Err(CelError::Syntax {
                message: format!(
                    "`semver.{name}` takes {want} argument{}, not {found}",
                    if *want == 1 { "" } else { "s" }
                ),
                range: (self.locate)(id),
                hint: Some(match name {
                    "satisfies" => "write `semver.satisfies(version, '^1.2.0')`".to_owned(),
                    _ if *want == 1 => format!("write `semver.{name}(version)`"),
                    _ => format!("write `semver.{name}(a, b)`"),
                }),
            }),
            _ => Ok(()),
        }
    }

    /// Whether a function of texts takes so many arguments; `found` counts the text in front of the dot.
    fn count(&self, name: &str, found: usize, id: u64) -> Checked {
        let wanted = functions::arities(name);
        if wanted.is_empty() || wanted.contains(&found) {
            return Ok(());
        }
        let all: Vec<String> = wanted.iter().map(|want| (want - 1).to_string()).collect();
        let plural = if all == ["1"] { "" } else { "s" };
        Err(CelError::Syntax {
            message: format!(
                "`{name}` takes {} argument{plural} behind the text, not {}",
                all.join(" or "),
                found.saturating_sub(1)
            ),
            range: (self.locate)(id),
            hint: Some(format!("write `text.{name}({})`", vec!["…"; wanted[0] - 1].join(", "))),
        })
    }

    /// Whether a function of that name exists.
    fn known(&self, name: &str, id: u64) -> Checked {
        let semver: Vec<String> =
            semver::FUNCTIONS.iter().map(|(name, ..)| format!("semver.{name}")).collect();
        let mut names: Vec<&str> = STANDARD.to_vec();
        for function in functions::strings() {
            names.push(function);
        }
        names.push("dyn");
        names.extend(semver.iter().map(String::as_str));
        if self.kind == Kind::Condition {
            names.extend(STATUS.map(|(name, _)| name));
        }
        if names.contains(&name) {
            return Ok(());
        }
        let hint = if MACROS.contains(&name) {
            Some(match name {
                "has" => "write `has(a.b)`".to_owned(),
                _ => format!("write `list.{name}(x, …)`"),
            })
        } else if STATUS.iter().any(|(status, _)| *status == name) {
            Some("filters see events; how a run stands is for `if`".to_owned())
        } else {
            names.extend(MACROS);
            let status = match name {
                "failed" | "fails" => Some("failure"),
                "succeeded" | "passed" | "ok" => Some("success"),
                "canceled" | "aborted" => Some("cancelled"),
                _ => None,
            };
            let status = status.filter(|_| self.kind == Kind::Condition);
            status
                .or_else(|| suggest::closest(name, names.iter().copied()))
                .map(|name| format!("did you mean `{name}`?"))
        };
        self.unknown(CelError::UnknownFunction { name: name.to_owned(), range: (self.locate)(id), hint })
    }

    /// An expression whose value is copied into a list or map.
    fn copied(&mut self, node: &mut IdedExpr) -> Checked {
        self.expr(node)?;
        if !matches!(node.expr, Expr::Literal(_)) {
            wrap(node, "@copied");
        }
        Ok(())
    }

    fn comprehension(&mut self, comprehension: &mut ComprehensionExpr) -> Checked {
        self.expr(&mut comprehension.iter_range)?;
        self.expr(&mut comprehension.accu_init)?;
        let before = self.bound.len();
        self.bound.push(comprehension.iter_var.clone());
        self.bound.extend(comprehension.iter_var2.clone());
        self.bound.push(comprehension.accu_var.clone());
        self.loops += 1;
        self.facts.loops = self.facts.loops.max(self.loops);
        // The interpreter appends in place as long as `map` and `filter` look as the macros make them: the
        // condition a literal, the step `@result + [x]`, perhaps behind a guard.
        if !matches!(comprehension.loop_cond.expr, Expr::Literal(_)) {
            self.expr(&mut comprehension.loop_cond)?;
            wrap(&mut comprehension.loop_cond, "@tick");
        }
        self.step(&mut comprehension.loop_step, &comprehension.accu_var)?;
        self.expr(&mut comprehension.result)?;
        self.loops -= 1;
        self.bound.truncate(before);
        Ok(())
    }

    fn step(&mut self, step: &mut IdedExpr, accumulator: &str) -> Checked {
        let is_accumulator = |node: &IdedExpr| matches!(&node.expr, Expr::Ident(name) if name == accumulator);
        match &mut step.expr {
            Expr::Call(CallExpr { func_name, args, target: None }) if func_name == operators::CONDITIONAL => {
                if let [guard, step, otherwise] = args.as_mut_slice() {
                    self.expr(guard)?;
                    wrap(guard, "@tick");
                    self.step(step, accumulator)?;
                    self.expr(otherwise)?;
                }
                Ok(())
            }
            Expr::Call(CallExpr { func_name, args, target: None })
                if func_name == operators::ADD && args.first().is_some_and(is_accumulator) =>
            {
                args.iter_mut().skip(1).try_for_each(|arg| self.expr(arg))
            }
            _ => self.expr(step),
        }
    }
}

fn is_operator(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// The node that a path continues from.
fn below(node: &mut IdedExpr) -> Option<&mut IdedExpr> {
    match &mut node.expr {
        Expr::Select(select) => Some(&mut select.operand),
        Expr::Call(call) if call.func_name == operators::INDEX => call.args.first_mut(),
        _ => None,
    }
}

/// The variable that a path begins with.
fn start(node: &IdedExpr) -> &IdedExpr {
    let mut node = node;
    loop {
        node = match &node.expr {
            Expr::Select(select) => &select.operand,
            Expr::Call(call) if call.func_name == operators::INDEX && !call.args.is_empty() => &call.args[0],
            _ => return node,
        };
    }
}

fn wrap(node: &mut IdedExpr, function: &str) {
    let inner = std::mem::take(node);
    let id = inner.id;
    let call = CallExpr { func_name: function.to_owned(), target: None, args: vec![inner] };
    *node = IdedExpr { id, expr: Expr::Call(call) };
}
