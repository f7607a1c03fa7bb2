//! `printf`, with Go's verbs as far as workflows use them.

use minijinja::value::Value;

use super::convert::{json_of, number, text_of};
use super::text::within;
use crate::template::function::CallError;

/// Widest field and finest precision.
const MAX_WIDTH: usize = 1000;

/// `printf format value…`
pub(crate) fn printf(args: &[Value]) -> Result<Value, CallError> {
    let format = text_of(&args[0])?;
    let mut values = args[1..].iter();
    let mut out = String::with_capacity(format.len());
    let mut rest = format.as_ref();
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (verb, after) = Verb::read(rest)?;
        let value =
            values.next().ok_or_else(|| CallError::Value("`printf` has too few values".to_owned()))?;
        verb.write(value, &mut out)?;
        within(out.len())?;
        rest = after;
    }
    out.push_str(rest);
    if values.next().is_some() {
        return Err(CallError::Value("`printf` has more values than its format uses".to_owned()));
    }
    Ok(Value::from(out))
}

/// `%-08.3f`
struct Verb {
    left: bool,
    zero: bool,
    plus: bool,
    width: usize,
    precision: Option<usize>,
    letter: char,
}

impl Verb {
    fn read(text: &str) -> Result<(Self, &str), CallError> {
        let flags = text.len() - text.trim_start_matches(['-', '+', '0', ' ', '#']).len();
        let (flags, rest) = text.split_at(flags);
        let (width, rest) = digits(rest)?;
        let (precision, rest) = match rest.strip_prefix('.') {
            Some(rest) => digits(rest).map(|(precision, rest)| (Some(precision), rest))?,
            None => (None, rest),
        };
        let letter =
            rest.chars().next().ok_or_else(|| CallError::Value("`printf` format ends in `%`".to_owned()))?;
        let verb = Self {
            left: flags.contains('-'),
            zero: flags.contains('0') && !flags.contains('-'),
            plus: flags.contains('+'),
            width,
            precision,
            letter,
        };
        Ok((verb, &rest[letter.len_utf8()..]))
    }

    fn write(&self, value: &Value, out: &mut String) -> Result<(), CallError> {
        let wrong = |what: &str| CallError::Value(format!("`%{}` of `printf` needs {what}", self.letter));
        let int = || number(value).and_then(super::convert::Number::int).ok_or_else(|| wrong("a number"));
        let signed =
            |text: String| if self.plus && !text.starts_with('-') { format!("+{text}") } else { text };
        let text = match self.letter {
            's' | 'v' => {
                let text = text_of(value)?;
                match self.precision {
                    Some(most) => text.chars().take(most).collect(),
                    None => text.into_owned(),
                }
            }
            'q' => json_of(&Value::from(text_of(value)?.as_ref()))?,
            'd' => signed(int()?.to_string()),
            'x' => format!("{:x}", int()?),
            'X' => format!("{:X}", int()?),
            'o' => format!("{:o}", int()?),
            'b' => format!("{:b}", int()?),
            'f' => {
                let float = number(value).ok_or_else(|| wrong("a number"))?.float();
                signed(format!("{float:.*}", self.precision.unwrap_or(6)))
            }
            'g' => signed(number(value).ok_or_else(|| wrong("a number"))?.float().to_string()),
            't' => match text_of(value)?.as_ref() {
                text @ ("true" | "false") => text.to_owned(),
                _ => return Err(wrong("a boolean")),
            },
            letter => return Err(CallError::Value(format!("`printf` does not know `%{letter}`"))),
        };
        self.pad(&text, out);
        Ok(())
    }

    fn pad(&self, text: &str, out: &mut String) {
        let missing = self.width.saturating_sub(text.chars().count());
        if self.left {
            out.push_str(text);
            out.extend(std::iter::repeat_n(' ', missing));
        } else if self.zero && !matches!(self.letter, 's' | 'v' | 'q' | 't') {
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
            out.push_str(sign);
            out.extend(std::iter::repeat_n('0', missing));
            out.push_str(digits);
        } else {
            out.extend(std::iter::repeat_n(' ', missing));
            out.push_str(text);
        }
    }
}

fn digits(text: &str) -> Result<(usize, &str), CallError> {
    let len = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(len);
    let number = if digits.is_empty() { Some(0) } else { digits.parse().ok() };
    match number.filter(|number| *number <= MAX_WIDTH) {
        Some(number) => Ok((number, rest)),
        None => Err(CallError::Value(format!("widths of `printf` end at {MAX_WIDTH}"))),
    }
}
