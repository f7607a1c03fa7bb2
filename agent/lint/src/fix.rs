//! Carrying out repairs.

use std::collections::BTreeMap;

use tako_schemas::diagnostic::{Diagnostic, Edit, Fix, SourceFile, Span};
use tako_schemas::load;

/// A file after its repairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// Its new text.
    pub text: String,
    /// How many repairs were carried out. One that overlaps another has to wait for the next time.
    pub count: usize,
}

/// More repairs of a file are not tried one by one.
const MAX_SINGLE: usize = 100;

/// Carries out the repairs of `diagnostics` on the file they are about; `None` where there is nothing to repair.
///
/// A repair after which a file that loads would not load any more is left out.
#[must_use]
pub fn fix(source: &SourceFile, diagnostics: &[Diagnostic]) -> Option<Fixed> {
    let repairs: Vec<&Fix> = diagnostics.iter().filter_map(|found| found.fix.as_ref()).collect();
    let all = apply(source, &repairs)?;
    let loads = |text: &str| load::load(&SourceFile::new(source.name(), text)).manifest.is_some();
    if loads(&all.text) || !loads(source.text()) {
        return Some(all);
    }
    if repairs.len() > MAX_SINGLE {
        return None;
    }
    let mut kept = Vec::new();
    for repair in repairs {
        kept.push(repair);
        if !apply(source, &kept).is_some_and(|fixed| loads(&fixed.text)) {
            kept.pop();
        }
    }
    apply(source, &kept)
}

fn apply(source: &SourceFile, repairs: &[&Fix]) -> Option<Fixed> {
    // By their place, so that only neighbours have to be asked.
    let mut edits: BTreeMap<Span, &Edit> = BTreeMap::new();
    let mut count = 0;
    for repair in repairs {
        let fits = |edit: &Edit| {
            let (before, behind) = (edits.range(..edit.span).rev().take(2), edits.range(edit.span..).take(2));
            source.text().get(edit.span.start..edit.span.end).is_some()
                && !before.chain(behind).any(|(_, other)| overlap(edit, other))
        };
        if repair.edits.iter().all(fits) {
            edits.extend(repair.edits.iter().map(|edit| (edit.span, edit)));
            count += 1;
        }
    }
    if count == 0 {
        return None;
    }
    let mut text = String::with_capacity(source.text().len());
    let mut at = 0;
    for edit in edits.into_values() {
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
    fn repairs_that_break_a_file_are_left_out() {
        let source = SourceFile::new("f", "version: 1\nworkflows: {w: {steps: [make]}}\n");
        let repair = |old: &str, new: &str| {
            let start = source.text().find(old).unwrap();
            Diagnostic::info("TK0606", "m", start..start + old.len()).with_fix(
                "t",
                start..start + old.len(),
                new,
            )
        };
        let fixed = fix(&source, &[repair("w:", "v:"), repair("}}", "}"), repair("make", "build")]).unwrap();
        assert_eq!((fixed.count, fixed.text.as_str()), (2, "version: 1\nworkflows: {v: {steps: [build]}}\n"));
    }

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
