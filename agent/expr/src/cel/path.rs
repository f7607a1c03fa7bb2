//! Paths that expressions spell: `a.b`, `a["b"]`, `a[0]`.

use cel_interpreter::IdedExpr;
use cel_interpreter::common::ast::{Expr, LiteralValue, operators};

/// The path of a node from its variable on; `None` where it is more than a path.
pub(crate) fn of(node: &IdedExpr) -> Option<Vec<String>> {
    let mut segments = Vec::new();
    let mut node = node;
    loop {
        match &node.expr {
            Expr::Ident(name) => {
                segments.push(name.clone());
                segments.reverse();
                return Some(segments);
            }
            Expr::Select(select) => {
                segments.push(select.field.clone());
                node = &select.operand;
            }
            Expr::Call(call) if call.func_name == operators::INDEX && call.args.len() == 2 => {
                match &call.args[1].expr {
                    Expr::Literal(LiteralValue::String(key)) => segments.push(key.inner().to_owned()),
                    Expr::Literal(LiteralValue::Int(at)) => segments.push(at.inner().to_string()),
                    _ => return None,
                }
                node = &call.args[0];
            }
            _ => return None,
        }
    }
}
