//! What templates mean.

use super::*;

#[test]
fn both_spellings_mean_the_same() {
    table(&[
        ("a path", "{{ .inputs.version-bump }}", "minor"),
        ("a path in brackets", "{{ inputs[\"version-bump\"] }}", "minor"),
        ("a path without a dot", "{{ inputs.version-bump }}", "minor"),
        ("single quotes in brackets", "{{ inputs['version-bump'] }}", "minor"),
        ("mixed", "{{ .inputs[\"version-bump\"] }}", "minor"),
        ("a pipe", "{{ .inputs.version-bump | shell_quote }}", "'minor'"),
        ("a pipe without a dot", "{{ inputs[\"version-bump\"] | shell_quote }}", "'minor'"),
        ("a pipe with an argument", "{{ .inputs.absent | default \"x\" | upper }}", "X"),
        ("a pipe with parentheses", "{{ inputs.absent | default(\"x\") | upper }}", "X"),
        ("replace in a pipe", "{{ .inputs.env | replace \"pr\" \"g\" }}", "god"),
        ("replace with parentheses in a pipe", "{{ inputs.env | replace('pr', 'g') }}", "god"),
        ("replace by prefix", "{{ replace \"pr\" \"g\" .inputs.env }}", "god"),
        ("replace called", "{{ replace('pr', 'g', inputs.env) }}", "god"),
        ("split by prefix", "{{ split \"a,b\" \",\" | join \"+\" }}", "a+b"),
        ("split in a pipe", "{{ \"a,b\" | split \",\" | join \"+\" }}", "a+b"),
        ("split with parentheses in a pipe", "{{ \"a,b\" | split(\",\") | join(\"+\") }}", "a+b"),
        ("join called", "{{ join(split(\"a,b\", \",\"), \"+\") }}", "a+b"),
        ("prefix with a nested call", "{{ if_then_else (eq .inputs.env \"prod\") \"a\" \"b\" }}", "a"),
        ("the same called", "{{ if_then_else(eq(inputs.env, \"prod\"), \"a\", \"b\") }}", "a"),
        ("inline if", "{{ \"a\" if inputs.env == \"prod\" else \"b\" }}", "a"),
        ("inline if without else", "{{ \"a\" if inputs.env == \"dev\" }}", ""),
        (
            "an element",
            "{{ .event.payload.list.1 }}{{ event.payload.list[1] }}{{ index .event.payload.list 1 }}",
            "qqq",
        ),
        ("an index from a value", "{{ event.payload[outputs.version] | default(inputs[\"env\"]) }}", "prod"),
        ("an index of an index", "{{ (index .event.payload.dependencies 1).name }}", "y"),
        ("a called function's element", "{{ split(\"a,b\", \",\")[1] }}", "b"),
    ]);
}

#[test]
fn names_of_the_dot_dialect() {
    table(&[
        ("the first segment in any case", "{{ .Inputs.env }}{{ .INPUTS.env }}", "prodprod"),
        ("but not the second", "{{ .Inputs.Name }}{{ .inputs.name | default \"no\" }}", "Nno"),
        (
            "the event's own fields in any case",
            "{{ .Event.Payload.version }}{{ .event.Type }}",
            "2.0.0library_built",
        ),
        ("in camel case", "{{ .Event.SchemaVersion }}", "1.0.0"),
        ("a payload's fields as they are", "{{ .Event.Payload.Version }}", "other"),
        (
            "dashes in any segment",
            "{{ .event.payload.a-b }}{{ .steps.step-1.x }}{{ .steps.build.out-dir }}",
            "dashydist",
        ),
        ("a step's output, short", "{{ .steps.build.version }}{{ steps.build.version }}", "1.2.31.2.3"),
        ("a step's output, long", "{{ .steps.build.outputs.version }}", "1.2.3"),
        ("the root", "{{ $.inputs.env }}", "prod"),
        ("whole outputs", "{{ .outputs }}", "{\"version\":\"1.2.3\"}"),
        ("event and run", "{{ .event.id }} {{ .run.repo }}@{{ .run.commit }}", "e1 acme/app@abc"),
    ]);
}

#[test]
fn what_values_print() {
    table(&[
        (
            "a number as written",
            "{{ .inputs.count }} {{ .inputs.ratio }} {{ .event.payload.float }}",
            "3 1.5 1.0",
        ),
        ("a large number", "{{ .event.payload.big }}", "18446744073709551615"),
        ("booleans", "{{ .inputs.flag }} {{ .inputs.off }}", "true false"),
        ("null prints nothing", "[{{ .inputs.absent }}{{ nil }}{{ none }}]", "[]"),
        ("a name of env that is not set", "[{{ .env.NOPE }}{{ env.NOPE }}{{ .env.HOME }}]", "[/home/me]"),
        (
            "lists and maps are JSON",
            "{{ .event.payload.list }}{{ .event.payload.map }}",
            r#"["p","q","r"]{"a":1,"b":2}"#,
        ),
        ("a value is rendered once", "{{ .inputs.text }}", "a'b \"c\" {{ .inputs.env }}"),
        (
            "literals",
            "{{ \"a\" }}{{ 'b' }}{{ `c\\n` }}{{ 1 }}{{ -2 }}{{ 1.5 }}{{ true }}",
            "abc\\n1-21.5true",
        ),
        ("escapes", r#"{{ "a\tb\"c\\" }}"#, "a\tb\"c\\"),
    ]);
}

#[test]
fn text_is_left_alone() {
    table(&[
        ("shell", "${VAR} ${#x} $(( 1 + {{ .inputs.count }} ))", "${VAR} ${#x} $(( 1 + 3 ))"),
        ("jinja tags", "{% if x %} {# c #} {%- {{ .inputs.env }} #} %}", "{% if x %} {# c #} {%- prod #} %}"),
        ("a brace at the end", "{{ .inputs.env }}{", "prod{"),
        ("a brace before an action", "{{{ .inputs.env }}}", "{prod}"),
        ("lines and quotes", "a\r\n\"b\\n\" {{ .inputs.env }}\n\n", "a\r\n\"b\\n\" prod\n\n"),
        ("GitHub's spelling", "${{ .inputs.env }}", "$prod"),
        ("a comment", "a{{/* no {{ */}}b{{- /* c */ -}} d", "abd"),
        ("trims", "a \n {{- .inputs.env -}} \n b", "aprodb"),
        ("no action at all", "{% raw %}\n", "{% raw %}\n"),
    ]);
}

#[test]
fn blocks() {
    table(&[
        ("if", "{{ if .inputs.flag }}a{{ end }}{{ if .inputs.off }}b{{ end }}", "a"),
        ("else", "{{ if .inputs.off }}a{{ else }}b{{ end }}", "b"),
        ("absent is not more", "{{ if gt .event.payload.nope 1 }}a{{ else }}b{{ end }}", "b"),
        (
            "nor less",
            "{{ if or (lt .event.payload.nope 1) (le 1 .event.payload.nope) }}a{{ else }}b{{ end }}",
            "b",
        ),
        ("else if", "{{ if .inputs.off }}a{{ else if eq .inputs.env \"prod\" }}b{{ else }}c{{ end }}", "b"),
        ("several else if", "{{ if false }}a{{ else if false }}b{{ else if true }}c{{ end }}", "c"),
        (
            "what counts as true",
            "{{ if \"\" }}1{{ end }}{{ if 0 }}2{{ end }}{{ if \"0\" }}3{{ end }}{{ if .event.payload.list }}4{{ end }}",
            "34",
        ),
        (
            "range over a list",
            "{{ range .event.payload.dependencies }}{{ .name }}={{ .v }};{{ end }}",
            "x=1;y=2;",
        ),
        ("range over texts", "{{ range .event.payload.list }}[{{ . }}]{{ end }}", "[p][q][r]"),
        ("range with index", "{{ range $i, $v := .event.payload.list }}{{ $i }}{{ $v }}{{ end }}", "0p1q2r"),
        (
            "range with one variable",
            "{{ range $v := .event.payload.list }}{{ $v }}{{ . }}{{ end }}",
            "ppqqrr",
        ),
        (
            "range over a map is sorted",
            "{{ range $k, $v := .event.payload.map }}{{ $k }}{{ $v }}{{ end }}",
            "a1b2",
        ),
        (
            "range over a map rebinds the dot to values",
            "{{ range .event.payload.map }}{{ . }}{{ end }}",
            "12",
        ),
        ("range over nothing", "{{ range .inputs.absent }}a{{ else }}b{{ end }}", "b"),
        (
            "the root inside a range",
            "{{ range .event.payload.list }}{{ $.inputs.env }}{{ inputs.count }}{{ end }}",
            "prod3prod3prod3",
        ),
        (
            "nested ranges",
            "{{ range $a := .event.payload.list }}{{ range $.event.payload.map }}{{ $a }}{{ . }}{{ end }}{{ end }}",
            "p1p2q1q2r1r2",
        ),
        ("with", "{{ with .event.payload.nested }}{{ .a.b }}{{ end }}", "deep"),
        ("with of nothing", "{{ with .event.payload.nope }}a{{ else }}{{ .inputs.env }}{{ end }}", "prod"),
        ("with a variable", "{{ with $x := .inputs.env }}{{ $x }}{{ . }}{{ end }}", "prodprod"),
        ("with steps", "{{ with .steps.build }}{{ .version }}{{ .outputs.version }}{{ end }}", "1.2.31.2.3"),
        ("a variable", "{{ $x := .inputs.env | upper }}{{ $x }}{{ $x | lower }}", "PRODprod"),
        ("a variable with fields", "{{ $p := .event.payload }}{{ $p.version }}", "2.0.0"),
        ("a variable set in a branch", "{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        (
            "a variable declared anew in a branch",
            "{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}",
            "21",
        ),
        (
            "a variable set in a loop",
            "{{ $x := 0 }}{{ range .event.payload.list }}{{ $x = . }}{{ end }}{{ $x }}",
            "r",
        ),
    ]);
}

#[test]
fn operators() {
    let cases = [
        ("eq", "eq .inputs.env \"prod\""),
        ("eq with several", "eq .inputs.env \"dev\" \"prod\""),
        ("ne", "ne .inputs.env \"dev\""),
        ("order of numbers", "and (lt 1 2) (le 2 2) (gt 3 2) (ge 3 3)"),
        ("order of texts", "lt \"a\" \"b\""),
        ("a text that reads as a number", "eq .inputs.num 10"),
        ("order with such a text", "gt .inputs.num 9"),
        ("two texts are texts", "lt \"10\" \"9\""),
        ("a number and its text", "eq .inputs.count \"3\""),
        ("a whole float", "eq .event.payload.float 1"),
        ("a boolean and its text", "eq .inputs.flag \"true\""),
        ("an absent value and no text", "eq .inputs.absent \"\""),
        ("infix", ".inputs.env == \"prod\" && .inputs.env != 'dev'"),
        ("infix words", "inputs.env == 'prod' and not inputs.off"),
        ("infix or", "false || .inputs.flag"),
        ("infix order", "1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3"),
        ("bang", "!.inputs.off && !false"),
        ("not", "not .inputs.off"),
        ("not in Go's order", "not (eq .inputs.env \"dev\")"),
        ("and, or of prefix calls", "and (or false .inputs.flag) true"),
        ("prefix calls between infix", "eq .inputs.env \"prod\" && ne .inputs.env \"x\""),
        ("prefix calls between words", "eq .inputs.env \"prod\" and ne .inputs.env \"x\""),
        ("a pipe binds tighter than a comparison", "inputs.absent | default(\"y\") == \"y\""),
        ("a prefix call binds tighter than a pipe", "eq .inputs.env \"dev\" | not"),
        ("precedence", "true || false && false"),
        ("short circuit", "false && (index .event.payload.list 99) || true"),
    ];
    for (name, expr) in cases {
        assert_eq!(render(&format!("{{{{ {expr} }}}}")).as_deref(), Ok("true"), "{name}");
        assert_eq!(render(&format!("{{{{ if {expr} }}}}y{{{{ end }}}}")).as_deref(), Ok("y"), "{name}");
    }
    table(&[(
        "and, or and not give booleans",
        "{{ and 1 \"a\" }}{{ or 0 \"\" }}{{ not \"\" }}{{ 1 && 2 }}",
        "truefalsetruetrue",
    )]);
}

#[test]
fn functions() {
    table(&[
        ("shell_quote", "{{ shell_quote \"it's\" }}{{ shell_quote \"\" }}", r"'it'\''s'''"),
        ("json_escape", "{{ .event.payload.json | json_escape }}", r#"q\"\\\n"#),
        ("url_encode", "{{ .event.payload.url | url_encode }}", "a+b%26c%2F%C3%A4"),
        ("html_escape", "{{ .event.payload.html | html_escape }}", "&lt;a href=&#39;x&#39;&gt;&amp;&#34;"),
        (
            "event_field",
            "{{ event_field \"payload.version\" .event }}{{ .event | event_field \"version\" }}",
            "2.0.02.0.0",
        ),
        (
            "event_field of the event",
            "{{ event_field \"type\" .event }}{{ event_field \"version\" .event.payload }}",
            "library_built2.0.0",
        ),
        (
            "event_has_field",
            "{{ event_has_field \"payload.version\" .event }}{{ .event | event_has_field \"payload.nope\" }}",
            "truefalse",
        ),
        ("event_has_field of a null", "{{ event_has_field \"none\" .event }}", "true"),
        (
            "event_filter",
            "{{ event_filter \"library\" .event }}{{ .event | event_filter \"nope\" }}",
            "truefalse",
        ),
        (
            "default replaces missing, null and empty",
            "{{ default \"d\" .event.payload.nope }}{{ .event.payload.none | default \"e\" }}{{ .event.payload.empty | default \"f\" }}",
            "def",
        ),
        (
            "default keeps zero and false",
            "{{ .event.payload.zero | default 5 }}{{ .inputs.off | default true }}",
            "0false",
        ),
        ("default of a default", "{{ .a.b | default .inputs.absent | default \"z\" }}", "z"),
        (
            "empty",
            "{{ empty .event.payload.nope }}{{ empty \"\" }}{{ empty .event.payload.none }}{{ empty .event.payload.list }}",
            "truetruetruefalse",
        ),
        ("trim, upper, lower", "{{ trim \" a \" }}{{ upper \"a\" }}{{ lower \"B\" }}", "aAb"),
        (
            "contains",
            "{{ contains \"ro\" .inputs.env }}{{ .inputs.env | contains \"x\" }}{{ contains \"q\" .event.payload.list }}{{ contains \"a\" .event.payload.map }}",
            "truefalsetruetrue",
        ),
        (
            "has_prefix, has_suffix",
            "{{ has_prefix \"pr\" .inputs.env }}{{ .inputs.env | has_suffix \"od\" }}",
            "truetrue",
        ),
        ("index", "{{ index .event.payload \"map\" \"b\" }}{{ index .event.payload.list 0 }}", "2p"),
        ("split of nothing", "{{ split \"\" \",\" | len }}{{ split \"ab\" \"\" }}", "0[\"a\",\"b\"]"),
        ("join of numbers", "{{ join (values .event.payload.map) \",\" }}", "1,2"),
        ("to_string", "{{ to_string .inputs.count | printf \"%s!\" }}", "3!"),
        (
            "to_int",
            "{{ to_int \"42\" }} {{ to_int \"x\" }} {{ to_int 3.9 }} {{ to_int \" 7 \" }} {{ to_int true }} {{ to_int .inputs.absent }}",
            "42 0 3 7 1 0",
        ),
        (
            "to_float",
            "{{ to_float \"1.5\" }} {{ to_float \"x\" }} {{ to_float 2 }} {{ to_float \"inf\" }}",
            "1.5 0 2 0",
        ),
        (
            "to_bool",
            "{{ to_bool \"true\" }} {{ to_bool 1 }} {{ to_bool \"YES\" }} {{ to_bool \"no\" }} {{ to_bool .inputs.flag }}",
            "true true true false true",
        ),
        (
            "keys and values",
            "{{ keys .event.payload.map }}{{ values .event.payload.map }}",
            "[\"a\",\"b\"][1,2]",
        ),
        (
            "range_map",
            "{{ range range_map .event.payload.map }}{{ .key }}={{ .value }} {{ end }}",
            "a=1 b=2 ",
        ),
        (
            "length",
            "{{ length .event.payload.list }}{{ len \"äö\" }}{{ len .event.payload.map }}{{ .inputs.absent | length }}",
            "3220",
        ),
        (
            "first, last",
            "{{ first .event.payload.list }}{{ last .event.payload.list }}{{ first \"xy\" }}{{ last \"xy\" }}",
            "prxy",
        ),
        ("first of nothing", "[{{ first (split \"\" \",\") }}]", "[]"),
        ("if_then_else takes one branch", "{{ if_then_else true \"a\" .event.payload.nope }}", "a"),
        (
            "printf",
            "{{ printf \"%s-%d %5.2f|%-4s|%04d|%v %q %t %x %%\" \"a\" 3 1.5 \"b\" 7 .inputs.env \"q\" true 255 }}",
            "a-3  1.50|b   |0007|prod \"q\" true ff %",
        ),
        ("null is the empty text", "[{{ upper .inputs.absent }}{{ .inputs.absent | trim }}]", "[]"),
    ]);
}

#[test]
fn literal_templates_are_known() {
    for (source, want) in [("a {% b %}", true), ("", true), ("{{ .a }}", false), ("{{/* c */}}", false)] {
        assert_eq!(Template::compile(source).map(|template| template.is_literal()), Ok(want), "{source}");
    }
}
