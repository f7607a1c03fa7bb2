//! The tree of a template: text, printed values and the blocks `if`, `with` and `range`.

use std::ops::Range;

use super::ast::{Expr, ExprKind, Node};
use super::error::TemplateError;
use super::function;
use super::parse::Parser;
use super::segment::{self, Segment};
use super::token::{self, Token};
use crate::suggest;

/// Deepest nesting of blocks.
const MAX_BLOCKS: usize = 16;

/// Parses a whole template.
pub(crate) fn parse(source: &str) -> Result<Vec<Node>, TemplateError> {
    let mut open = vec![Open::root()];
    for segment in segment::split(source)? {
        match segment {
            Segment::Text(range) => push(&mut open, Node::Text(range)),
            Segment::Action { outer, body } => action(source, outer, body, &mut open)?,
        }
    }
    match open.pop() {
        Some(root) if open.is_empty() => Ok(root.nodes),
        Some(block) => {
            Err(TemplateError::syntax(block.range, format!("`{}` has no `end`", block.kind.name()))
                .with_hint("close the block with `{{ end }}`"))
        }
        None => Ok(Vec::new()),
    }
}

/// A block that has begun and not ended.
struct Open {
    kind: Kind,
    range: Range<usize>,
    /// What has been read of the part that is being read.
    nodes: Vec<Node>,
    /// The parts in front of it.
    arms: Vec<(Expr, Vec<Node>)>,
    in_else: bool,
}

enum Kind {
    Root,
    If(Expr),
    With(Option<String>, Expr),
    Range(Vec<String>, Expr),
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Root => "template",
            Self::If(_) => "if",
            Self::With(..) => "with",
            Self::Range(..) => "range",
        }
    }
}

impl Open {
    fn root() -> Self {
        Self { kind: Kind::Root, range: 0..0, nodes: Vec::new(), arms: Vec::new(), in_else: false }
    }

    /// The node of this block, once its `end` is read.
    fn close(mut self) -> Option<Node> {
        let nodes = std::mem::take(&mut self.nodes);
        let before_else = if self.in_else { self.arms.pop() } else { None };
        let (body, otherwise) = match before_else {
            Some((_, body)) => (body, nodes),
            None => (nodes, Vec::new()),
        };
        match self.kind {
            Kind::Root => None,
            Kind::If(condition) => {
                self.arms.push((condition, body));
                Some(Node::If { arms: self.arms, otherwise })
            }
            Kind::With(variable, value) => Some(Node::With { variable, value, body, otherwise }),
            Kind::Range(variables, value) => Some(Node::Range { variables, value, body, otherwise }),
        }
    }
}

fn push(open: &mut [Open], node: Node) {
    if let Some(block) = open.last_mut() {
        block.nodes.push(node);
    }
}

fn action(
    source: &str,
    outer: Range<usize>,
    body: Range<usize>,
    open: &mut Vec<Open>,
) -> Result<(), TemplateError> {
    let tokens = token::tokenize(source, body.clone())?;
    let mut parser = Parser::new(&tokens, body.end);
    let Some(first) = parser.peek() else {
        return Err(TemplateError::syntax(outer, "nothing between `{{` and `}}`"));
    };
    // Only Go's blocks exist; `if` and the like are no names of values.
    let word = match first {
        Token::Ident(word) => word.as_str(),
        _ => "",
    };
    match word {
        "if" => {
            parser.advance();
            let condition = parser.only_expr()?;
            begin(open, Kind::If(condition), outer)
        }
        "with" => {
            parser.advance();
            let variables = declared(&mut parser, 1)?;
            let value = parser.only_expr()?;
            begin(open, Kind::With(variables.into_iter().next(), value), outer)
        }
        "range" => {
            parser.advance();
            let variables = declared(&mut parser, 2)?;
            let value = parser.only_expr()?;
            begin(open, Kind::Range(variables, value), outer)
        }
        "else" => {
            parser.advance();
            otherwise(&mut parser, outer, open)
        }
        "end" => {
            parser.advance();
            parser.finish()?;
            if open.len() < 2 {
                return Err(TemplateError::syntax(outer, "`end` without a block"));
            }
            if let Some(node) = open.pop().and_then(Open::close) {
                push(open, node);
            }
            Ok(())
        }
        "template" | "define" | "block" | "break" | "continue" if is_alone(&parser) => {
            Err(TemplateError::syntax(outer, format!("`{word}` is not supported"))
                .with_hint("available blocks: if, else, with, range, end"))
        }
        "for" | "elif" | "endif" | "endfor" | "set" | "endwith" if is_alone(&parser) => {
            let hint = match word {
                "for" => "write `{{ range $item := … }} … {{ end }}`",
                "elif" => "write `{{ else if … }}`",
                "set" => "write `{{ $name := … }}`",
                _ => "write `{{ end }}`",
            };
            Err(TemplateError::syntax(outer, format!("`{word}` is not supported")).with_hint(hint))
        }
        _ => statement(&mut parser, open),
    }
}

/// Whether the word is not the start of a path or a call.
fn is_alone(parser: &Parser<'_>) -> bool {
    !matches!(parser.peek_behind(), Some(Token::Dot | Token::OpenBracket | Token::OpenParen | Token::Pipe))
}

fn begin(open: &mut Vec<Open>, kind: Kind, range: Range<usize>) -> Result<(), TemplateError> {
    if open.len() > MAX_BLOCKS {
        return Err(TemplateError::limit(
            range,
            format!("blocks are nested deeper than {MAX_BLOCKS} levels"),
        ));
    }
    open.push(Open { kind, range, nodes: Vec::new(), arms: Vec::new(), in_else: false });
    Ok(())
}

fn otherwise(parser: &mut Parser<'_>, outer: Range<usize>, open: &mut [Open]) -> Result<(), TemplateError> {
    let Some(block) = open.last_mut().filter(|block| !matches!(block.kind, Kind::Root)) else {
        return Err(TemplateError::syntax(outer, "`else` without a block"));
    };
    if block.in_else {
        return Err(
            TemplateError::syntax(outer, "a second `else`").with_hint("`else if` goes in front of `else`")
        );
    }
    let nodes = std::mem::take(&mut block.nodes);
    if parser.accept_word("if") {
        let condition = parser.only_expr()?;
        let Kind::If(current) = &mut block.kind else {
            return Err(TemplateError::syntax(outer, format!("`else if` inside `{}`", block.kind.name())));
        };
        block.arms.push((std::mem::replace(current, condition), nodes));
        return Ok(());
    }
    parser.finish()?;
    block.in_else = true;
    // The condition of this arm stays in `kind`; the placeholder only keeps the body in its place.
    let placeholder = Expr { kind: ExprKind::Null, range: outer, height: 1 };
    block.arms.push((placeholder, nodes));
    Ok(())
}

/// `$i, $v :=` in front of a value.
fn declared(parser: &mut Parser<'_>, most: usize) -> Result<Vec<String>, TemplateError> {
    let mut names = Vec::new();
    let declares = matches!(parser.peek(), Some(Token::Variable(name)) if !name.is_empty())
        && matches!(parser.peek_behind(), Some(Token::Declare | Token::Comma));
    if !declares {
        return Ok(names);
    }
    loop {
        let here = parser.here();
        let Some(Token::Variable(name)) = parser.peek() else {
            return Err(TemplateError::syntax(here, "expected a variable"));
        };
        names.push(name.clone());
        parser.advance();
        if names.len() > most {
            return Err(TemplateError::syntax(here, format!("at most {most} variables here")));
        }
        if parser.accept(&Token::Declare) {
            return Ok(names);
        }
        if !parser.accept(&Token::Comma) {
            return Err(TemplateError::syntax(parser.here(), "expected `:=`"));
        }
    }
}

/// A printed value, or a variable that is set.
fn statement(parser: &mut Parser<'_>, open: &mut [Open]) -> Result<(), TemplateError> {
    if let (Some(Token::Variable(name)), Some(behind @ (Token::Declare | Token::Assign))) =
        (parser.peek(), parser.peek_behind())
    {
        let declares = *behind == Token::Declare;
        let range = parser.here();
        if name.is_empty() {
            return Err(TemplateError::syntax(range, "`$` cannot be set"));
        }
        parser.advance();
        parser.advance();
        let value = parser.only_expr()?;
        push(open, Node::Set { name: name.clone(), declares, value, range });
        return Ok(());
    }
    let value = parser.only_expr().map_err(|error| misspelt_block(parser, error))?;
    push(open, Node::Print(value));
    Ok(())
}

/// `{{ esle }}` reads as a value; say what it probably was.
fn misspelt_block(parser: &Parser<'_>, error: TemplateError) -> TemplateError {
    match parser.first() {
        Some(Token::Ident(word)) if error.hint.as_deref().is_none_or(|hint| hint == function::LISTED) => {
            let block =
                suggest::closest(word, ["if", "else", "end", "range", "with"]).filter(|b| b.len() > 2);
            error.with_hint_if(block.map(|block| format!("did you mean `{block}`?")))
        }
        _ => error,
    }
}
