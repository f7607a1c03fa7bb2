//! What malformed versions and ranges most likely mean, for repairs.

use super::{MAX_LEN, OPERATORS, VersionRange, is_plain_version};

/// The plain version that `text` most likely means: `v1.2.0` is `1.2.0`, `1.2` is `1.2.0`.
#[must_use]
pub fn repaired_version(text: &str) -> Option<String> {
    full(text.trim()).filter(|version| version != text && is_plain_version(version))
}

/// The range that `text` most likely means: `^1.2` is `^1.2.0`, `1.x` is `^1.0.0`. Nothing where more than one is
/// likely: a bare `1.2` is an exact version to some tools and a range to others.
#[must_use]
pub fn repaired(text: &str) -> Option<String> {
    if text.len() > MAX_LEN || text.parse::<VersionRange>().is_ok() {
        return None;
    }
    let text = text.trim();
    let repaired = if text.starts_with(['[', '(']) {
        interval(text)
    } else if let Some((lower, upper)) = text.split_once(" - ") {
        Some(format!("[{}...{}]", full(lower.trim())?, full(upper.trim())?))
    } else {
        comparators(text)
    }?;
    repaired.parse::<VersionRange>().is_ok().then_some(repaired)
}

/// `[1.0,2.0)` → `[1.0.0...2.0.0)`
fn interval(text: &str) -> Option<String> {
    let inner = text.get(1..text.len().checked_sub(1)?)?;
    let separator = ["...", "..", ",", ";"].into_iter().find(|separator| inner.contains(separator))?;
    let (lower, upper) = inner.split_once(separator)?;
    let bound = |text: &str| if text.trim().is_empty() { Some(String::new()) } else { full(text.trim()) };
    Some(format!("{}{}...{}{}", &text[..1], bound(lower)?, bound(upper)?, &text[text.len() - 1..]))
}

fn comparators(text: &str) -> Option<String> {
    let text = text.replace("=>", ">=").replace("=<", "<=").replace("==", "=");
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let sign =
            ["~>"].into_iter().chain(OPERATORS.map(|(sign, _)| sign)).find(|sign| rest.starts_with(sign));
        let sign = sign.unwrap_or_default();
        let after = rest[sign.len()..].trim_start();
        let end = after.find(|c: char| c.is_whitespace() || ",<>=^~".contains(c)).unwrap_or(after.len());
        found.push(comparator(sign, &after[..end])?);
        rest = after[end..].trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    }
    Some(found.join(" "))
}

fn comparator(sign: &str, version: &str) -> Option<String> {
    let parts: Vec<&str> = version.split('.').collect();
    let wild = parts.iter().position(|part| matches!(*part, "*" | "x" | "X"));
    let known = &parts[..wild.unwrap_or(parts.len())];
    let version = full(&known.join("."))?;
    let major: u64 = known.first()?.trim_start_matches(['v', 'V']).parse().ok()?;
    // A caret keeps the left-most number that is not zero: below 1.0.0 that is not the first one.
    let of_major = || match major {
        0 => Some(">=0.0.0 <1.0.0".to_owned()),
        _ => Some(format!("^{version}")),
    };
    match (sign, known.len(), wild.is_some()) {
        ("", 3, false) | ("=", 3, _) => Some(version),
        ("", 1, true) | ("~" | "^", 1, _) => of_major(),
        ("", _, true) => Some(format!("~{version}")),
        ("^", 2, _) if version.starts_with("0.0.") => Some(format!("~{version}")),
        // To other tools `>1.2` begins behind all of 1.2; `1.2` alone means many things.
        ("" | "=", ..) | (">" | "<=", 1 | 2, _) => None,
        // The last number that is written may grow.
        ("~>", 1 | 2, _) => Some(format!(">={version} <{}.0.0", major.checked_add(1)?)),
        ("~>", ..) => Some(format!("~{version}")),
        _ => Some(format!("{sign}{version}")),
    }
}

/// `v1.2` → `1.2.0`
fn full(version: &str) -> Option<String> {
    let bare = version.strip_prefix(['v', 'V']).unwrap_or(version);
    let (numbers, rest) = bare.split_at(bare.find(['-', '+']).unwrap_or(bare.len()));
    let parts: Vec<&str> = numbers.split('.').collect();
    let plain = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if !plain || parts.len() > 3 {
        return None;
    }
    Some(format!("{numbers}{}{rest}", ".0".repeat(3 - parts.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let cases = [
            ("^1.2", Some("^1.2.0")),
            ("^1", Some("^1.0.0")),
            ("~1.2", Some("~1.2.0")),
            ("~1", Some("^1.0.0")),
            (">=1.0 <2", Some(">=1.0.0 <2.0.0")),
            (">=1.0.0<2.0.0", Some(">=1.0.0 <2.0.0")),
            (">=1.0.0,", Some(">=1.0.0")),
            ("=>1.0.0", Some(">=1.0.0")),
            ("==1.0.0", Some("1.0.0")),
            ("~>1.2", Some(">=1.2.0 <2.0.0")),
            ("~>1.2.3", Some("~1.2.3")),
            ("~> 2", Some(">=2.0.0 <3.0.0")),
            ("0.x", Some(">=0.0.0 <1.0.0")),
            ("^0", Some(">=0.0.0 <1.0.0")),
            ("^0.0", Some("~0.0.0")),
            ("^0.2", Some("^0.2.0")),
            (">1.2", None),
            ("1.x", Some("^1.0.0")),
            ("1.*", Some("^1.0.0")),
            ("1.2.*", Some("~1.2.0")),
            (">=1.2.x", Some(">=1.2.0")),
            ("v1.2.3", Some("1.2.3")),
            ("^v1.0.0", Some("^1.0.0")),
            ("1.0.0 - 2.0", Some("[1.0.0...2.0.0]")),
            ("[1.0.0,2.0.0)", Some("[1.0.0...2.0.0)")),
            ("[1.0.0..2.0.0]", Some("[1.0.0...2.0.0]")),
            ("[1.0...2.0.0]", Some("[1.0.0...2.0.0]")),
            ("1.2", None),
            ("*", None),
            ("latest", None),
            ("1.0.0 || 2.0.0", None),
            ("!=1.0.0", None),
            ("^", None),
            ("[", None),
            ("^1.0.0", None),
        ];
        for (text, want) in cases {
            assert_eq!(repaired(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn versions() {
        let cases = [("v1.2.0", Some("1.2.0")), ("1.2", Some("1.2.0")), ("1.2.0-rc.1", None), ("one", None)];
        for (text, want) in cases {
            assert_eq!(repaired_version(text).as_deref(), want, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]().^~<>=!|*,vxé 0-9-]{0,24}") {
            let _ = (repaired(&text), repaired_version(&text));
        }
    }
}
