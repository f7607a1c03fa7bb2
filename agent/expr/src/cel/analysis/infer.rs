//! Walks an expression with the types of its variables.

use std::ops::Range;

use cel_interpreter::IdedExpr;
use cel_interpreter::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};
use serde_json::{Number, Value as Json};

use super::calls::signature;
use super::{Analysis, Finding, FindingKind, Literal, LiteralKind, Scope};
use crate::cel::path;
use crate::types::Type;

/// Analyses `root`; `locate` says where a node stands in the source.
pub(crate) fn analyse(root: &IdedExpr, scope: &Scope, locate: &dyn Fn(u64) -> Range<usize>) -> Analysis {
    let mut walker = Walker {
        scope,
        locate,
        bound: Vec::new(),
        asked: Vec::new(),
        asks_after_failure: false,
        out: Analysis::default(),
    };
    walker.asks_after_failure = calls_status(root);
    let known = walker.expr(root);
    walker.verdict(root, &known);
    walker.demands(root);
    walker.contradictions();
    let asked = std::mem::take(&mut walker.asked);
    walker.out.findings.retain(
        |found| !matches!(&found.kind, FindingKind::UnknownField { path, .. } if asked.contains(path)),
    );
    walker.out
}

/// What is known of a value.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) of: Type,
    /// The value itself, where it is the same in every run.
    pub(super) value: Option<Json>,
}

impl Known {
    pub(super) fn of(of: Type) -> Self {
        Self { of, value: None }
    }

    pub(super) fn bool(value: Option<bool>) -> Self {
        Self { of: Type::Bool, value: value.map(Json::Bool) }
    }

    pub(super) fn truth(&self) -> Option<bool> {
        self.value.as_ref().and_then(Json::as_bool)
    }
}

pub(super) struct Walker<'a> {
    scope: &'a Scope,
    locate: &'a dyn Fn(u64) -> Range<usize>,
    /// Variables of the macros around, innermost last.
    bound: Vec<(String, Type)>,
    /// Paths that the expression asks for with `has(…)`.
    asked: Vec<String>,
    /// Whether the expression calls `failure()` or `always()`: then it is asked after a failure too.
    pub(super) asks_after_failure: bool,
    pub(super) out: Analysis,
}

impl Walker<'_> {
    pub(super) fn expr(&mut self, node: &IdedExpr) -> Known {
        match &node.expr {
            Expr::Literal(literal) => literal_of(literal),
            Expr::Ident(_) | Expr::Select(_) => self.field(node),
            Expr::Call(call) if call.func_name == operators::INDEX && path::of(node).is_some() => {
                self.field(node)
            }
            Expr::Call(call) => self.call(node, call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::List(list) => {
                let elements: Vec<Known> = list.elements.iter().map(|element| self.expr(element)).collect();
                let of =
                    elements.iter().map(|element| element.of.clone()).reduce(Type::or).unwrap_or_default();
                let value: Option<Vec<Json>> = elements.into_iter().map(|element| element.value).collect();
                Known { of: Type::List(Box::new(of)), value: value.map(Json::Array) }
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.expr(&entry.key);
                        self.expr(&entry.value);
                    }
                }
                Known::of(Type::open())
            }
            Expr::Struct(_) | Expr::Unspecified => Known::default(),
        }
    }

    /// A variable or a field of one.
    fn field(&mut self, node: &IdedExpr) -> Known {
        if let Expr::Select(select) = &node.expr
            && select.test
        {
            // `has(a.b)`: whether the last field is there is the question.
            if let Some(mut path) = path::of(&select.operand) {
                path.push(select.field.clone());
                self.asked.push(path.join("."));
            }
            self.expr(&select.operand);
            return Known::of(Type::Bool);
        }
        let Some(mut path) = path::of(node) else {
            // A field of something that was computed.
            if let Expr::Select(select) = &node.expr {
                self.expr(&select.operand);
            }
            return Known::default();
        };
        let bound = self.bound.iter().rev().find(|(name, _)| *name == path[0]).map(|(_, of)| of.clone());
        if bound.is_none() && path[0] == "steps" && path.len() > 2 && !is_of_step(&path[2]) {
            path.insert(2, "outputs".to_owned());
        }
        let found = match &bound {
            Some(of) => of.at(&path[1..]).cloned().map_err(|missing| (missing.found + 1, missing.known)),
            None => self.scope.variables.at(&path).cloned().map_err(|missing| (missing.found, missing.known)),
        };
        match found {
            Ok(of) => Known::of(of),
            Err((found, known)) => {
                let path = path[..=found.min(path.len() - 1)].join(".");
                self.find(FindingKind::UnknownField { path, known }, self.span(node));
                Known::default()
            }
        }
    }

    fn call(&mut self, node: &IdedExpr, call: &CallExpr) -> Known {
        let name = call.func_name.as_str();
        match (name, call.args.as_slice()) {
            (operators::LOGICAL_AND, [left, right]) => {
                let (left, right) = (self.boolean(left, "&&"), self.boolean(right, "&&"));
                Known::bool(match (left, right) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                })
            }
            (operators::LOGICAL_OR, [left, right]) => {
                let (left, right) = (self.boolean(left, "||"), self.boolean(right, "||"));
                Known::bool(match (left, right) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                })
            }
            (operators::LOGICAL_NOT, [value]) => Known::bool(self.boolean(value, "!").map(|value| !value)),
            (operators::CONDITIONAL, [condition, yes, no]) => {
                let condition = self.boolean(condition, "?");
                let (yes, no) = (self.expr(yes), self.expr(no));
                match condition {
                    Some(true) => yes,
                    Some(false) => no,
                    None => Known::of(yes.of.or(no.of)),
                }
            }
            (operators::EQUALS, [left, right]) => self.equality(node, left, right, true),
            (operators::NOT_EQUALS, [left, right]) => self.equality(node, left, right, false),
            (
                operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS,
                [left, right],
            ) => self.order(node, name, left, right),
            (operators::IN, [item, list]) => self.membership(node, item, list),
            (operators::INDEX, [of, key]) => {
                let of = self.expr(of).of;
                self.expr(key);
                Known::of(if let Type::List(element) = of { *element } else { Type::Any })
            }
            (operators::NEGATE, [value]) => {
                let value = self.expr(value);
                self.arithmetic(node, "-", &[value])
            }
            (
                operators::ADD
                | operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO,
                [left, right],
            ) => {
                let (left, right) = (self.expr(left), self.expr(right));
                self.arithmetic(node, &symbol(name), &[left, right])
            }
            ("success" | "failure" | "cancelled" | "always", []) => Known::bool(self.status(name)),
            _ => self.function(node, call),
        }
    }

    /// The answer of a status function, where it is always the same.
    fn status(&self, name: &str) -> Option<bool> {
        let status = self.scope.status;
        match name {
            "always" => Some(true),
            "failure" => status.map(|status| status.failure),
            "cancelled" => status.map(|status| status.cancelled),
            // Without a word about failures a step is asked only as long as there was none.
            _ => status.map(|status| status.success).or_else(|| (!self.asks_after_failure).then_some(true)),
        }
    }

    /// The value of an operand that has to be a boolean.
    fn boolean(&mut self, node: &IdedExpr, operation: &str) -> Option<bool> {
        let known = self.expr(node);
        if !matches!(known.of, Type::Any | Type::Bool) {
            self.mismatch(operation, known.of.noun(), node);
        }
        known.truth()
    }

    fn function(&mut self, node: &IdedExpr, call: &CallExpr) -> Known {
        let in_semver = call
            .target
            .as_ref()
            .is_some_and(|target| matches!(&target.expr, Expr::Ident(name) if name == "semver"));
        let name = if in_semver { format!("semver.{}", call.func_name) } else { call.func_name.clone() };
        let target = call.target.as_deref().filter(|_| !in_semver);
        let args: Vec<&IdedExpr> = target.into_iter().chain(&call.args).collect();
        let known: Vec<Known> = args.iter().map(|arg| self.expr(arg)).collect();
        self.out.dear |= name == "matches";
        let Some((needs, gives)) = signature(&name) else { return Known::default() };
        for ((need, known), arg) in needs.iter().zip(&known).zip(&args) {
            if !need.accepts(&known.of) {
                let found = format!("{}, and needs {}", known.of.noun(), need.noun());
                self.mismatch(&name, &found, arg);
            }
        }
        let text = |at: usize| known.get(at).and_then(|known| known.value.as_ref()).and_then(Json::as_str);
        match name.as_str() {
            "matches" => {
                if let (Some(pattern), Some(arg)) = (text(1), args.get(1))
                    && let Err(error) = regex::RegexBuilder::new(pattern).nest_limit(50).build()
                {
                    let said = error.to_string();
                    let message =
                        said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                    self.find(FindingKind::Pattern { message }, self.span(arg));
                }
            }
            "semver.satisfies" => {
                self.literal(LiteralKind::Version, text(0), args.first());
                self.literal(LiteralKind::Range, text(1), args.get(1));
            }
            "semver.compare" | "semver.major" | "semver.minor" | "semver.patch" | "semver.prerelease" => {
                for (at, arg) in args.iter().enumerate() {
                    self.literal(LiteralKind::Version, text(at), Some(arg));
                }
            }
            _ => {}
        }
        _ = node;
        Known::of(gives)
    }

    fn literal(&mut self, kind: LiteralKind, text: Option<&str>, node: Option<&&IdedExpr>) {
        if let (Some(text), Some(node)) = (text, node) {
            let range = self.span(node);
            self.out.literals.push(Literal { kind, text: text.to_owned(), range });
        }
    }

    fn comprehension(&mut self, comprehension: &ComprehensionExpr) -> Known {
        self.out.dear = true;
        let list = self.expr(&comprehension.iter_range);
        let element = match list.of {
            Type::List(element) => *element,
            // Macros go over the keys of a map.
            Type::Map { .. } => Type::Text,
            Type::Any => Type::Any,
            other => {
                self.mismatch("a macro", other.noun(), &comprehension.iter_range);
                Type::Any
            }
        };
        let start = self.expr(&comprehension.accu_init).of;
        let before = self.bound.len();
        self.bound.push((comprehension.iter_var.clone(), element));
        self.bound.extend(comprehension.iter_var2.clone().map(|name| (name, Type::Any)));
        let result = match start {
            Type::List(_) => Type::List(Box::default()),
            other => other,
        };
        self.bound.push((comprehension.accu_var.clone(), result));
        self.expr(&comprehension.loop_cond);
        self.expr(&comprehension.loop_step);
        let result = self.expr(&comprehension.result);
        self.bound.truncate(before);
        Known::of(result.of)
    }

    pub(super) fn mismatch(&mut self, operation: &str, found: &str, node: &IdedExpr) {
        let kind = FindingKind::Mismatch { operation: operation.to_owned(), found: found.to_owned() };
        self.find(kind, self.span(node));
    }

    pub(super) fn find(&mut self, kind: FindingKind, range: Range<usize>) {
        self.out.findings.push(Finding { kind, range });
    }

    /// Where a node stands with everything below it.
    pub(super) fn span(&self, node: &IdedExpr) -> Range<usize> {
        let mut range = (self.locate)(node.id);
        let mut open = children(node);
        while let Some(child) = open.pop() {
            let at = (self.locate)(child.id);
            if at.is_empty() {
                continue;
            }
            range = if range.is_empty() { at } else { range.start.min(at.start)..range.end.max(at.end) };
            open.extend(children(child));
        }
        range
    }
}

fn children(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Expr::Select(select) => vec![&select.operand],
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Comprehension(comprehension) => vec![&comprehension.iter_range, &comprehension.loop_step],
        _ => Vec::new(),
    }
}

/// What a step has beside its outputs.
fn is_of_step(segment: &str) -> bool {
    matches!(segment, "outputs" | "result")
}

pub(super) fn literal_of(literal: &LiteralValue) -> Known {
    match literal {
        LiteralValue::Boolean(value) => Known::bool(Some(*value.inner())),
        LiteralValue::String(text) => Known { of: Type::Text, value: Some(Json::from(text.inner())) },
        LiteralValue::Int(number) => Known { of: Type::Number, value: Some(Json::from(*number.inner())) },
        LiteralValue::UInt(number) => Known { of: Type::Number, value: Some(Json::from(*number.inner())) },
        LiteralValue::Double(number) => {
            Known { of: Type::Number, value: Number::from_f64(*number.inner()).map(Json::Number) }
        }
        LiteralValue::Null => Known { of: Type::Null, value: Some(Json::Null) },
        LiteralValue::Bytes(_) => Known::default(),
    }
}

/// An operator as it is written.
pub(super) fn symbol(name: &str) -> String {
    name.trim_matches('_').to_owned()
}

fn calls_status(node: &IdedExpr) -> bool {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        if let Expr::Call(call) = &node.expr
            && call.target.is_none()
            && matches!(call.func_name.as_str(), "failure" | "always")
        {
            return true;
        }
        open.extend(children(node));
    }
    false
}
