//! The rest of the dot dialect in `if`: `{{ and (eq .inputs.env "prod") (not .inputs.flag) }}`.
//!
//! What CEL's grammar does not know is read by the grammar of templates and written as CEL, as far as CEL has
//! the same: comparisons, logic, and the functions of texts and lists.

use crate::template::{ConditionBase, ConditionExpr, ConditionKind, parse_condition};

use super::dialect::indexed;

/// `source`, a condition without braces, as CEL; nothing if it is not of the dialect.
pub(crate) fn to_cel(source: &str) -> Option<String> {
    write(&parse_condition(source)?)
}

fn write(expr: &ConditionExpr) -> Option<String> {
    use ConditionKind as K;
    Some(match &expr.kind {
        K::Null => "null".to_owned(),
        K::Bool(value) => value.to_string(),
        K::Int(value) => value.to_string(),
        K::Float(value) => format!("{value:?}"),
        K::Str(value) => text(value),
        K::Path(ConditionBase::Root | ConditionBase::Dot, path) if !path.is_empty() => indexed(path.clone()),
        K::Path(..) => return None,
        K::And(terms) => infix(terms, " && ")?,
        K::Or(terms) => infix(terms, " || ")?,
        K::Not(term) => format!("!({})", write(term)?),
        K::Choice(three) => {
            let [condition, yes, no] = three.as_ref();
            format!("({} ? {} : {})", write(condition)?, write(yes)?, write(no)?)
        }
        K::Call(function, args) => call(function.name, args)?,
    })
}

/// A text of JSON is one of CEL.
fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

fn infix(terms: &[ConditionExpr], operator: &str) -> Option<String> {
    let terms: Option<Vec<String>> = terms.iter().map(write).collect();
    Some(format!("({})", terms?.join(operator)))
}

fn call(name: &str, args: &[ConditionExpr]) -> Option<String> {
    let written: Option<Vec<String>> = args.iter().map(write).collect();
    let written = written?;
    let parts: Vec<&str> = written.iter().map(String::as_str).collect();
    Some(match (name, parts.as_slice()) {
        ("eq", [first, others @ ..]) => {
            let equal: Vec<String> = others.iter().map(|other| format!("{first} == {other}")).collect();
            format!("({})", equal.join(" || "))
        }
        ("ne", [a, b]) => format!("({a} != {b})"),
        ("lt", [a, b]) => format!("({a} < {b})"),
        ("le", [a, b]) => format!("({a} <= {b})"),
        ("gt", [a, b]) => format!("({a} > {b})"),
        ("ge", [a, b]) => format!("({a} >= {b})"),
        ("len" | "length", [a]) => format!("size({a})"),
        ("contains", [part, whole]) => format!("({whole}).contains({part})"),
        ("has_prefix", [prefix, whole]) => format!("({whole}).startsWith({prefix})"),
        ("has_suffix", [suffix, whole]) => format!("({whole}).endsWith({suffix})"),
        ("upper" | "lower" | "trim", [a]) => format!("({a}).{name}()"),
        ("replace", [old, new, whole]) => format!("({whole}).replace({old}, {new})"),
        ("split" | "join", [value, separator]) => format!("({value}).{name}({separator})"),
        ("index", [value, keys @ ..]) => {
            keys.iter().fold((*value).to_owned(), |value, key| format!("{value}[{key}]"))
        }
        ("empty", [value]) => absent(&args[0], value),
        ("default", [fallback, value]) => format!("({} ? {fallback} : {value})", absent(&args[1], value)),
        _ => return None,
    })
}

/// Whether a value is missing, null or the empty text.
fn absent(expr: &ConditionExpr, written: &str) -> String {
    let field =
        matches!(&expr.kind, ConditionKind::Path(_, path) if path.len() > 1) && !written.ends_with(']');
    let missing = if field { format!("!has({written}) || ") } else { String::new() };
    format!("({missing}{written} == null || {written} == \"\")")
}
