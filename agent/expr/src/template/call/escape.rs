//! Text made safe for another language.

use minijinja::value::Value;

use super::convert::text_of;
use crate::template::function::CallError;

/// One word of a POSIX shell, whatever the text: always in single quotes, in which nothing is special but the
/// single quote itself.
pub(crate) fn shell_quote(args: &[Value]) -> Result<Value, CallError> {
    let text = text_of(&args[0])?;
    if text.contains('\0') {
        return Err(CallError::Value("a NUL character cannot be passed to a shell".to_owned()));
    }
    Ok(Value::from(format!("'{}'", text.replace('\'', r"'\''"))))
}

/// The inside of a JSON string, without the quotes around it.
pub(crate) fn json_escape(args: &[Value]) -> Result<Value, CallError> {
    let quoted = serde_json::Value::from(text_of(&args[0])?.as_ref()).to_string();
    Ok(Value::from(&quoted[1..quoted.len() - 1]))
}

/// One value of a query string.
pub(crate) fn url_encode(args: &[Value]) -> Result<Value, CallError> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let text = text_of(&args[0])?;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    Ok(Value::from(out))
}

/// Text of an HTML document or attribute.
pub(crate) fn html_escape(args: &[Value]) -> Result<Value, CallError> {
    let text = text_of(&args[0])?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    Ok(Value::from(out))
}
