//! Hostile sources and values.

use std::process::Command;

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn hostile_sources_meet_a_limit() {
    let nested =
        |open: &str, close: &str, n: usize| format!("{{{{ {}1{} }}}}", open.repeat(n), close.repeat(n));
    let cases = [
        ("parentheses", nested("(", ")", 100_000)),
        ("calls", nested("upper(", ")", 100_000)),
        ("bangs", nested("!", "", 100_000)),
        ("nots", nested("not ", "", 100_000)),
        ("brackets", nested("inputs[", "]", 100_000)),
        ("pipes", format!("{{{{ .a{} }}}}", " | upper".repeat(50_000))),
        ("comparisons", format!("{{{{ 1{} }}}}", " == 1".repeat(50_000))),
        ("conjunctions", format!("{{{{ 1{} }}}}", " && 1".repeat(50_000))),
        ("disjunctions", format!("{{{{ 1{} }}}}", " or 1".repeat(50_000))),
        ("segments", format!("{{{{ {} }}}}", ".a".repeat(50_000))),
        ("inline ifs", format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(50_000))),
        ("arguments", format!("{{{{ printf {} }}}}", "1 ".repeat(50_000))),
        ("blocks", "{{ if true }}".repeat(50_000)),
        ("a large source", "a".repeat(MAX_SOURCE + 1)),
    ];
    for (name, source) in cases {
        let Err(error) = Template::compile(&source) else { panic!("{name}: compiled") };
        assert_eq!(error.kind, TemplateErrorKind::Limit, "{name}: {error}");
    }
}

#[test]
fn deep_but_allowed_sources_compile() {
    let cases = [
        ("parentheses", format!("{{{{ {}1{} }}}}", "(".repeat(25), ")".repeat(25))),
        ("calls", format!("{{{{ {}1{} }}}}", "to_string(".repeat(30), ")".repeat(30))),
        ("nots", format!("{{{{ {}true }}}}", "not ".repeat(30))),
        ("choices", format!("{{{{ 1{} }}}}", " if true else 1".repeat(25))),
        (
            "blocks",
            format!(
                "{}{{{{ {}1{} }}}}{}",
                "{{ if true }}".repeat(16),
                "upper(".repeat(28),
                ")".repeat(28),
                "{{ end }}".repeat(16)
            ),
        ),
        ("conjunctions", format!("{{{{ 1{} }}}}", " && 1".repeat(99))),
        ("else ifs", format!("{{{{ if false }}}}{}{{{{ end }}}}", "{{ else if false }}".repeat(500))),
        ("many actions", "{{ .inputs.env }}\n".repeat(20_000)),
    ];
    for (name, source) in cases {
        assert_eq!(render(&source).err(), None, "{name}");
    }
}

#[test]
fn what_grows_within_the_limit_is_rendered() {
    let context = Context::new(json!({"inputs": {"x": "a".repeat(600_000)}}));
    let grown =
        Template::compile("{{ replace \"aa\" \"aaa\" .inputs.x | len }}").and_then(|t| t.render(&context));
    assert_eq!(grown.as_deref(), Ok("900000"));
}

#[test]
fn what_cannot_be_ordered_is_described() {
    let error = render("{{ lt \"a\" 1 }}").unwrap_err().to_string();
    assert!(error.contains("the text \"a\"") && error.contains("the number 1"), "{error}");
}

#[test]
fn hostile_renderings_meet_a_limit() {
    let list: Vec<u32> = (0..2_000).collect();
    let context = json!({"list": list, "big": "x".repeat(200_000), "vast": "x".repeat(10 << 20), "l": vec![1; 5 << 20]});
    let context = Context::new(json!({"inputs": context}));
    let cases = [
        ("10 MB", "{{ .inputs.vast }}"),
        ("10 MB, quoted", "{{ .inputs.vast | shell_quote }}"),
        ("a list of 10 MB", "{{ range .inputs.l }}{{ . }}{{ end }}"),
        (
            "loops",
            "{{ range .inputs.list }}{{ range $.inputs.list }}{{ range $.inputs.list }}{{ end }}{{ end }}{{ end }}",
        ),
        ("output", "{{ range .inputs.list }}{{ $.inputs.big }}{{ end }}"),
        (
            "doubling",
            "{{ $x := .inputs.big }}{{ range .inputs.list }}{{ $x = printf \"%s%s\" $x $x }}{{ end }}",
        ),
        ("replacing", "{{ replace \"x\" .inputs.big .inputs.big }}"),
        ("work", "{{ range .inputs.list }}{{ if contains \"y\" $.inputs.big }}{{ end }}{{ end }}"),
        ("escaping", "{{ .inputs.big | replace \"x\" \"'\" | shell_quote | shell_quote }}"),
    ];
    for (name, source) in cases {
        let Err(error) = Template::compile(source).and_then(|t| t.render(&context)) else {
            panic!("{name}: rendered")
        };
        assert!(
            error.kind == TemplateErrorKind::Limit || error.message.contains("larger than"),
            "{name}: {error}"
        );
    }
}

proptest! {
    #[test]
    fn text_outside_actions_is_kept(before in "[^{]*(\\{[%#a ])?", after in "\\PC*") {
        prop_assume!(!after.contains("{{") && !before.ends_with('{'));
        let source = format!("{before}{{{{ .inputs.env }}}}{after}");
        prop_assert_eq!(render(&source), Ok(format!("{before}prod{after}")));
    }

    #[test]
    fn any_value_is_printed_as_it_is(value in "\\PC*") {
        let context = Context::new(json!({"inputs": {"x": value.clone()}}));
        let rendered = Template::compile("{{ .inputs.x }}").and_then(|t| t.render(&context));
        prop_assert_eq!(rendered, Ok(value));
    }

    #[test]
    fn any_source_compiles_or_is_refused(source in "(\\{\\{|\\}\\}|[-.$|()!=&<>\"'a\\[\\]:, 1]|if |range |with |else|end|default |\\{%){0,40}") {
        if let Ok(template) = Template::compile(&source) {
            // Missing fields are refused; nothing else may happen.
            _ = template.render(&context());
        }
    }

    #[test]
    fn any_text_compiles_or_is_refused(source in "\\PC*") {
        _ = Template::compile(&format!("{{{{ {source} }}}}"));
    }

    #[test]
    fn emitted_source_always_compiles(source in "\\{\\{ (\\.a|[a-f]+|\"\\PC{0,5}\"|[ (),|!.$=&]|eq |not ){1,12} \\}\\}") {
        // What we accept, minijinja must accept: an error of its own would be about text the user never wrote.
        if let Err(error) = Template::compile(&source) {
            prop_assert!(!error.message.contains("syntax error"), "{}", error);
        }
    }
}

#[test]
fn quoted_text_is_one_word_of_a_shell() {
    let texts = [
        "",
        "a",
        "it's",
        "$(id)",
        "`id`",
        "a\nb",
        "\\",
        "'",
        "''",
        "-n",
        "\u{1b}[0m",
        "ä\u{1f600}",
        "a\tb",
        "\r",
    ];
    let mut generated: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
    // Every pair of the characters a shell could care about.
    let special: Vec<char> = " \t\n'\"\\$`!*?[]{}()<>|&;#~=%-a".chars().collect();
    generated.extend(special.iter().flat_map(|a| special.iter().map(move |b| format!("{a}{b}"))));
    let mut script = String::new();
    for text in &generated {
        let context = Context::new(json!({"inputs": {"x": text}}));
        let quoted = Template::compile("{{ .inputs.x | shell_quote }}").and_then(|t| t.render(&context));
        script.push_str(&format!("printf '%s\\001' {}\n", quoted.expect("no NUL")));
    }
    let output = Command::new("sh").arg("-c").arg(&script).output().expect("sh runs");
    let want: String = generated.iter().map(|text| format!("{text}\u{1}")).collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout), want);
}
