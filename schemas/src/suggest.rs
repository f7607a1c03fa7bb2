//! Did you mean: the known name that a mistyped one is closest to.

/// Longer names get no suggestion: comparing costs the product of the lengths.
const MAX_LEN: usize = 64;
/// No more names are compared: a hostile file may declare very many.
const MAX_KNOWN: usize = 500;

/// The one of `known` that `name` most likely stands for, if any is close enough.
/// Case and `-` against `_` do not count.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.is_empty() || name.len() > MAX_LEN {
        return None;
    }
    let name = folded(name);
    known
        .into_iter()
        .take(MAX_KNOWN)
        .filter(|candidate| candidate.len() <= MAX_LEN)
        .map(|candidate| (strsim::damerau_levenshtein(&name, &folded(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= allowance(name.len().min(candidate.len())))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many edits still make a likely slip in a name of `len` bytes.
fn allowance(len: usize) -> usize {
    match len {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    }
}

fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn suggestions() {
        let known = ["run", "runs_on", "timeout", "steps", "if"];
        let cases = [
            ("a letter missing", "timeot", Some("timeout")),
            ("two letters swapped", "setps", Some("steps")),
            ("a hyphen", "runs-on", Some("runs_on")),
            ("capitals", "If", Some("if")),
            ("nothing like it", "banana", None),
            ("too short to guess", "x", None),
            ("empty", "", None),
        ];
        for (name, typed, want) in cases {
            assert_eq!(closest(typed, known), want, "{name}");
        }
        assert_eq!(closest(&"x".repeat(100_000), known), None);
    }
}
