//! The expression as a whole: whether it is a boolean, whether it has one answer, and what it demands.

use cel_interpreter::IdedExpr;
use cel_interpreter::common::ast::{Expr, operators};

use super::infer::{Known, Walker, literal_of};
use super::{Demand, Finding, FindingKind};
use crate::cel::path;
use crate::types::Type;

impl Walker<'_> {
    /// Judges the expression as a whole.
    pub(super) fn verdict(&mut self, root: &IdedExpr, known: &Known) {
        let range = self.span(root);
        if !matches!(known.of, Type::Any | Type::Bool) {
            return self.find(FindingKind::NotBoolean { found: known.of.noun() }, range);
        }
        let explained = |finding: &Finding| {
            matches!(finding.kind, FindingKind::NeverEqual { .. } | FindingKind::NotAllowed { .. })
        };
        match known.truth() {
            Some(false) if !self.out.findings.iter().any(explained) => {
                self.find(FindingKind::NeverTrue, range);
            }
            // `always()` says that its step runs even after a failure.
            Some(true) if !self.asks_after_failure && !self.out.findings.iter().any(explained) => {
                self.find(FindingKind::AlwaysTrue, range);
            }
            _ => {}
        }
    }

    /// The terms of the conjunction that the whole is, as far as they compare a path with a literal.
    pub(super) fn demands(&mut self, node: &IdedExpr) {
        let Expr::Call(call) = &node.expr else { return };
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND, [left, right]) => {
                self.demands(left);
                self.demands(right);
            }
            (operators::EQUALS, [left, right]) => {
                let pair = match (&left.expr, &right.expr) {
                    (_, Expr::Literal(literal)) => path::of(left).zip(literal_of(literal).value),
                    (Expr::Literal(literal), _) => path::of(right).zip(literal_of(literal).value),
                    _ => None,
                };
                if let Some((path, value)) = pair {
                    let range = self.span(node);
                    self.out.demands.push(Demand { path: path.join("."), value, range });
                }
            }
            _ => {}
        }
    }

    pub(super) fn contradictions(&mut self) {
        let demands = std::mem::take(&mut self.out.demands);
        for (at, later) in demands.iter().enumerate() {
            let excluded = |earlier: &&Demand| earlier.path == later.path && earlier.value != later.value;
            if demands[..at].iter().any(|earlier| excluded(&earlier)) {
                let kind = FindingKind::Contradiction { path: later.path.clone() };
                self.find(kind, later.range.clone());
            }
        }
        self.out.demands = demands;
    }
}
