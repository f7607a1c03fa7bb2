//! Inputs whose values mean nothing to a shell, whatever they say.

use regex_syntax::hir::{Class, Hir, HirKind, Look};
use tako_schemas::workflow::{Input, InputKind};

/// Whether no value that the input accepts can mean anything to a shell.
pub(super) fn is_harmless(input: &Input) -> bool {
    let validation = &input.validation;
    input.kind != InputKind::String
        || validation.r#enum.is_some()
        || validation.pattern.as_ref().is_some_and(|pattern| allows_only_plain(pattern.as_str()))
}

/// Whether a pattern holds for whole values, and lets no character pass that means something to a shell.
fn allows_only_plain(pattern: &str) -> bool {
    let Ok(hir) = regex_syntax::parse(pattern) else { return false };
    let properties = hir.properties();
    properties.look_set_prefix().contains(Look::Start)
        && properties.look_set_suffix().contains(Look::End)
        && is_plain(&hir)
}

fn is_plain(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => {
            std::str::from_utf8(&literal.0).is_ok_and(|text| text.chars().all(plain))
        }
        HirKind::Class(Class::Unicode(class)) => class.iter().all(|range| {
            // All letters of other scripts pass; of ASCII, each is looked at.
            let ascii = range.start()..=range.end().min('\x7f');
            ascii.into_iter().all(plain) && SPACES.iter().all(|c| !(range.start()..=range.end()).contains(c))
        }),
        HirKind::Class(Class::Bytes(class)) => class
            .iter()
            .all(|range| (range.start()..=range.end()).all(|b| b.is_ascii() && plain(char::from(b)))),
        HirKind::Repetition(repetition) => is_plain(&repetition.sub),
        HirKind::Capture(capture) => is_plain(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().all(is_plain),
    }
}

fn plain(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace()
        || c.is_ascii_alphanumeric()
        || matches!(c, '_' | '-' | '.' | '/' | ':' | '@' | '%' | '+' | '=' | ',')
}

/// Blanks beyond ASCII, which no shell splits at, but some programs do.
const SPACES: [char; 3] = ['\u{85}', '\u{a0}', '\u{2028}'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, want) in [
            ("^v[0-9]+$", true),
            (r"^\d+\.\d+$", true),
            (r"^[\w.-]+$", true),
            ("^(main|release/.+)$", false),
            ("^(main|release/[a-z]+)$", true),
            ("^main$|^dev$", true),
            ("v[0-9]+", false),
            ("^v[0-9]+", false),
            ("[0-9]+$", false),
            ("^a|b$", false),
            ("^.+$", false),
            (r"^\S+$", false),
            ("^[^;]+$", false),
            ("^a b$", false),
            (r"(?m)^v$", false),
            ("(", false),
        ] {
            assert_eq!(allows_only_plain(pattern), want, "{pattern}");
        }
    }
}
