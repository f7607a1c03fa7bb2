//! "Did you mean": the known name closest to one that is not known.

/// No more candidates are compared: a hostile file may declare very many.
const MAX_CANDIDATES: usize = 1_000;

/// The candidate that `name` most likely meant, if one is close enough.
pub(crate) fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Distance is quadratic; nobody misspells a name of hundreds of characters.
    if name.len() > 64 {
        return None;
    }
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .take(MAX_CANDIDATES)
        .filter(|candidate| candidate.len() <= 80)
        .map(|candidate| {
            (strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase()), candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A hint: the closest name, else the whole list when it is short.
pub(crate) fn hint(name: &str, candidates: &[&str]) -> Option<String> {
    if let Some(candidate) = closest(name, candidates.iter().copied()) {
        return Some(format!("did you mean `{candidate}`?"));
    }
    match candidates {
        [] => None,
        few if few.len() <= 16 => Some(format!("available: {}", few.join(", "))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_names_are_suggested_and_far_ones_are_not() {
        let cases = [
            ("a letter swapped", "verison", Some("version")),
            ("a letter missing", "input", Some("inputs")),
            ("another case", "VERSION", Some("version")),
            ("nothing alike", "zebra", None),
        ];
        for (name, given, want) in cases {
            assert_eq!(closest(given, ["version", "inputs"]), want, "{name}");
        }
        // As long as a name that is compared, and longer.
        let known = "v".repeat(65);
        assert_eq!(closest(&"v".repeat(64), [known.as_str()]), Some(known.as_str()));
        assert_eq!(closest(&"v".repeat(66), [known.as_str()]), None);
    }
}
