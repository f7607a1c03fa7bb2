//! Looks at an expression before any parser does.
//!
//! The parser recurses and the interpreter walks what it makes: a few thousand operators in a row would overflow
//! a stack and end the process. So length, nesting and chains are bounded on the bare tokens.

use super::error::{CelError, Limit};
use super::lexer::{Lexeme, Lexemes};

/// Refuses a `source` that is too long, or whose `cel` is too deep or too wide.
pub(crate) fn check(source: &str, cel: &str) -> Result<(), CelError> {
    if source.len() > Limit::Length.bound() {
        return Err(CelError::over(Limit::Length));
    }
    // Operators seen so far at each level of brackets.
    let mut levels = vec![0_usize];
    for (lexeme, _) in Lexemes::new(cel) {
        match lexeme {
            Lexeme::Open => {
                levels.push(0);
                if levels.len() - 1 > Limit::Nesting.bound() {
                    return Err(CelError::over(Limit::Nesting));
                }
            }
            Lexeme::Close if levels.len() > 1 => {
                levels.pop();
                count(&mut levels)?;
            }
            // A separator ends a chain: elements of a list lie side by side.
            Lexeme::Comma => {
                if let Some(chain) = levels.last_mut() {
                    *chain = 0;
                }
            }
            Lexeme::Dot | Lexeme::Symbol => count(&mut levels)?,
            _ => {}
        }
    }
    Ok(())
}

fn count(levels: &mut [usize]) -> Result<(), CelError> {
    let Some(chain) = levels.last_mut() else { return Ok(()) };
    *chain += 1;
    if *chain > Limit::Chain.bound() { Err(CelError::over(Limit::Chain)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bounds() {
        let cases = [
            ("a plain expression", "a.b == 'x' && c".to_owned(), None),
            ("4096 bytes", format!("'{}'", "a".repeat(4094)), None),
            ("4097 bytes", format!("'{}'", "a".repeat(4095)), Some(Limit::Length)),
            ("32 levels", format!("{}1{}", "(".repeat(32), ")".repeat(32)), None),
            ("33 levels", format!("{}1{}", "(".repeat(33), ")".repeat(33)), Some(Limit::Nesting)),
            ("brackets in a text", format!("'{}'", "(".repeat(100)), None),
            ("500 operators", format!("1{}", "+1".repeat(500)), None),
            ("501 operators", format!("1{}", "+1".repeat(501)), Some(Limit::Chain)),
            ("501 fields", format!("a{}", ".a".repeat(501)), Some(Limit::Chain)),
            ("501 calls", format!("a{}", ".a()".repeat(501)), Some(Limit::Chain)),
            ("501 signs", format!("{}1", "-".repeat(501)), Some(Limit::Chain)),
            ("501 negations", format!("{}true", "!".repeat(501)), Some(Limit::Chain)),
            ("501 choices", format!("1{}", "?1:1".repeat(501)), Some(Limit::Chain)),
            ("501 indexes", format!("a{}", "[0]".repeat(501)), Some(Limit::Chain)),
            ("600 elements", format!("[{}]", "-1,".repeat(600)), None),
            ("50,000 terms", "1+".repeat(50_000), Some(Limit::Length)),
            ("100,000 parentheses", "(".repeat(100_000), Some(Limit::Length)),
        ];
        for (name, source, limit) in cases {
            assert_eq!(check(&source, &source).err(), limit.map(CelError::over), "{name}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_judged(source in "\\PC*") {
            _ = check(&source, &source);
        }
    }
}
