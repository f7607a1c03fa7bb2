//! Expressions: one grammar for the dot dialect and the minijinja spelling.
//!
//! From loose to tight: `a if c else b`, `or` `||`, `and` `&&`, `not`, comparisons, pipes, calls, paths. A pipe
//! binds tighter than a comparison, as in Jinja; a call by juxtaposition (`f a b`) is as tight as a value, so a
//! pipe behind it takes its result, as in Go.

use std::ops::Range;

use super::ast::{Base, Expr, ExprKind};
use super::error::{TemplateError, TemplateErrorKind};
use super::function::{self, Function, Suggestion};
use super::token::{Placed, Token};

/// Deepest nesting of an expression; minijinja's own parser gives up a little later.
const MAX_HEIGHT: u32 = 32;
/// Most operands of one `and` or `or`, and most arguments of one call.
const MAX_OPERANDS: usize = 100;

type Parsed<T> = Result<T, TemplateError>;

/// A cursor over the tokens of one action.
pub(crate) struct Parser<'t> {
    tokens: &'t [Placed],
    at: usize,
    /// Where an error about missing tokens points: the end of the action's body.
    end: usize,
    depth: u32,
}

impl<'t> Parser<'t> {
    pub(crate) fn new(tokens: &'t [Placed], end: usize) -> Self {
        Self { tokens, at: 0, end, depth: 0 }
    }

    /// The whole rest as one expression.
    pub(crate) fn only_expr(&mut self) -> Parsed<Expr> {
        let expr = self.expr()?;
        self.finish()?;
        Ok(expr)
    }

    /// Refuses tokens that are left over.
    pub(crate) fn finish(&self) -> Parsed<()> {
        match self.tokens.get(self.at) {
            None => Ok(()),
            Some(placed) => Err(self.unexpected(placed)),
        }
    }

    pub(crate) fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at).map(|placed| &placed.token)
    }

    pub(crate) fn first(&self) -> Option<&'t Token> {
        self.tokens.first().map(|placed| &placed.token)
    }

    pub(crate) fn peek_behind(&self) -> Option<&'t Token> {
        self.tokens.get(self.at + 1).map(|placed| &placed.token)
    }

    pub(crate) fn advance(&mut self) {
        self.at += 1;
    }

    /// Takes the next token if it is `token`.
    pub(crate) fn accept(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    /// Takes the next token if it is the word `word`.
    pub(crate) fn accept_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Ident(name)) if name == word)
    }

    fn expect(&mut self, token: &Token, shown: &str) -> Parsed<()> {
        if self.accept(token) {
            return Ok(());
        }
        Err(match self.tokens.get(self.at) {
            Some(placed) => TemplateError::syntax(placed.range.clone(), format!("expected `{shown}`")),
            None => TemplateError::syntax(self.here(), format!("expected `{shown}` before the end")),
        })
    }

    /// The range of the next token, or of the end.
    pub(crate) fn here(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.end..self.end, |placed| placed.range.clone())
    }

    /// From `start` to the end of the last token taken.
    fn since(&self, start: usize) -> Range<usize> {
        let end =
            self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(start, |last| last.range.end);
        start..end.max(start)
    }

    fn unexpected(&self, placed: &Placed) -> TemplateError {
        let error = |message: &str| TemplateError::syntax(placed.range.clone(), message);
        match &placed.token {
            Token::Ident(name) if function::find(name).is_some() => error("a value stands behind a value")
                .with_hint(format!("put the call of `{name}` in parentheses, or pipe into it with `|`")),
            token if starts_argument(token) => error("a value stands behind a value; expected `|` or `}}`")
                .with_hint("print each with braces of its own: `{{ .a }} {{ .b }}`"),
            Token::Assign => {
                error("`=` compares nothing").with_hint("`==` compares; `$name = …` sets a variable")
            }
            Token::CloseParen | Token::CloseBracket => {
                error("no bracket is open that this could close").with_hint("remove it")
            }
            Token::Declare => error("only a variable can be set").with_hint("write `$name := …`"),
            _ => error("an operator or a bracket stands where none can be").with_hint("expected `|` or `}}`"),
        }
    }

    pub(crate) fn expr(&mut self) -> Parsed<Expr> {
        self.depth += 1;
        if self.depth > MAX_HEIGHT {
            return Err(too_deep(self.here()));
        }
        let expr = self.choice();
        self.depth -= 1;
        expr
    }

    fn choice(&mut self) -> Parsed<Expr> {
        let value = self.or()?;
        if !self.is_word("if") {
            return Ok(value);
        }
        self.advance();
        let condition = self.or()?;
        let otherwise = if self.accept_word("else") {
            self.expr()?
        } else {
            let range = self.since(value.range.start);
            make(ExprKind::Str(String::new()), range, 0)?
        };
        let range = self.since(value.range.start);
        let height = value.height.max(condition.height).max(otherwise.height);
        make(ExprKind::Choice(Box::new([condition, value, otherwise])), range, height)
    }

    fn or(&mut self) -> Parsed<Expr> {
        let mut terms = vec![self.and()?];
        while self.accept(&Token::OrOr) || self.accept_word("or") {
            terms.push(self.and()?);
        }
        self.several(terms, ExprKind::Or)
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut terms = vec![self.not()?];
        while self.accept(&Token::AndAnd) || self.accept_word("and") {
            terms.push(self.not()?);
        }
        self.several(terms, ExprKind::And)
    }

    fn several(&self, mut terms: Vec<Expr>, kind: fn(Vec<Expr>) -> ExprKind) -> Parsed<Expr> {
        if terms.len() > MAX_OPERANDS {
            return Err(too_many(self.since(terms[0].range.start)));
        }
        if terms.len() == 1 {
            return terms.pop().ok_or_else(|| self.missing());
        }
        let range = self.since(terms[0].range.start);
        let height = terms.iter().map(|term| term.height).max().unwrap_or(0);
        make(kind(terms), range, height)
    }

    /// The word `not` binds looser than a comparison, as in Python.
    fn not(&mut self) -> Parsed<Expr> {
        let start = self.here().start;
        if !self.accept_word("not") {
            return self.comparison();
        }
        self.negated(start, Self::not)
    }

    fn negated(&mut self, start: usize, operand: fn(&mut Self) -> Parsed<Expr>) -> Parsed<Expr> {
        self.depth += 1;
        if self.depth > MAX_HEIGHT {
            return Err(too_deep(self.here()));
        }
        let operand = operand(self)?;
        self.depth -= 1;
        let height = operand.height;
        make(ExprKind::Not(Box::new(operand)), self.since(start), height)
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let mut left = self.pipeline()?;
        while let Some(Token::Compare(comparison)) = self.peek() {
            let name = comparison.function();
            self.advance();
            let right = self.pipeline()?;
            let range = self.since(left.range.start);
            left = call(name, range.clone(), vec![left, right], range)?;
        }
        Ok(left)
    }

    fn pipeline(&mut self) -> Parsed<Expr> {
        let mut value = self.unary()?;
        while self.accept(&Token::Pipe) {
            let start = value.range.start;
            let at = self.here();
            let Some(Token::Ident(name)) = self.peek() else {
                return Err(TemplateError::syntax(at, "expected the name of a function behind `|`"));
            };
            self.advance();
            let mut args = self.arguments(&at)?;
            let found = function::find(name);
            let first = found.is_some_and(|function| function.piped_first);
            args.insert(if first { 0 } else { args.len() }, value);
            value = call(name, at, args, self.since(start))?;
        }
        Ok(value)
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let start = self.here().start;
        if self.accept(&Token::Bang) {
            return self.negated(start, Self::unary);
        }
        self.command()
    }

    /// A value, or a function called by juxtaposition or with parentheses.
    fn command(&mut self) -> Parsed<Expr> {
        if let Some(Token::Ident(name)) = self.peek()
            && !matches!(name.as_str(), "true" | "false" | "nil" | "none" | "null")
        {
            let at = self.here();
            let is_function = function::find(name).is_some();
            let followed = self.tokens.get(self.at + 1);
            let path = followed.is_some_and(|next| {
                matches!(next.token, Token::Dot | Token::OpenBracket) && next.range.start == at.end
            });
            // A name with arguments behind it can only be a function, even one we do not know.
            let called = followed.is_some_and(|next| starts_argument(&next.token));
            if !path && (is_function || called) {
                self.advance();
                let args = self.arguments(&at)?;
                let expr = call(name, at.clone(), args, self.since(at.start))?;
                return self.postfix(expr);
            }
        }
        self.operand()
    }

    /// The arguments behind a function's name: `(a, b)`, or values side by side.
    fn arguments(&mut self, name: &Range<usize>) -> Parsed<Vec<Expr>> {
        let mut args = Vec::new();
        if self.peek() == Some(&Token::OpenParen) {
            let adjacent = self.here().start == name.end;
            let before = self.at;
            self.advance();
            if self.accept(&Token::CloseParen) {
                return Ok(args);
            }
            let first = self.expr()?;
            let listed = self.peek() == Some(&Token::Comma);
            if adjacent || listed {
                args.push(first);
                while self.accept(&Token::Comma) {
                    if args.len() >= MAX_OPERANDS {
                        return Err(too_many(self.here()));
                    }
                    args.push(self.expr()?);
                }
                self.expect(&Token::CloseParen, ")")?;
                return Ok(args);
            }
            self.at = before;
        }
        while self.peek().is_some_and(starts_argument) {
            // Infix words end the arguments: `f .a and .b`, `f .a if .b`.
            if ["and", "or", "if", "else"].iter().any(|word| self.is_word(word)) {
                break;
            }
            if args.len() >= MAX_OPERANDS {
                return Err(too_many(self.here()));
            }
            args.push(self.operand()?);
        }
        Ok(args)
    }

    fn operand(&mut self) -> Parsed<Expr> {
        let at = self.here();
        let Some(token) = self.peek() else { return Err(self.missing()) };
        self.advance();
        let kind = match token {
            Token::Str(value) => ExprKind::Str(value.clone()),
            Token::Int(value) => ExprKind::Int(*value),
            Token::Float(value) => ExprKind::Float(*value),
            Token::Ident(name) => match name.as_str() {
                "true" => ExprKind::Bool(true),
                "false" => ExprKind::Bool(false),
                "nil" | "none" | "null" => ExprKind::Null,
                _ => return self.segments(Base::Root, vec![name.clone()], at.start),
            },
            Token::Variable(name) if name.is_empty() => return self.segments(Base::Root, vec![], at.start),
            Token::Variable(name) => return self.segments(Base::Variable(name.clone()), vec![], at.start),
            Token::Dot => {
                self.at -= 1;
                return self.dot_path(at);
            }
            Token::OpenParen => {
                let inner = self.expr()?;
                self.expect(&Token::CloseParen, ")")?;
                return self.postfix(inner);
            }
            Token::Bang => return self.negated(at.start, Self::operand),
            _ => {
                self.at -= 1;
                return Err(match self.tokens.get(self.at) {
                    Some(placed) => TemplateError::syntax(placed.range.clone(), "expected a value"),
                    None => self.missing(),
                });
            }
        };
        let literal = make(kind, at, 0)?;
        self.postfix(literal)
    }

    /// `.`, `.a.b`
    fn dot_path(&mut self, at: Range<usize>) -> Parsed<Expr> {
        let next = self.tokens.get(self.at + 1);
        let first = match next {
            Some(Placed { token: Token::Ident(name), range }) if range.start == at.end => Some(name.clone()),
            Some(Placed { token: Token::Dot, range }) if range.start == at.end => {
                return Err(TemplateError::syntax(range.clone(), "expected a name between the dots"));
            }
            _ => None,
        };
        self.at += 1 + usize::from(first.is_some());
        self.segments(Base::Dot, first.into_iter().collect(), at.start)
    }

    /// `.a["b-c"]` behind a value; an index that is no constant becomes a call of `index`.
    fn segments(&mut self, base: Base, mut path: Vec<String>, start: usize) -> Parsed<Expr> {
        loop {
            let end = self.since(start).end;
            match (self.tokens.get(self.at), self.tokens.get(self.at + 1)) {
                (
                    Some(Placed { token: Token::Dot, range }),
                    Some(Placed { token: Token::Ident(name), range: next }),
                ) if range.start == end && next.start == range.end => {
                    path.push(name.clone());
                    self.at += 2;
                }
                (Some(Placed { token: Token::Dot, range }), _) if range.start == end => {
                    return Err(TemplateError::syntax(range.clone(), "expected a name behind the dot"));
                }
                (Some(Placed { token: Token::OpenBracket, range }), Some(next)) if range.start == end => {
                    let constant = match &next.token {
                        Token::Str(key) => Some(key.clone()),
                        Token::Int(index) if *index >= 0 => Some(index.to_string()),
                        _ => None,
                    };
                    let closed =
                        matches!(self.tokens.get(self.at + 2), Some(p) if p.token == Token::CloseBracket);
                    match constant {
                        Some(key) if closed => {
                            path.push(key);
                            self.at += 3;
                        }
                        _ => return self.indexed(base, path, start),
                    }
                }
                _ => break,
            }
            if path.len() > MAX_OPERANDS {
                return Err(too_many(self.since(start)));
            }
        }
        let height = if let Base::Value(value) = &base { value.height } else { 0 };
        make(ExprKind::Path(base, path), self.since(start), height)
    }

    fn indexed(&mut self, base: Base, path: Vec<String>, start: usize) -> Parsed<Expr> {
        let height = if let Base::Value(value) = &base { value.height } else { 0 };
        let value = make(ExprKind::Path(base, path), self.since(start), height)?;
        self.expect(&Token::OpenBracket, "[")?;
        let index = self.expr()?;
        self.expect(&Token::CloseBracket, "]")?;
        let range = self.since(start);
        let indexed = call("index", range.clone(), vec![value, index], range)?;
        self.postfix(indexed)
    }

    /// What may stand behind a value that is no path: `(…).a`, `f(x)[0]`.
    fn postfix(&mut self, value: Expr) -> Parsed<Expr> {
        let end = self.since(value.range.start).end;
        match self.tokens.get(self.at) {
            Some(Placed { token: Token::Dot | Token::OpenBracket, range }) if range.start == end => {
                let start = value.range.start;
                if value.height >= MAX_HEIGHT {
                    return Err(too_deep(value.range));
                }
                self.segments(Base::Value(Box::new(value)), vec![], start)
            }
            _ => Ok(value),
        }
    }

    fn missing(&self) -> TemplateError {
        TemplateError::syntax(self.here(), "expected a value")
    }
}

fn starts_argument(token: &Token) -> bool {
    matches!(
        token,
        Token::Ident(_)
            | Token::Variable(_)
            | Token::Str(_)
            | Token::Int(_)
            | Token::Float(_)
            | Token::Dot
            | Token::OpenParen
            | Token::Bang
    )
}

fn too_deep(range: Range<usize>) -> TemplateError {
    TemplateError::limit(range, format!("the expression is nested deeper than {MAX_HEIGHT} levels"))
}

fn too_many(range: Range<usize>) -> TemplateError {
    TemplateError::limit(range, format!("more than {MAX_OPERANDS} parts in one expression"))
}

fn make(kind: ExprKind, range: Range<usize>, below: u32) -> Parsed<Expr> {
    let height = below + 1;
    if height > MAX_HEIGHT {
        return Err(too_deep(range));
    }
    Ok(Expr { kind, range, height })
}

/// A call of `name`, written at `at`; `range` is the whole call.
fn call(name: &str, at: Range<usize>, args: Vec<Expr>, range: Range<usize>) -> Parsed<Expr> {
    let wrong = |message: String| TemplateError::new(TemplateErrorKind::Function, at.clone(), message);
    let Some(function) = function::find(name) else {
        let error = wrong(format!("unknown function `{name}`"));
        return Err(match function::suggestion(name) {
            Suggestion::Called(known) => error.meaning(known),
            Suggestion::Instead(advice) => error.with_hint(advice),
        });
    };
    if !function.accepts(args.len()) {
        return Err(wrong(format!("`{name}` takes {}, not {}", function.arity(), args.len()))
            .with_hint(format!("write `{}`; a piped value counts as one", function.usage)));
    }
    let height = args.iter().map(|arg| arg.height).max().unwrap_or(0);
    make(kind_of(function, args), range, height)
}

fn kind_of(function: &'static Function, mut args: Vec<Expr>) -> ExprKind {
    match function.name {
        "and" => ExprKind::And(args),
        "or" => ExprKind::Or(args),
        "not" if args.len() == 1 => ExprKind::Not(Box::new(args.remove(0))),
        "if_then_else" => match <[Expr; 3]>::try_from(args) {
            Ok(three) => ExprKind::Choice(Box::new(three)),
            Err(args) => ExprKind::Call(function, args),
        },
        _ => ExprKind::Call(function, args),
    }
}
