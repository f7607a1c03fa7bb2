use proptest::prelude::*;

use super::*;
use crate::diagnostic::Position;

fn read(text: &str) -> Parsed {
    parse(&SourceFile::new("tako.yml", text))
}

fn root(text: &str) -> Item {
    let parsed = read(text);
    assert_eq!(parsed.diagnostics, [], "{text}");
    parsed.root.unwrap_or_else(|| panic!("no root: {text}"))
}

fn get<'t>(item: &'t Item, path: &str) -> &'t Item {
    path.split('.').fold(item, |item, part| match item.content() {
        Content::Mapping(entries) => {
            &entries.iter().find(|entry| entry.key == part).unwrap_or_else(|| panic!("no {part}")).value
        }
        Content::Sequence(items) => &items[part.parse::<usize>().unwrap()],
        Content::Scalar(_) => panic!("{part}: a scalar"),
    })
}

#[test]
fn values_keep_their_text_and_their_place() {
    let text = "a: 1.50\nb: 'it''s'\nc: \"x\\ty\"\nd: [1, two]\ne:\nf: {g: true}\n";
    let tree = root(text);
    let cases = [
        ("a", "1.50", "1.50"),
        ("b", "it's", "'it''s'"),
        ("c", "x\ty", "\"x\\ty\""),
        ("d.1", "two", "two"),
        ("e", "", "e"),
        ("f.g", "true", "true"),
    ];
    for (path, value, written) in cases {
        let item = get(&tree, path);
        assert_eq!(item.scalar().unwrap().text.as_str(), value, "{path}");
        assert_eq!(&text[item.span().start..item.span().end], written, "{path}");
    }
    let written = |path| {
        let span = get(&tree, path).span();
        &text[span.start..span.end]
    };
    assert_eq!(written("d"), "[1, two]");
    assert_eq!(written("f"), "{g: true}");
    assert!(get(&tree, "e").is_null());
    assert_eq!(tree.span(), Span::new(0, text.len() - 1));
}

/// The place in the file of the first `needle` in the scalar at `path`.
fn place(text: &str, path: &str, needle: &str) -> (usize, usize) {
    let file = SourceFile::new("tako.yml", text);
    let tree = root(text);
    let scalar = &get(&tree, path).scalar().unwrap().text;
    let at = scalar.as_str().find(needle).unwrap_or_else(|| panic!("{needle:?} in {:?}", scalar.as_str()));
    let span = scalar.locate(at..at + needle.len());
    assert_eq!(&text[span.start..span.end], needle, "{text:?}");
    let Position { line, column } = file.position(span.start);
    (line, column)
}

#[test]
fn offsets_within_scalars_are_exact() {
    let cases = [
        ("plain", "a: echo X", "a", (1, 9)),
        ("plain behind a two-byte character", "a: ä X", "a", (1, 6)),
        ("double-quoted", "a: \"echo X\"", "a", (1, 10)),
        ("single-quoted", "a: 'echo X'", "a", (1, 10)),
        ("literal, first line", "a: |\n  X\n", "a", (2, 3)),
        ("literal, later line", "a: |\n  one\n  two X\n", "a", (3, 7)),
        ("literal, deeper line", "a: |\n  one\n     X\n", "a", (3, 6)),
        ("literal with a comment", "a: | # why\n  one\n  X\n", "a", (3, 3)),
        ("literal with an indicator", "a: |1\n   one\n  X\n", "a", (3, 3)),
        ("literal with an indicator and a deeper first line", "a: |2\n      one\n  X\n", "a", (3, 3)),
        ("literal with leading blank lines", "a: |\n\n\n  one\n  X\n", "a", (5, 3)),
        ("literal with blank lines inside", "a: |\n  one\n\n  X\n", "a", (4, 3)),
        ("literal with a blank line of blanks", "a: |\n  one\n    \n  X\n", "a", (4, 3)),
        ("literal, kept", "a: |+\n  one\n  X\n\n", "a", (3, 3)),
        ("literal, stripped", "a: |-\n  one\n  X\n", "a", (3, 3)),
        ("literal without a last newline", "a: |\n  one\n  X", "a", (3, 3)),
        ("literal with CRLF", "a: |\r\n  one\r\n  X\r\n", "a", (3, 3)),
        ("literal with CRLF and blank lines", "b: 1\r\na: |\r\n\r\n  one\r\n\r\n  X\r\n", "a", (6, 3)),
        ("literal in a sequence", "- |\n one\n X\n", "0", (3, 2)),
        ("literal as a step", "steps:\n  - run: |\n      one\n      X\n  - two\n", "steps.0.run", (4, 7)),
        ("literal with a tab inside", "a: |\n  one\n  \tX\n", "a", (3, 4)),
        ("literal behind a bar in a comment", "# |\na: |\n  X |\n", "a", (3, 3)),
        ("behind a byte order mark", "\u{feff}a: |\n  X\n", "a", (2, 3)),
    ];
    for (name, text, path, want) in cases {
        assert_eq!(place(text, path, "X"), want, "{name}");
    }
}

#[test]
fn the_span_of_a_block_begins_at_its_bar() {
    let text = "a: |\n\n  one\n  two\n\nb: >-\n  three\n  four\n\nc: 1\n";
    let tree = root(text);
    let written = |path| {
        let span = get(&tree, path).span();
        &text[span.start..span.end]
    };
    assert_eq!(written("a"), "|\n\n  one\n  two");
    assert_eq!(written("b"), ">-\n  three\n  four");
}

#[test]
fn without_an_exact_map_the_whole_scalar_is_meant() {
    for text in ["a: \"x \\n X\"", "a: one\n  X", "a: 'it''s X'", "a: >\n  one\n  X\n"] {
        let tree = root(text);
        let scalar = &get(&tree, "a").scalar().unwrap().text;
        let at = scalar.as_str().find('X').unwrap();
        assert_eq!(scalar.locate(at..at + 1), scalar.span(), "{text}");
    }
}

#[test]
fn aliases_share_their_node_and_merges_keep_own_keys() {
    let tree = root("a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\nd: {<<: [{x: 8}, *a], z: 9}\n");
    assert_eq!(get(&tree, "b").span(), get(&tree, "a").span());
    assert_ne!(get(&tree, "b").used_at(), get(&tree, "a").used_at());
    assert_eq!(get(&tree, "c").to_json(), serde_json::json!({"y": 3, "x": 1}));
    assert_eq!(get(&tree, "d").to_json(), serde_json::json!({"z": 9, "x": 8, "y": 2}));
    let merged = get(&tree, "c").mapping().unwrap()[1].merged_at.unwrap();
    assert!(merged.start > get(&tree, "b").used_at().end);
}

#[test]
fn problems_have_codes_places_and_hints() {
    let cases = [
        ("a duplicate key", "a: 1\nb: 2\na: 3\n", &[(code::DUPLICATE_KEY, 3, 1, "remove")][..]),
        (
            "two of them",
            "a: 1\na: 2\nb: {c: 1, 'c': 2}\n",
            &[(code::DUPLICATE_KEY, 2, 1, "remove"), (code::DUPLICATE_KEY, 3, 11, "remove")],
        ),
        (
            "two merges",
            "x: &x {a: 1}\nb:\n  <<: *x\n  <<: *x\n",
            &[(code::DUPLICATE_KEY, 4, 3, "`<<: [*a, *b]`")],
        ),
        ("an unquoted template", "a: {{ .x }}\n", &[(code::UNQUOTED_TEMPLATE, 1, 4, "\"{{ .x }}\"")]),
        (
            "an unquoted template with a quote in it",
            "a: {{ .x | default \"y\" }}\n",
            &[(code::UNQUOTED_TEMPLATE, 1, 4, "'{{ .x | default \"y\" }}'")],
        ),
        (
            "an unquoted template with text behind it",
            "- run: {{ x }}-y\n",
            &[(code::UNQUOTED_TEMPLATE, 1, 8, "\"{{ x }}-y\"")],
        ),
        (
            "an unquoted template in a list",
            "a: [{{ x }}]\n",
            &[(code::UNQUOTED_TEMPLATE, 1, 5, "\"{{ x }}\"")],
        ),
        (
            "a colon behind a template",
            "run: echo ${{ a }}: b\n",
            &[(code::SYNTAX, 1, 19, "\"echo ${{ a }}: b\"")],
        ),
        ("an unknown anchor", "a: *b\n", &[(code::UNKNOWN_ANCHOR, 1, 4, "anchor")]),
        ("an anchor that contains itself", "a: &s [*s]\n", &[(code::UNKNOWN_ANCHOR, 1, 8, "anchor")]),
        ("a later anchor", "a: *b\nb: &b 1\n", &[(code::UNKNOWN_ANCHOR, 1, 4, "first place")]),
        ("a merge of text", "a: {<<: text}\n", &[(code::WRONG_MERGE, 1, 9, "anchor")]),
        ("a mapping as a key", "{a: 1}: 2\n", &[(code::WRONG_KEY, 1, 2, "quote")]),
        ("no key", ": 1\n", &[(code::WRONG_KEY, 1, 1, "write the key")]),
        ("two documents", "a: 1\n---\nb: 2\n", &[(code::SEVERAL_DOCUMENTS, 2, 1, "---")]),
        ("a directive", "%YAML 1.2\n---\na: 1\n", &[(code::SEVERAL_DOCUMENTS, 1, 1, "%")]),
        ("an unknown tag", "a: !!python/object:os.system x\n", &[(code::WRONG_TAG, 1, 4, "remove")]),
        ("a tag that does not fit", "a: !!int x\n", &[(code::WRONG_TAG, 1, 4, "remove")]),
        ("a local tag on a list", "a: !include [x]\n", &[(code::WRONG_TAG, 1, 4, "remove")]),
        ("a tab", "a:\n\tb: 1\n", &[(code::TAB, 2, 1, "blanks")]),
        ("a tab that is noticed above", "- id: a\n\trun: b\n", &[(code::TAB, 2, 1, "blanks")]),
        (
            "a colon behind a template's quote",
            "run: echo {{ .x | default \"a: b\" }}\n",
            &[(code::SYNTAX, 1, 29, "quote the value: 'echo {{ .x | default \"a: b\" }}'")],
        ),
        ("an alias in a list", "- [main, *-x]\n", &[(code::UNKNOWN_ANCHOR, 1, 10, "earlier")]),
        ("a glob", "- *.go\n", &[(code::UNKNOWN_ANCHOR, 1, 3, "\"*.go\"")]),
        ("a mistyped alias", "a: &base {}\nb: *bsae\n", &[(code::UNKNOWN_ANCHOR, 2, 4, "`*base`")]),
        ("a star", "branches: [*]\n", &[(code::SYNTAX, 1, 12, "\"*\"")]),
        (
            "a colon without its blank",
            "a: 1\ntimeout:10m\nrun: x\n",
            &[(code::SYNTAX, 2, 8, "`timeout: 10m`")],
        ),
        (
            "a colon without its blank, first",
            "timeout:10m\nrun: x\n",
            &[(code::SYNTAX, 1, 8, "`timeout: 10m`")],
        ),
        ("a dash without its blank", "- a\n-go test\n", &[(code::SYNTAX, 2, 1, "`- go test`")]),
        ("a key below a value", "a: 1\n  b: 2\n", &[(code::SYNTAX, 2, 3, "same column")]),
        ("an unknown escape", "a: \"\\d+\"\n", &[(code::SYNTAX, 1, 5, "single quotes")]),
        ("text behind a quote", "a: \"x\" y\n", &[(code::SYNTAX, 1, 8, "'\"x\" y'")]),
        ("a quote in quotes", "a: 'it's'\n", &[(code::SYNTAX, 1, 8, "'it''s'")]),
        ("a bracket closed by a brace", "a: [x}\n", &[(code::SYNTAX, 1, 6, "write `]`")]),
        ("a bracket too many", "a: [x]]\n", &[(code::SYNTAX, 1, 7, "remove it")]),
        ("a bracket that is open above", "a: [1, 2\nb: 3\n", &[(code::SYNTAX, 1, 4, "close it with `]`")]),
        ("a colon in braces", "a: {x: y z: 2}\n", &[(code::SYNTAX, 1, 11, "separate entries")]),
        ("a dash in brackets", "a: [x, - y]\n", &[(code::SYNTAX, 1, 8, "leave the `-` out")]),
        ("a list behind a key", "a: - b\n", &[(code::SYNTAX, 1, 4, "next line")]),
        ("a negation", "if: !inputs.skip\n", &[(code::WRONG_TAG, 1, 5, "\"!inputs.skip\"")]),
        ("a NUL", "a: 1\nb: \0\n", &[(code::CONTROL_CHARACTER, 2, 4, "\\x00")]),
        ("an escape sequence", "a: \x1b[31m\n", &[(code::CONTROL_CHARACTER, 1, 4, "\\x1B")]),
        ("a reserved character", "a: @foo\n", &[(code::SYNTAX, 1, 4, "quote the value")]),
        ("an open quote", "a: \"foo\nb: 1\n", &[(code::SYNTAX, 1, 4, "close it")]),
        ("an open bracket", "a: [1, 2\n", &[(code::SYNTAX, 1, 4, "close it with `]`")]),
        ("a colon inside", "a: b: c\n", &[(code::SYNTAX, 1, 5, "quote the value: \"b: c\"")]),
        ("uneven indentation", "a:\n    b: 1\n  c: 2\n", &[(code::SYNTAX, 3, 3, "column")]),
    ];
    for (name, text, want) in cases {
        let file = SourceFile::new("tako.yml", text);
        let found = parse(&file).diagnostics;
        let places: Vec<_> = found
            .iter()
            .map(|problem| {
                let at = file.position(problem.span.start);
                (problem.code, at.line, at.column)
            })
            .collect();
        let wanted: Vec<_> = want.iter().map(|(code, line, column, _)| (*code, *line, *column)).collect();
        assert_eq!(places, wanted, "{name}: {found:#?}");
        for (problem, (_, _, _, hint)) in found.iter().zip(want) {
            assert!(problem.hint.as_deref().unwrap_or_default().contains(hint), "{name}: {problem:?}");
        }
    }
}

#[test]
fn a_duplicate_key_shows_both_places() {
    let found = read("one: 1\ntwo: 2\none: 3\n").diagnostics;
    assert_eq!((found[0].span, found[0].labels[0].span), (Span::new(14, 17), Span::new(0, 3)));
}

#[test]
fn byte_order_mark_and_crlf_are_fine() {
    assert_eq!(root("\u{feff}a: 1\r\nb:\r\n  - x\r\n").to_json(), serde_json::json!({"a": 1, "b": ["x"]}));
    assert_eq!(root("---\na: 1\n...\n").to_json(), serde_json::json!({"a": 1}));
}

#[test]
fn an_empty_file_says_nothing() {
    for text in ["", "\n\n", "# only a comment\n"] {
        let parsed = read(text);
        assert!(parsed.diagnostics.is_empty(), "{text:?}");
        assert!(parsed.root.is_none_or(|root| root.is_null()), "{text:?}");
    }
}

/// Aliases of aliases: `levels` lists of nine, each of the one before.
fn bomb(levels: usize) -> String {
    let mut text = "a0: &a0 lol\n".to_owned();
    for level in 1..=levels {
        let below = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    text
}

#[test]
fn hostile_files_are_refused_with_one_message() {
    let chain = {
        let mut text = "a0: &a0 [x]\n".to_owned();
        for level in 1..200 {
            text.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
        }
        text
    };
    let merges = {
        let mut text = "a0: &a0 {k0: v}\n".to_owned();
        for level in 1..2_000 {
            text.push_str(&format!("a{level}: &a{level} {{<<: *a{}, k{level}: v}}\n", level - 1));
        }
        text
    };
    let cases = [
        ("a bomb", bomb(30), code::EXPANDS_TOO_FAR),
        ("a small bomb", bomb(6), code::EXPANDS_TOO_FAR),
        (
            "long text many times",
            format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a,".repeat(200)),
            code::EXPANDS_TOO_FAR,
        ),
        ("too many items", format!("[{}]", "a,".repeat(200_000)), code::EXPANDS_TOO_FAR),
        ("a chain of aliases", chain, code::TOO_DEEP),
        ("merges of merges", merges, code::TOO_DEEP),
        ("brackets", "[".repeat(100_000), code::TOO_DEEP),
        ("braces", "{a: ".repeat(100_000), code::TOO_DEEP),
        ("deep blocks", (0..500).map(|i| format!("{}a:\n", " ".repeat(i))).collect(), code::TOO_DEEP),
        ("dashes", "- ".repeat(5_000), code::TOO_DEEP),
        ("a large file", "#".repeat(MAX_FILE + 1), code::TOO_LARGE),
    ];
    for (name, text, code) in cases {
        let parsed = read(&text);
        assert!(parsed.root.is_none(), "{name}");
        assert_eq!(parsed.diagnostics.len(), 1, "{name}");
        assert_eq!(parsed.diagnostics[0].code, code, "{name}: {:?}", parsed.diagnostics[0]);
    }
}

#[test]
fn large_files_within_the_limits_are_read() {
    let cases = [
        ("many keys", (0..45_000).map(|i| format!("k{i}: v\n")).collect::<String>()),
        ("many anchors", (0..40_000).map(|i| format!("- &a{i} v\n")).collect()),
        ("a long plain scalar", format!("a: {}\n", "x".repeat(1_000_000))),
        ("a long quoted scalar", format!("a: \"{}\"\n", "x".repeat(1_000_000))),
        ("a long number", format!("a: {}\n", "9".repeat(1_000_000))),
        ("a long block", format!("a: |\n{}", "  x\n".repeat(200_000))),
        ("blank lines", format!("a: |\n{}  x\n", "\n".repeat(500_000))),
    ];
    for (name, text) in cases {
        let parsed = read(&text);
        assert_eq!(parsed.diagnostics, [], "{name}");
        assert!(parsed.root.is_some(), "{name}");
    }
}

#[test]
fn thousands_of_problems_are_cut_short() {
    let found = read(&"a: 1\n".repeat(100_000)).diagnostics;
    assert!((100..1_000).contains(&found.len()));
}

proptest! {
    #[test]
    fn no_text_makes_the_tree_panic(text in "[a-c:{}\\[\\]&*!|>'\"%@`,#?<~\\- \t\r\n\u{feff}ä1.]{0,80}") {
        let file = SourceFile::new("tako.yml", text.clone());
        let parsed = parse(&file);
        let mut stack: Vec<Item> = parsed.root.into_iter().collect();
        while let Some(item) = stack.pop() {
            let span = item.span();
            prop_assert!(text.get(span.start..span.end).is_some(), "{:?} {:?}", text, span);
            match item.content() {
                Content::Scalar(scalar) => {
                    let value = scalar.text.as_str();
                    for (at, c) in value.char_indices().filter(|(_, c)| *c != '\n') {
                        let place = scalar.text.locate(at..at + c.len_utf8());
                        if place != scalar.text.span() {
                            prop_assert_eq!(text.get(place.start..place.end), value.get(at..at + c.len_utf8()));
                        }
                    }
                }
                Content::Sequence(items) => stack.extend(items.iter().cloned()),
                Content::Mapping(entries) => stack.extend(entries.iter().map(|entry| entry.value.clone())),
            }
        }
        for problem in parsed.diagnostics {
            prop_assert!(problem.span.start <= problem.span.end && problem.span.end <= text.len());
        }
    }
}
