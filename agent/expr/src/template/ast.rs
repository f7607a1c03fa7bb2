//! What an action means, both spellings alike.

use std::ops::Range;

use super::function::Function;

/// An expression.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) range: Range<usize>,
    /// Levels of nesting, itself included; bounded by the parser, so that walking it needs little stack.
    pub(crate) height: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum ExprKind {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Path(Base, Vec<String>),
    Call(&'static Function, Vec<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    /// Condition, value if it holds, value if not.
    Choice(Box<[Expr; 3]>),
}

/// Where a path begins.
#[derive(Clone, Debug)]
pub(crate) enum Base {
    /// The context: `$.a`, `inputs.a`.
    Root,
    /// What the dot stands for: the context, or the element inside `range` and `with`.
    Dot,
    /// `$name`.
    Variable(String),
    /// `(…).a`
    Value(Box<Expr>),
}

/// A part of a template.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Text(Range<usize>),
    Print(Expr),
    /// `$name := value`, or `=` when `declares` is false.
    Set {
        name: String,
        declares: bool,
        value: Expr,
        range: Range<usize>,
    },
    /// Conditions with their bodies, then `else`.
    If {
        arms: Vec<(Expr, Vec<Node>)>,
        otherwise: Vec<Node>,
    },
    With {
        variable: Option<String>,
        value: Expr,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Range {
        variables: Vec<String>,
        value: Expr,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
}
