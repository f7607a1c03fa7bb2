use super::{steps, table, workflows};

#[test]
fn values_of_events_in_scripts() {
    let file = |step: &str| {
        format!(
            "version: 1\nworkflows:\n  w:\n    inputs: {{t: {{}}, e: {{validation: {{enum: [x]}}}}, n: {{type: number}}, p: {{validation: {{pattern: '^v[0-9]+$'}}}}}}\n    steps:\n      - {step}\n      - 'echo $TAKO_INPUT_T $TAKO_INPUT_E $TAKO_INPUT_N $TAKO_INPUT_P'\nsubscriptions:\n  - {{artifact: my-org/lib:default, events: [built], workflow: w, inputs: {{t: '{{{{ .payload.title }}}}', e: '{{{{ .payload.e }}}}', n: '{{{{ .payload.n }}}}', p: '{{{{ .payload.p }}}}'}}}}\n"
        )
    };
    let cases: Vec<(&str, String, &[&str])> = vec![
        ("as it comes", file("'echo {{ .event.payload.t }}'"), &["TK0501 .event.payload.t"]),
        ("quoted", file("'echo {{ .event.payload.t | shell_quote }}'"), &[]),
        (
            "quoted by the script alone",
            file("'echo \"{{ .event.payload.t }}\"'"),
            &["TK0501 .event.payload.t"],
        ),
        (
            "quoted twice",
            file("'echo \"{{ .event.payload.t | shell_quote }}\"'"),
            &["TK0503 .event.payload.t"],
        ),
        (
            "changed, not quoted",
            file("'echo {{ .event.payload.t | upper | default \"x\" }}'"),
            &["TK0501 .event.payload.t"],
        ),
        ("only asked", file("'{{ if .event.payload.t }}echo{{ end }}'"), &[]),
        ("what Tako says itself", file("'echo {{ .event.type }} {{ .event.source }}'"), &[]),
        ("an input that the event fills", file("'echo {{ .inputs.t }}'"), &["TK0501 .inputs.t"]),
        (
            "an input that is one of a few",
            file("'echo {{ .inputs.e }} {{ .inputs.n }} {{ .inputs.p }}'"),
            &[],
        ),
        ("in the environment", file("{run: 'echo \"$T\"', env: {T: '{{ .event.payload.t }}'}}"), &[]),
        ("in a loop", file("'{{ range .event.payload.l }}echo {{ .name }};{{ end }}'"), &["TK0501 .name"]),
        (
            "in another language",
            file("{run: 'print({{ .event.payload.t | shell_quote }})', shell: python}"),
            &["TK0504 .event.payload.t"],
        ),
        (
            "unquoted in another language",
            file("{run: 'print(\"{{ .event.payload.t }}\")', shell: python}"),
            &["TK0501 .event.payload.t"],
        ),
        (
            "in a line for the environment",
            file("'echo T={{ .event.payload.t | shell_quote }} >> $TAKO_ENV'"),
            &["TK0506 .event.payload.t"],
        ),
        ("an image", file("{run: make, image: 'go:{{ .event.payload.t }}'}"), &["TK0505 .event.payload.t"]),
        ("a directory", file("{run: make, working_directory: '{{ .inputs.t }}'}"), &["TK0505 .inputs.t"]),
    ];
    table(&cases);
    table(&[(
        "an input that people fill",
        "version: 1\nworkflows: {w: {inputs: {a: {}}, steps: ['echo {{ .inputs.a }}']}}",
        &["TK0502 .inputs.a"],
    )]);
}

#[test]
fn containers() {
    steps(&[
        ("a version", "run: make\nimage: golang:1.25", &[]),
        ("no version", "run: make\nimage: golang", &["TK0516 golang"]),
        (
            "the latest",
            "run: make\nimage: registry.example.org:5000/golang:latest",
            &["TK0516 registry.example.org:5000/golang:latest"],
        ),
        (
            "a port is no version",
            "run: make\nimage: registry.example.org:5000/golang",
            &["TK0516 registry.example.org:5000/golang"],
        ),
        ("a digest", "run: make\nimage: golang@sha256:0000", &[]),
        ("a template", "run: make\nimage: 'golang:{{ .env.V }}'", &[]),
        ("the network of the host", "run: make\nimage: go:1\nnetwork: host", &["TK0511 host"]),
        (
            "as good as root",
            "run: make\nimage: go:1\ncapabilities: [CAP_SYS_ADMIN]",
            &["TK0512 [CAP_SYS_ADMIN]"],
        ),
        ("one small thing", "run: make\nimage: go:1\ncapabilities: [NET_BIND_SERVICE]", &[]),
        ("no confinement", "run: make\nimage: go:1\nsecurity_profile: minimal", &["TK0513 minimal"]),
        (
            "the engine's socket",
            "run: make\nimage: go:1\nvolumes: [{source: /var/run/docker.sock, destination: /s}]",
            &["TK0514 /var/run/docker.sock"],
        ),
        ("everything", "run: make\nimage: go:1\nvolumes: [{source: /, destination: /s}]", &["TK0514 /"]),
        (
            "a cache",
            "run: make\nimage: go:1\nvolumes: [{source: /srv/cache, destination: /s}]",
            &["TK0515 /srv/cache"],
        ),
        (
            "a cache to read",
            "run: make\nimage: go:1\nvolumes: [{source: /srv/cache, destination: /s, read_only: true}]",
            &[],
        ),
        (
            "not the home of users",
            "run: make\nimage: go:1\nvolumes: [{source: /homework, destination: /s, read_only: true}]",
            &[],
        ),
    ]);
}

#[test]
fn scripts() {
    steps(&[
        ("a download", "run: curl -fsSL https://example.org/x -o x", &[]),
        ("run as it comes", "run: curl -fsSL https://example.org/x | sh", &["TK0521 sh"]),
        ("through a reader", "run: curl https://example.org/x | tee y", &["TK0612 tee y"]),
        ("unencrypted", "run: curl http://example.org/x -o x", &["TK0518 http://example.org/x"]),
        ("on this machine", "run: curl http://localhost:8080/ http://127.0.0.1/ http://[::1]:1/", &[]),
        ("a namespace", "run: echo http://www.w3.org/2000/svg", &[]),
        (
            "a password",
            "run: git clone https://me:hunter2@example.org/x",
            &["TK0519 https://me:hunter2@example.org/x"],
        ),
        ("a variable for one", "run: git clone https://me:$TOKEN@example.org/x", &[]),
        ("certificates", "run: curl -k https://example.org/x", &["TK0522 -k"]),
        ("-k of another program", "run: sort -k 2 x", &[]),
        ("root", "run: sudo apt-get install x", &["TK0523 sudo apt-get install x"]),
        ("a word", "run: echo sudo", &[]),
        ("for everybody", "run: chmod 777 x", &["TK0525 chmod 777 x"]),
        ("for the user", "run: chmod u+x x", &[]),
    ]);
}

#[test]
fn environment() {
    steps(&[
        ("what programs load", "run: make\nenv: {LD_PRELOAD: x.so}", &["TK0507 x.so"]),
        ("what git is called", "run: make\nenv: {GIT_AUTHOR_NAME: me}", &[]),
        ("what git runs", "run: make\nenv: {GIT_SSH_COMMAND: ssh}", &["TK0507 ssh"]),
        ("certificates", "run: make\nenv: {NODE_TLS_REJECT_UNAUTHORIZED: 0}", &["TK0522 0"]),
        ("certificates, checked", "run: make\nenv: {NODE_TLS_REJECT_UNAUTHORIZED: 1}", &[]),
        ("a variable", "run: make\nenv: {GOFLAGS: -mod=vendor}", &[]),
    ]);
}

#[test]
fn secrets() {
    let file = |keys: &str, step: &str| {
        format!(
            "version: 1\nworkflows:\n  w:\n    secrets: [NPM_TOKEN]\n{}    steps:\n      - {step}\n",
            super::indented(keys, 4)
        )
    };
    let cases: Vec<(&str, String, &[&str])> = vec![
        ("given to a step", file("", "{run: npm publish, env: {T: NPM_TOKEN}}"), &[]),
        ("given to none", file("", "npm publish"), &["TK0440 NPM_TOKEN"]),
        (
            "in a template",
            file("", "{run: 'npm publish {{ .env.T }}', env: {T: NPM_TOKEN}}"),
            &["TK0508 .env.T"],
        ),
        ("printed", file("", "{run: 'echo $T', env: {T: NPM_TOKEN}}"), &["TK0510 $T"]),
        (
            "among the arguments",
            file("", "{run: 'curl -H \"Authorization: ${T}\" https://x', env: {T: NPM_TOKEN}}"),
            &["TK0510 \"Authorization: ${T}\""],
        ),
        ("another variable", file("", "{run: 'echo $TT', env: {T: NPM_TOKEN}}"), &[]),
        (
            "traced",
            file("", "{run: \"set -x\\nnpm publish\", env: {T: NPM_TOKEN}}"),
            &["TK0524 \"set -x\\nnpm publish\""],
        ),
        (
            "on pull requests",
            file("on: pull_request", "{run: make, env: {T: NPM_TOKEN}}"),
            &["TK0520 NPM_TOKEN"],
        ),
    ];
    table(&cases);
    steps(&[
        (
            "a token of GitHub",
            &format!("run: make\nenv: {{T: ghp_{}}}", "a1".repeat(18)),
            &[&format!("TK0509 ghp_{}", "a1".repeat(18))],
        ),
        ("a password", "run: make\nenv: {DB_PASSWORD: hunter2hunter2}", &["TK0509 hunter2hunter2"]),
        ("a path is none", "run: make\nenv: {TOKEN_FILE: /run/secrets/token1}", &[]),
        ("a word is none", "run: make\nenv: {TOKEN_KIND: bearer}", &[]),
        ("a name that is not listed", "run: make\nenv: {T: NPM_TOKEN}", &["TK0528 NPM_TOKEN"]),
    ]);
    workflows(&[(
        "for every step",
        "secrets: [NPM_TOKEN]\nenv: {T: NPM_TOKEN}\non_failure: [make clean]",
        &["TK0526 NPM_TOKEN"],
    )]);
}

#[test]
fn events_of_others() {
    let file = |source: &str, input: &str| {
        format!(
            "version: 1\nworkflows: {{w: {{inputs: {{a: {{{input}}}}}, steps: ['make $TAKO_INPUT_A']}}}}\nsubscriptions:\n  - {{artifact: '{source}:default', events: [built], workflow: w, inputs: {{a: '{{{{ .payload.a }}}}'}}}}\n"
        )
    };
    let cases: Vec<(&str, String, &[&str])> = vec![
        ("of the same owner", file("my-org/lib", ""), &[]),
        ("of another", file("their-org/lib", ""), &["TK0527 '{{ .payload.a }}'"]),
        ("of another, checked", file("their-org/lib", "validation: {pattern: '^[0-9.]+$'}"), &[]),
    ];
    table(&cases);
}
