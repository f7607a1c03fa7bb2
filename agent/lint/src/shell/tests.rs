use proptest::prelude::*;

use super::*;

/// Commands as `program: words`, behind `|` what they read, `>` where they write, and `^` what they are part of.
fn shown(source: &str) -> Vec<String> {
    let script = read(source);
    let show = |command: &Command<'_>| {
        let words: Vec<&str> = command.words.iter().map(|word| word.text).collect();
        let mut text = format!("{}: {}", command.program(), words.join(" · "));
        if !command.reads.is_empty() {
            text.push_str(&format!(" | {}..{}", command.reads.start, command.reads.end));
        }
        if let Some(target) = script.target(command) {
            text.push_str(&format!(" > {}", target.text));
        }
        if let Some(inside) = &command.inside {
            text.push_str(&format!(" ^ {}", inside.command.map_or("-".to_owned(), |at| at.to_string())));
        }
        text
    };
    script.commands.iter().filter(|command| !command.words.is_empty()).map(show).collect()
}

fn check(cases: &[(&str, &str, &[&str])], show: impl Fn(&str) -> Vec<String>) {
    let mut wrong = String::new();
    for (name, source, want) in cases {
        let got = show(source);
        if got != *want {
            wrong.push_str(&format!("{name}: wanted {want:?}, got {got:?}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn commands_and_words() {
    check(
        &[
            ("words", "go test ./...", &["go: go · test · ./..."]),
            ("lists", "a && b || c; d & e", &["a: a", "b: b", "c: c", "d: d", "e: e"]),
            ("quotes hold operators", "echo 'a | b' \"c;d\"", &["echo: echo · 'a | b' · \"c;d\""]),
            ("a template holds pipes", "echo {{ .a | upper }}x", &["echo: echo · {{ .a | upper }}x"]),
            ("comments", "a # b | c\nd", &["a: a", "d: d"]),
            ("a hash inside of a word", "a b#c", &["a: a · b#c"]),
            ("a continued line", "a \\\n  b", &["a: a · b"]),
            ("an escaped quote", "echo \\\" | a", &["echo: echo · \\\"", "a: a | 0..1"]),
            (
                "a shift is no here-document",
                "(( x = 1 << 2 ))\na $((1<<2)) b\nc",
                &["a: a · $((1<<2)) · b", "c: c"],
            ),
            ("quotes of C", "echo $'it\\'s' | a", &["echo: echo · $'it\\'s'", "a: a | 0..1"]),
            ("an array", "a=(x 'y z')\nb", &[": a=(x 'y z')", "b: b"]),
            ("a comment in an array", "a=(x # it's\n y)\nb", &[": a=(x # it's\n y)", "b: b"]),
            ("quotes in a pattern", "a \"${b%'\"'}\" c | d", &["a: a · \"${b%'\"'}\" · c", "d: d | 0..1"]),
            ("a test over lines", "[[ a &&\n b ]]\nc", &["[[: [[ · a · b · ]]", "c: c"]),
            (
                "blocks of templates",
                "{{ if .a }}make {{ end }}test\n{{ range .b }}c {{ . }}; {{ end }}",
                &["make: make · test", "c: c · {{ . }}"],
            ),
            ("a pattern of bash", "ls @(a|b)* c", &["ls: ls · @(a|b)* · c"]),
            ("a test of bash", "[[ a < b && ( c || d ) ]] && e", &["[[: [[ · a · b · c · d · ]]", "e: e"]),
            ("quotes that never end", "echo \"a\nb", &["echo: echo · \"a\nb"]),
        ],
        shown,
    );
}

#[test]
fn programs() {
    check(
        &[
            ("assignments in front", "A=1 B=2 make", &["make: A=1 · B=2 · make"]),
            ("a path", "/usr/bin/sudo x", &["x: /usr/bin/sudo · x"]),
            ("options of sudo", "sudo -E -u me bash -", &["bash: sudo · -E · -u · me · bash · -"]),
            ("a time limit", "timeout -k 5 30 curl x", &["curl: timeout · -k · 5 · 30 · curl · x"]),
            ("an environment", "env -i A=1 curl x", &["curl: env · -i · A=1 · curl · x"]),
            ("the environment itself", "env", &["env: env"]),
            ("in quotes", "\"curl\" x; \\rm y", &["curl: \"curl\" · x", "rm: \\rm · y"]),
            ("a question", "command -v sudo", &["command: command · -v · sudo"]),
            ("a path in a variable", "SUDO=/usr/bin/sudo make", &["make: SUDO=/usr/bin/sudo · make"]),
            ("long options", "sudo --user me make", &["make: sudo · --user · me · make"]),
            ("assignments alone", "A=$B", &[": A=$B"]),
        ],
        shown,
    );
}

#[test]
fn flows() {
    check(
        &[
            ("a pipe", "curl x | sh", &["curl: curl · x", "sh: sh | 0..1"]),
            ("two", "a | b |& c", &["a: a", "b: b | 0..1", "c: c | 1..2"]),
            ("a group", "{ a; b; } | c", &["a: a", "b: b", "c: c | 0..2"]),
            ("a subshell", "(a; b) | c", &["a: a", "b: b", "c: c | 0..2"]),
            ("into a loop", "a | while read x; do b; done", &["a: a", "read: read · x | 0..1", "b: b"]),
            ("from a loop", "for x in a; do b; done | c", &["for: for · x · in · a", "b: b", "c: c | 0..2"]),
            ("over lines", "a |\n  b", &["a: a", "b: b | 0..1"]),
            ("a file", "echo x >> \"$TAKO_ENV\"", &["echo: echo · x > \"$TAKO_ENV\""]),
            ("errors alone", "a 2> f", &["a: a"]),
            ("to the errors", "a >&2", &["a: a"]),
            ("in front", "> f a", &["a: a > f"]),
            ("of a group", "{ a; b; } > f; c", &["a: a > f", "b: b > f", "c: c"]),
            ("a number that is a word", "a 2 > f", &["a: a · 2 > f"]),
            ("a here-document", "cat <<EOF > f\na | b\nEOF\nc", &["cat: cat > f", "c: c"]),
            ("one with tabs", "cat <<-'E O'\n\ta\n\tE O\nb", &["cat: cat", "b: b"]),
            ("two of them", "a <<A <<B\nx\nA\ny\nB\nb", &["a: a", "b: b"]),
            ("one that never ends", "a <<A\nb", &["a: a"]),
            ("a here-string", "a <<< \"$x\" b", &["a: a · b"]),
            ("a substitution", "x=$(curl y) z", &["z: x=$(curl y) · z", "curl: curl · y ^ 0"]),
            (
                "one between quotes",
                "a \"b $(c \"d | e\") f\" g",
                &["a: a · \"b $(c \"d | e\") f\" · g", "c: c · \"d | e\" ^ 0"],
            ),
            ("in backticks", "a `b c` d", &["a: a · `b c` · d", "b: b · c ^ 0"]),
            ("a file to read", "bash <(curl x)", &["bash: bash · <(curl x)", "curl: curl · x ^ 0"]),
            ("within a here-document", "cat <<A\n$(b)\nA\nc", &["cat: cat", "b: b ^ 0", "c: c"]),
            ("a case", "case $x in a|b) c;; (d) e;; esac; f", &["case: case · $x", "c: c", "e: e", "f: f"]),
            (
                "a case in a substitution",
                "x=$(case y in z) a;; esac); b",
                &[": x=$(case y in z) a;; esac)", "case: case · y ^ 0", "a: a ^ 0", "b: b"],
            ),
            ("a function", "f() { a; }\nf", &["a: a", "f: f"]),
            ("conditions", "if ! a; then b; else c; fi; d", &["a: a", "b: b", "c: c", "d: d"]),
        ],
        shown,
    );
}

#[test]
fn templates_know_their_place() {
    let cases = [
        ("a {{ .b }}", Place::Bare),
        ("a \"c {{ .d }}\"", Place::Double),
        ("a '{{ .d }}'", Place::Single),
        ("a \"$(b {{ .d }})\"", Place::Bare),
        ("a \"${b:-{{ .d }}}\"", Place::Double),
        ("cat <<X\n{{ .f }}\nX\n", Place::Here),
        ("cat <<'X'\n{{ .f }}\nX\n", Place::Literal),
        ("a # {{ .c }}", Place::Comment),
        ("{{ if .a }}b{{ end }}", Place::Bare),
    ];
    for (source, want) in cases {
        let script = read(source);
        assert_eq!(script.actions[0].place, want, "{source}");
        assert!(source[script.actions[0].range.clone()].starts_with("{{ "), "{source}");
    }
}

#[test]
fn variables() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("plain", "a $x ${y}", &["x", "y"]),
        ("between quotes", "a \"$x\"", &["x"]),
        ("between single quotes", "a '$x'", &[]),
        ("escaped", "a \\$x \"\\$y\"", &[]),
        ("with a default", "a ${x:-$y}", &["x:-$y", "y"]),
        ("how long", "a ${#x}", &[]),
        ("in a substitution", "a $(b $x)", &["x"]),
        ("in a here-document", "cat <<A\n$x\nA", &["x"]),
        ("in a literal one", "cat <<'A'\n$x\nA", &[]),
        ("in arithmetic", "a $(($x + 1))", &["x"]),
        ("what shells set", "a $1 $? $@", &[]),
    ];
    check(cases, |source| {
        read(source).expansions.iter().map(|found| format!("{}{}", found.name, found.operator)).collect()
    });
}

#[test]
fn what_only_bash_knows() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("an array", "a=(b c)", &["a="]),
        ("more of one", "a+=(b)", &["a+="]),
        ("case", "echo ${x^^}", &["${x^^}"]),
        ("replacement", "echo ${x//a/b}", &["${x//a/b}"]),
        ("a part", "echo ${x:1:2}", &["${x:1:2}"]),
        ("an element", "echo ${x[0]}", &["${x[0]}"]),
        ("what is named", "echo ${!x}", &["${!x}"]),
        ("defaults are of all", "echo ${x:-a} ${x-a} ${x:?a} ${x%%a} ${x#a} ${#x} $# $!", &[]),
        ("a file to read", "a <(b)", &["<("]),
        ("arithmetic as a command", "((a + 1))", &["((a + 1))"]),
        ("arithmetic", "a=$((b + 1))", &[]),
        ("both outputs", "a &> b", &["&>"]),
        ("both into a pipe", "a |& b", &["|&"]),
        ("a here-string", "a <<< b", &["<<<"]),
        ("quotes of C", "a $'b'", &["$'"]),
        ("braces", "a {b,c} {1..3}", &["{b,c}", "{1..3}"]),
        ("other braces", "a {} {{ .b }} '{b,c}' {\"a\":1} stash@{0}", &[]),
        ("a word for functions", "function f { a; }", &["function"]),
        ("a subshell in one", "( (a) )", &[]),
    ];
    check(cases, |source| {
        read(source).bashisms.iter().map(|found| source[found.range.clone()].to_owned()).collect()
    });
}

#[test]
fn groups_without_commands_are_redirected() {
    for source in ["() > {{ .a }}", "{ } > $a", "function f() > {{ .a }}", "() <<A\n$a\nA\n", "$( () > $a )"]
    {
        let script = read(source);
        let of =
            script.actions.first().map(|of| of.command).or(script.expansions.first().map(|of| of.command));
        assert!(of.flatten().is_some_and(|command| command < script.commands.len()), "{source}");
    }
}

#[test]
fn what_nests_deeply_ends() {
    for unit in [
        "$(",
        "\"$(",
        "${a:-",
        "`",
        "(",
        "{ ",
        "if a; then ",
        "case a in ",
        "a=(",
        "<(",
        "$((",
        "a |",
        "<<A ",
        "a() {\n",
        "[[ (",
        "{ a; } >b |",
        ">b",
        "=()",
        "x=$(eval $a;",
    ] {
        let source = unit.repeat(100_000 / unit.len());
        let script = read(&source);
        assert!(script.commands.len() <= source.len());
    }
}

proptest! {
    #[test]
    fn anything_is_read(source in "([a-z1 \n|&;<>(){}\"'`\\\\$#=é!*]|<<E|\\{\\{|\\}\\}|case a in |esac|done|do |if |\\[\\[|\\$\\(|\\$\\{){0,60}") {
        let script = read(&source);
        for word in script.commands.iter().flat_map(|command| &command.words).chain(script.redirections.iter().map(|of| &of.target)) {
            prop_assert_eq!(&source[word.range.clone()], word.text);
        }
        for range in script.actions.iter().map(|of| &of.range).chain(script.bashisms.iter().map(|of| &of.range)) {
            prop_assert!(source.get(range.clone()).is_some());
        }
        for found in &script.expansions {
            prop_assert!(source[found.range.clone()].contains(found.name));
        }
        let named = script.actions.iter().map(|of| of.command).chain(script.expansions.iter().map(|of| of.command));
        for command in named.flatten().chain(script.redirections.iter().map(|of| of.command)) {
            prop_assert!(command < script.commands.len());
        }
        prop_assert!(script.expansions.is_sorted_by_key(|found| found.range.start));
        for command in &script.commands {
            prop_assert!(command.reads.end <= script.commands.len());
        }
    }
}
