//! Operators: what they compare and combine goes together.

use cel_interpreter::IdedExpr;
use cel_interpreter::common::ast::{Expr, operators};
use serde_json::Value as Json;

use super::FindingKind;
use super::infer::{Known, Walker, symbol};
use crate::cel::path;
use crate::types::Type;

impl Walker<'_> {
    pub(super) fn equality(
        &mut self,
        node: &IdedExpr,
        left: &IdedExpr,
        right: &IdedExpr,
        equal: bool,
    ) -> Known {
        let (known_left, known_right) = (self.expr(left), self.expr(right));
        if !known_left.of.is_like(&known_right.of)
            && !matches!((&known_left.of, &known_right.of), (Type::Null, _) | (_, Type::Null))
        {
            let kind = FindingKind::NeverEqual { left: known_left.of.noun(), right: known_right.of.noun() };
            self.find(kind, self.span(node));
            return Known::bool(Some(!equal));
        }
        for (of, path_of, other) in
            [(&known_left.of, left, &known_right), (&known_right.of, right, &known_left)]
        {
            if let (Type::OneOf(allowed), Some(Json::String(text))) = (of, &other.value)
                && !allowed.contains(text)
            {
                let path = path::of(path_of).map(|path| path.join(".")).unwrap_or_default();
                let kind = FindingKind::NotAllowed { path, text: text.clone(), allowed: allowed.clone() };
                let literal = if std::ptr::eq(path_of, left) { right } else { left };
                self.find(kind, self.span(literal));
                return Known::bool(Some(!equal));
            }
        }
        let answer = match (known_left.value, known_right.value) {
            (Some(left), Some(right)) => Some((left == right) == equal),
            _ => None,
        };
        Known::bool(answer)
    }

    pub(super) fn order(&mut self, node: &IdedExpr, name: &str, left: &IdedExpr, right: &IdedExpr) -> Known {
        let (left, right) = (self.expr(left), self.expr(right));
        let ordered =
            |of: &Type| matches!(of, Type::Any | Type::Number | Type::Text | Type::OneOf(_) | Type::Bool);
        if !left.of.is_like(&right.of) || !ordered(&left.of) || !ordered(&right.of) {
            let found = format!("{} and {}", left.of.noun(), right.of.noun());
            self.mismatch(&symbol(name), &found, node);
        }
        let number = |known: &Known| known.value.as_ref().and_then(Json::as_f64);
        let answer = match (number(&left), number(&right)) {
            (Some(left), Some(right)) => Some(match name {
                operators::LESS => left < right,
                operators::LESS_EQUALS => left <= right,
                operators::GREATER => left > right,
                _ => left >= right,
            }),
            _ => None,
        };
        Known::bool(answer)
    }

    /// `item in list`
    pub(super) fn membership(&mut self, node: &IdedExpr, item: &IdedExpr, list: &IdedExpr) -> Known {
        let (known, within) = (self.expr(item), self.expr(list));
        match &within.of {
            Type::List(element) if !known.of.is_like(element) && known.of != Type::Null => {
                let kind = FindingKind::NeverEqual { left: known.of.noun(), right: element.noun() };
                self.find(kind, self.span(node));
                return Known::bool(Some(false));
            }
            Type::List(_) | Type::Map { .. } | Type::Any => {}
            other => self.mismatch("in", other.noun(), node),
        }
        let Some(Json::Array(values)) = &within.value else { return Known::of(Type::Bool) };
        if let Type::OneOf(allowed) = &known.of
            && let Expr::List(literals) = &list.expr
        {
            let path = path::of(item).map(|path| path.join(".")).unwrap_or_default();
            for (value, literal) in values.iter().zip(&literals.elements) {
                if let Json::String(text) = value
                    && !allowed.contains(text)
                {
                    let (path, text) = (path.clone(), text.clone());
                    let kind = FindingKind::NotAllowed { path, text, allowed: allowed.clone() };
                    self.find(kind, self.span(literal));
                }
            }
        }
        Known::bool(known.value.map(|value| values.contains(&value)).or(values.is_empty().then_some(false)))
    }

    pub(super) fn arithmetic(&mut self, node: &IdedExpr, operation: &str, operands: &[Known]) -> Known {
        let first = operands.iter().map(|operand| &operand.of).find(|of| **of != Type::Any);
        let Some(first) = first else { return Known::default() };
        let fits = match first {
            Type::Number => true,
            Type::Text | Type::OneOf(_) | Type::List(_) => operation == "+",
            _ => false,
        };
        if !fits || !operands.iter().all(|operand| operand.of.is_like(first)) {
            let nouns: Vec<&str> = operands.iter().map(|operand| operand.of.noun()).collect();
            self.mismatch(operation, &nouns.join(" and "), node);
            return Known::default();
        }
        Known::of(match first {
            Type::OneOf(_) => Type::Text,
            other => other.clone(),
        })
    }
}
