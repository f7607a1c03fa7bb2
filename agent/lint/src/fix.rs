//! Carrying out repairs.

use tako_schemas::diagnostic::{Diagnostic, Edit, SourceFile};

/// A file after its repairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// Its new text.
    pub text: String,
    /// How many repairs were carried out. One that overlaps another has to wait for the next time.
    pub count: usize,
}

/// Carries out the repairs of `diagnostics` on the file they are about; `None` where there is nothing to repair.
#[must_use]
pub fn fix(source: &SourceFile, diagnostics: &[Diagnostic]) -> Option<Fixed> {
    let mut edits: Vec<&Edit> = Vec::new();
    let mut count = 0;
    for repair in diagnostics.iter().filter_map(|found| found.fix.as_ref()) {
        let fits = |edit: &Edit| {
            source.text().get(edit.span.start..edit.span.end).is_some()
                && !edits.iter().any(|other| overlap(edit, other))
        };
        if repair.edits.iter().all(fits) {
            edits.extend(&repair.edits);
            count += 1;
        }
    }
    if count == 0 {
        return None;
    }
    edits.sort_by_key(|edit| edit.span);
    let mut text = String::with_capacity(source.text().len());
    let mut at = 0;
    for edit in edits {
        text.push_str(&source.text()[at..edit.span.start]);
        text.push_str(&edit.text);
        at = edit.span.end;
    }
    text.push_str(&source.text()[at..]);
    Some(Fixed { text, count })
}

fn overlap(a: &Edit, b: &Edit) -> bool {
    a.span == b.span || (a.span.start < b.span.end && b.span.start < a.span.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repairs_that_do_not_overlap_are_carried_out() {
        let source = SourceFile::new("f", "one two three");
        let repair = |start, end, text: &str| {
            Diagnostic::info("TK0606", "m", start..end).with_fix("t", start..end, text)
        };
        let cases = [
            ("none", vec![], None),
            ("one", vec![repair(4, 7, "2")], Some(("one 2 three", 1))),
            ("in any order", vec![repair(8, 13, "3"), repair(0, 3, "1")], Some(("1 two 3", 2))),
            (
                "the first of two that overlap",
                vec![repair(0, 7, "x"), repair(4, 13, "y")],
                Some(("x three", 1)),
            ),
            ("a removal", vec![repair(3, 7, "")], Some(("one three", 1))),
            ("outside of the file", vec![repair(9, 99, "x")], None),
        ];
        for (name, diagnostics, want) in cases {
            let got = fix(&source, &diagnostics).map(|fixed| (fixed.text, fixed.count));
            assert_eq!(got, want.map(|(text, count)| (text.to_owned(), count)), "{name}");
        }
    }
}
