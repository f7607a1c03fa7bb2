//! What is wrong with templates, and what they name.

use super::*;

#[test]
fn missing_fields_are_errors_unless_allowed_for() {
    table(&[
        ("default", "{{ .event.payload.nope | default \"d\" }}", "d"),
        ("default behind functions", "{{ .event.payload.nope.deeper | upper | default \"d\" }}", "d"),
        ("default behind index", "{{ index .event.payload \"nope\" | default \"d\" }}", "d"),
        ("default behind event_field", "{{ event_field \"nope\" .event | default \"d\" }}", "d"),
        ("empty", "{{ empty .event.payload.nope }}", "true"),
        ("if", "{{ if .event.payload.nope }}a{{ else }}b{{ end }}", "b"),
        ("a comparison in if", "{{ if eq .event.payload.nope \"x\" }}a{{ else }}b{{ end }}", "b"),
        ("event_has_field", "{{ event_has_field \"a.b\" .event.nope }}", "false"),
    ]);
    let cases = [
        (
            "a field of the payload",
            "a {{ .event.payload.versoin }}",
            "event.payload.versoin",
            "did you mean `version`?",
            5..27,
        ),
        ("in the other spelling", "{{ event.payload[\"nope\"] }}", "event.payload.nope", "`none`", 3..24),
        ("in a function", "{{ upper .event.payload.nope }}", "event.payload.nope", "`none`", 9..28),
        ("an undeclared input", "{{ .inputs.nope }}", "inputs.nope", "available", 3..15),
        ("below an absent value", "{{ .inputs.absent.x }}", "inputs.absent.x", "default", 3..19),
        (
            "in a range",
            "{{ range .event.payload.dependencies }}{{ .nam }}{{ end }}",
            "event.payload.dependencies.*.nam",
            "`name`",
            42..46,
        ),
        (
            "the root's names in a range",
            "{{ range .event.payload.list }}{{ .inputs.env }}{{ end }}",
            "event.payload.list.*.inputs.env",
            "$.inputs.env",
            34..45,
        ),
        (
            "a step",
            "{{ .steps.biuld.version }}",
            "steps.biuld.outputs.version",
            "did you mean `build`?",
            3..23,
        ),
        (
            "a list to range over",
            "{{ range .event.payload.nope }}{{ end }}",
            "event.payload.nope",
            "`none`",
            9..28,
        ),
        ("on the second line", "{{ .inputs.env }}\n{{ .inputs.nope }}", "inputs.nope", "available", 21..33),
        (
            "two in one action",
            "{{ printf \"%s%s\" .inputs.env .inputs.nope }}",
            "inputs.nope",
            "available",
            29..41,
        ),
    ];
    for (name, source, path, hint, range) in cases {
        let Err(error) = render(source) else { panic!("{name}: rendered") };
        assert_eq!(error.kind, TemplateErrorKind::MissingField, "{name}: {error}");
        assert_eq!(error.message, format!("`{path}` does not exist"), "{name}");
        assert!(error.hint.as_deref().is_some_and(|found| found.contains(hint)), "{name}: {:?}", error.hint);
        assert_eq!(error.range, range, "{name}");
    }
}

#[test]
fn mistakes_are_found_without_rendering() {
    use TemplateErrorKind::{Function, Syntax, UnknownName};
    let cases = [
        ("an unknown function in a pipe", "{{ .a | uper }}", Function, 8..12, "did you mean `upper`?"),
        ("an unknown function with arguments", "{{ uper .a }}", Function, 3..7, "did you mean `upper`?"),
        ("a function of Sprig", "{{ .a | quote }}", Function, 8..13, "did you mean `shell_quote`?"),
        ("too few arguments", "{{ default \"x\" }}", Function, 3..10, "default fallback value"),
        ("too many arguments", "{{ .a | upper \"x\" }}", Function, 8..13, "upper s"),
        ("an unclosed action", "a {{ .b", Syntax, 2..4, "close it"),
        ("an empty action", "{{ }}", Syntax, 0..5, ""),
        ("a block without end", "{{ if .a }}b", Syntax, 0..11, "{{ end }}"),
        ("end without a block", "{{ end }}", Syntax, 0..9, ""),
        ("else without a block", "{{ else }}", Syntax, 0..10, ""),
        ("two elses", "{{ if .a }}{{ else }}{{ else }}{{ end }}", Syntax, 21..31, ""),
        ("jinja's for", "{{ for x in y }}", Syntax, 0..16, "range"),
        ("arithmetic", "{{ .a + 1 }}", Syntax, 6..7, "no arithmetic"),
        ("a misspelt block", "{{ rnage .a }}", Function, 3..8, "did you mean `range`?"),
        ("an unknown variable", "{{ $nope }}", UnknownName, 3..8, "declare it"),
        (
            "a variable out of its block",
            "{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}",
            UnknownName,
            38..40,
            "declare it",
        ),
        ("setting what is not declared", "{{ $x = 1 }}", UnknownName, 3..5, "declare it"),
        ("an unclosed parenthesis", "{{ (eq .a 1 }}", Syntax, 12..12, ""),
        ("a pipe into nothing", "{{ .a | }}", Syntax, 8..8, ""),
        ("a value behind a value", "{{ .a .b }}", Syntax, 6..7, "braces of its own"),
        ("a function nobody knows", "{{ frobnicate .a }}", Function, 3..13, "docs/language.md"),
        ("JSON", "{{ toJson .a }}", Function, 3..9, "print as JSON"),
        ("a choice", "{{ .a ? 1 }}", Syntax, 6..7, "if_then_else"),
        ("jinja's blocks", "{{% if .a %}}", Syntax, 2..3, "`{{ if … }}`"),
        ("an unclosed comment", "{{/* x }}", Syntax, 0..2, "`*/}}`"),
        ("one equals sign", "{{ if .a = 1 }}{{ end }}", Syntax, 9..10, "`==` compares"),
    ];
    for (name, source, kind, range, hint) in cases {
        let Err(error) = Template::compile(source) else { panic!("{name}: compiled") };
        assert_eq!((error.kind, error.range.clone()), (kind, range), "{name}: {error}");
        assert!(error.hint.as_deref().unwrap_or("").contains(hint), "{name}: {:?}", error.hint);
    }
}

#[test]
fn roots_are_checked_against_what_is_available() {
    let step = ["inputs", "steps", "env", "event", "run", "trigger"];
    let mapping = ["event", "payload"];
    let cases = [
        ("a misspelt root", &step[..], "{{ .input.x }}", "unknown name `input`", "did you mean `inputs`?"),
        ("in the other spelling", &step, "{{ inptus.x }}", "unknown name `inptus`", "did you mean `inputs`?"),
        ("secrets", &step, "{{ .secrets.TOKEN }}", "unknown name `secrets`", "env"),
        (
            "a root of another place",
            &step,
            "{{ .payload.x }}",
            "`payload` is not available here",
            "did you mean `event.payload.x`?",
        ),
        (
            "outputs before there are any",
            &step,
            "{{ .outputs.x }}",
            "`outputs` is not available here",
            "in `produces`",
        ),
        (
            "inputs in a mapping",
            &mapping,
            "{{ .inputs.x }}",
            "`inputs` is not available here",
            "available: event, payload",
        ),
        (
            "a field of the payload alone",
            &mapping,
            "{{ .version }}",
            "unknown name `version`",
            "`payload.version`",
        ),
        ("GitHub's commit", &step, "{{ github.sha }}", "unknown name `github`", "did you mean `run.commit`?"),
        (
            "Helm's values",
            &step,
            "{{ .Values.image }}",
            "unknown name `Values`",
            "did you mean `inputs.image`?",
        ),
        ("a matrix", &step, "{{ .matrix.os }}", "unknown name `matrix`", "there is no matrix"),
        (
            "a field the event lacks",
            &step,
            "{{ .event.version }}",
            "`event` has no field `version`",
            "event.payload.version",
        ),
        (
            "a misspelt field of the event",
            &step,
            "{{ .event.paylod.x }}",
            "`event` has no field `paylod`",
            "`payload`",
        ),
        ("a field the run lacks", &step, "{{ .run.sha }}", "`run` has no field `sha`", "`run.commit`"),
        (
            "inside a condition",
            &step,
            "{{ if .nope }}{{ end }}",
            "unknown name `nope`",
            "available: inputs, steps, env, event, run",
        ),
    ];
    for (name, allowed, source, message, hint) in cases {
        let compiled = Template::compile(source).unwrap_or_else(|error| panic!("{name}: {error}"));
        let [error] = &compiled.unknown_roots(allowed)[..] else { panic!("{name}: not one error") };
        assert_eq!(error.message, message, "{name}");
        assert!(error.hint.as_deref().unwrap_or("").contains(hint), "{name}: {:?}", error.hint);
        assert!(!error.hint.as_deref().unwrap_or("").contains("trigger"), "{name}: {:?}", error.hint);
        if let Some(repaired) = &error.repaired {
            let mut source = source.to_owned();
            source.replace_range(error.range.clone(), repaired);
            let left = Template::compile(&source).map(|template| template.unknown_roots(allowed));
            assert_eq!(left, Ok(Vec::new()), "{name}: {source}");
        }
    }
    for source in
        ["{{ .Inputs.x }}{{ range .event.payload.a }}{{ .whatever }}{{ end }}{{ $.run.id }}", "{{ . }}"]
    {
        let compiled = Template::compile(source).map(|template| template.unknown_roots(&step));
        assert_eq!(compiled, Ok(Vec::new()), "{source}");
    }
    let several = Template::compile("{{ .inptus.a }} {{ .inputs.b }} {{ .setps.c }}")
        .map(|t| t.unknown_roots(&step).len());
    assert_eq!(several, Ok(2), "all of them at once");
}

#[test]
fn references_tell_what_becomes_of_a_value() {
    let cases = [
        ("printed", "{{ .event.payload.v }}", vec![("event.payload.v", Use::Output, false)]),
        (
            "quoted",
            "{{ .event.payload.v | upper | shell_quote }}",
            vec![("event.payload.v", Use::Quoted, false)],
        ),
        (
            "quoted as a part",
            "{{ printf \"%s\" .event.id | shell_quote }}",
            vec![("event.id", Use::Quoted, false)],
        ),
        (
            "quoted, and then changed",
            "{{ .event.id | shell_quote | replace \"'\" \"\" }}",
            vec![("event.id", Use::Output, false)],
        ),
        (
            "changed, and quoted again",
            "{{ .event.id | shell_quote | upper | shell_quote }}",
            vec![("event.id", Use::Quoted, false)],
        ),
        (
            "quoted, with a default",
            "{{ .event.id | shell_quote | default \"x\" }}",
            vec![("event.id", Use::Quoted, true)],
        ),
        (
            "encoded, and then changed",
            "{{ .event.id | url_encode | replace \"%3B\" \";\" }}",
            vec![("event.id", Use::Output, false)],
        ),
        ("tested", "{{ if .event.payload.v }}{{ end }}", vec![("event.payload.v", Use::Tested, true)]),
        ("compared", "{{ eq .inputs.a 1 }}", vec![("inputs.a", Use::Tested, false)]),
        (
            "with a default",
            "{{ .inputs.a | default .steps.b.c }}",
            vec![("steps.b.outputs.c", Use::Output, true), ("inputs.a", Use::Output, true)],
        ),
        (
            "through a range",
            "{{ range .event.payload.l }}{{ .n }}{{ . | shell_quote }}{{ end }}",
            vec![
                ("event.payload.l", Use::Tested, false),
                ("event.payload.l.*.n", Use::Output, false),
                ("event.payload.l.*", Use::Quoted, false),
            ],
        ),
        (
            "through a variable",
            "{{ $x := .event.payload }}{{ $x.v | shell_quote }}",
            vec![("event.payload", Use::Tested, false), ("event.payload.v", Use::Quoted, false)],
        ),
        (
            "through a computed variable",
            "{{ $x := .event.id | upper }}{{ $x | shell_quote }}",
            vec![("event.id", Use::Output, false)],
        ),
        ("env may be missing", "{{ .env.X }}", vec![("env.X", Use::Output, true)]),
    ];
    for (name, source, want) in cases {
        let template = Template::compile(source).unwrap_or_else(|error| panic!("{name}: {error}"));
        let got: Vec<_> = template.references().iter().map(|r| (r.dotted(), r.usage, r.lenient)).collect();
        let want: Vec<_> =
            want.into_iter().map(|(path, usage, lenient)| (path.to_owned(), usage, lenient)).collect();
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn values_that_make_no_sense_are_refused() {
    let cases = [
        ("a NUL for the shell", "a{{ \"\\x00\" | shell_quote }}", 4..24),
        ("no order", "{{ lt \"a\" 1 }}", 3..11),
        ("no list", "{{ range .inputs.env }}{{ end }}", 9..20),
        ("no length", "{{ len 3 }}", 3..8),
        ("too few values", "{{ printf \"%s\" }}", 3..14),
        ("a wide field", "{{ printf \"%99999d\" 1 }}", 3..21),
    ];
    for (name, source, range) in cases {
        let Err(error) = render(source) else { panic!("{name}: rendered") };
        assert_eq!((error.kind, error.range.clone()), (TemplateErrorKind::Value, range), "{name}: {error}");
    }
}
