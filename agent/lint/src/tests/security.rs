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
            "quoted in quotes within quotes",
            file("'x=\"$(basename {{ .event.payload.t | shell_quote }})\"'"),
            &[],
        ),
        (
            "quoted behind a shift",
            file("'(( x = 1 << 2 )); echo \"{{ .event.payload.t | shell_quote }}\"'"),
            &["TK0608 (( x = 1 << 2 ))", "TK0503 .event.payload.t"],
        ),
        ("encoded", file("'curl \"https://example.org/{{ .event.payload.t | url_encode }}\"'"), &[]),
        (
            "in a comment",
            file("\"make\\n# {{ .event.payload.t | shell_quote }}\""),
            &["TK0501 \"make\\n# {{ .event.payload.t | shell_quote }}\""],
        ),
        (
            "through a variable of the template",
            file("{run: 'echo {{ .env.T }}', env: {T: '{{ .event.payload.t }}'}}"),
            &["TK0501 .env.T"],
        ),
        (
            "run by eval",
            file("{run: 'eval \"make $T\"', env: {T: '{{ .event.payload.t }}'}}"),
            &["TK0501 $T"],
        ),
        (
            "quoted, then run by eval",
            file("'eval {{ .event.payload.t | shell_quote }}'"),
            &["TK0501 {{ .event.payload.t | shell_quote }}"],
        ),
        (
            "run by another shell",
            file("{run: 'bash -ec \"make $T\"', env: {T: '{{ .event.payload.t }}'}}"),
            &["TK0501 $T"],
        ),
        (
            "all words of eval",
            file("{run: 'eval make $T', env: {T: '{{ .event.payload.t }}'}}"),
            &["TK0501 $T"],
        ),
        (
            "with settings",
            file("{run: 'bash -eo pipefail -c \"make $T\"', env: {T: '{{ .event.payload.t }}'}}"),
            &["TK0501 $T"],
        ),
        (
            "at the other end",
            file("{run: 'ssh h deploy \"$T\"', env: {T: '{{ .event.payload.t }}'}}"),
            &["TK0501 $T"],
        ),
        (
            "through a variable of the script",
            file("{run: 'V=\"${T#v}\"; sh -c \"make $V\"', env: {T: '{{ .event.payload.t }}'}}"),
            &["TK0501 $V"],
        ),
        (
            "through one that keeps only some characters",
            file(
                "{run: 'V=$(printf %s \"$T\" | tr -cd 0-9.); sh -c \"make $V\"', env: {T: '{{ .event.payload.t }}'}}",
            ),
            &[],
        ),
        (
            "read by another interpreter",
            file("{run: \"python3 - <<EOF\\nprint('$T')\\nEOF\\n\", env: {T: '{{ .event.payload.t }}'}}"),
            &["TK0501 \"python3 - <<EOF\\nprint('$T')\\nEOF\\n\""],
        ),
        (
            "read from the environment by one",
            file("{run: \"python3 - <<'EOF'\\nprint('$T')\\nEOF\\n\", env: {T: '{{ .event.payload.t }}'}}"),
            &[],
        ),
        (
            "piped into a shell",
            file("{run: 'echo \"make $T\" | sh', env: {T: '{{ .event.payload.t }}'}}"),
            &["TK0501 $T"],
        ),
        (
            "quoted, and then changed",
            file("'echo {{ .event.payload.t | shell_quote | replace \"a\" \"b\" }}'"),
            &["TK0501 .event.payload.t"],
        ),
        (
            "piped through others",
            file("{run: 'echo \"make $T\" | sed s/a/b/ | sh', env: {T: '{{ .event.payload.t }}'}}"),
            &["TK0501 $T"],
        ),
        (
            "given by a substitution",
            file("{run: 'eval \"$(printf %s \"$T\")\"', env: {T: '{{ .event.payload.t }}'}}"),
            &["TK0501 $T"],
        ),
        (
            "the name of a file in one",
            file("{run: 'eval \"$(cat \"$T\")\"', env: {T: '{{ .event.payload.t }}'}}"),
            &[],
        ),
        (
            "read",
            file(
                "{run: 'echo \"$T\" | while read -r x; do eval \"$x\"; done', env: {T: '{{ .event.payload.t }}'}}",
            ),
            &["TK0501 $x"],
        ),
        (
            "in a loop of the shell",
            file("{run: 'for x in $T; do sh -c \"$x\"; done', env: {T: '{{ .event.payload.t }}'}}"),
            &["TK0501 $x"],
        ),
        (
            "quoted for the next shell",
            file("{run: 'ssh h \"echo ${T@Q}\"', env: {T: '{{ .event.payload.t }}'}}"),
            &["TK0608 ${T@Q}"],
        ),
        (
            "hashed",
            file(
                "{run: 'echo \"H=$(echo \"$T\" | sha256sum)\" >> \"$TAKO_ENV\"', env: {T: '{{ .event.payload.t }}'}}",
            ),
            &[],
        ),
        (
            "cleaned on the way",
            file(
                "{run: 'echo \"H=$(echo \"$T\" | tr -cd a-z0-9)\" >> \"$TAKO_ENV\"', env: {T: '{{ .event.payload.t }}'}}",
            ),
            &[],
        ),
        (
            "not cleaned enough",
            file(
                "{run: 'X=$(printf %s \"$T\" | tr -dc [:print:]); eval \"$X\"', env: {T: '{{ .event.payload.t }}'}}",
            ),
            &["TK0501 $X"],
        ),
        (
            "in a program of awk",
            file("{run: 'awk \"BEGIN { $T }\"', env: {T: '{{ .event.payload.t }}'}}"),
            &["TK0501 $T"],
        ),
        (
            "in a sum",
            file("'echo $(( {{ .event.payload.t | shell_quote }} + 1 ))'"),
            &["TK0501 .event.payload.t"],
        ),
        ("in a default", file("'x=${Y:-{{ .event.payload.t | shell_quote }}}'"), &[]),
        (
            "quoted, and piped into a shell",
            file("'echo {{ .event.payload.t | shell_quote }} | sh'"),
            &["TK0501 {{ .event.payload.t | shell_quote }}"],
        ),
        (
            "quoted in a literal script for a shell",
            file("\"sh <<'EOF'\\necho {{ .event.payload.t | shell_quote }}\\nEOF\\n\""),
            &[],
        ),
        (
            "an argument of another shell",
            file("{run: 'bash -c ''make \"$1\"'' _ \"$T\"', env: {T: '{{ .event.payload.t }}'}}"),
            &[],
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
        (
            "a variable in the environment",
            file("{run: 'echo \"T=$T\" >> \"$TAKO_ENV\"', env: {T: '{{ .event.payload.t }}'}}"),
            &["TK0506 $T"],
        ),
        (
            "several lines of it",
            file("{run: '{ echo A=1; echo \"T=$TAKO_INPUT_T\"; } >> \"$GITHUB_ENV\"'}"),
            &["TK0506 $TAKO_INPUT_T"],
        ),
        (
            "through tee",
            file("'echo \"$TAKO_INPUT_T\" | tee -a \"$TAKO_PATH\"'"),
            &["TK0506 $TAKO_INPUT_T", "TK0612 tee -a \"$TAKO_PATH\""],
        ),
        (
            "through two",
            file("'echo \"T=$TAKO_INPUT_T\" | sed s/a/b/ | tee -a \"$TAKO_ENV\" >&2'"),
            &["TK0506 $TAKO_INPUT_T"],
        ),
        (
            "through a variable",
            file("'V=\"${TAKO_INPUT_T#v}\"; echo \"V=$V\" >> \"$TAKO_ENV\"'"),
            &["TK0506 $V"],
        ),
        (
            "compared with a pattern first",
            file(
                "'case $TAKO_INPUT_T in *[!0-9]*) exit 1;; esac; echo \"V=$TAKO_INPUT_T\" >> \"$TAKO_ENV\"'",
            ),
            &[],
        ),
        ("an output of the step", file("'echo \"t=$TAKO_INPUT_T\" >> \"$TAKO_OUTPUT\"'"), &[]),
        ("a group without commands", file("'() > {{ .event.payload.t | shell_quote }}'"), &[]),
        ("an image", file("{run: make, image: 'go:{{ .event.payload.t }}'}"), &["TK0505 .event.payload.t"]),
        ("a directory", file("{run: make, working_directory: '{{ .inputs.t }}'}"), &["TK0505 .inputs.t"]),
    ];
    table(&cases);
    table(&[(
        "an input that people fill",
        "version: 1\nworkflows: {w: {inputs: {a: {}}, steps: ['echo {{ .inputs.a }}']}}",
        &["TK0502 .inputs.a"],
    )]);
    let checked = |pattern: &str| {
        format!(
            "version: 1\nworkflows: {{w: {{inputs: {{a: {{validation: {{pattern: '{pattern}'}}}}}}, steps: ['echo {{{{ .inputs.a }}}}']}}}}"
        )
    };
    table(&[
        ("one whose pattern holds for a part", checked("v[0-9]+"), &["TK0502 .inputs.a"]),
        ("one whose pattern lets much pass", checked("^v.*$"), &["TK0502 .inputs.a"]),
        ("one whose pattern lets nothing else pass", checked("^v[0-9.]+$"), &[]),
    ]);
    table(&[(
        "an output of a template",
        "version: 1\nworkflows:\n  w:\n    steps:\n      - {id: a, run: make, produces: {outputs: {o: '{{ .event.payload.t }}'}}}\n      - 'echo {{ .steps.a.outputs.o }}'\nsubscriptions:\n  - {artifact: my-org/lib:default, events: [built], workflow: w}\n",
        &["TK0501 .steps.a.outputs.o"],
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
        (
            "certificates",
            "run: make\nimage: go:1\nvolumes: [{source: /etc/ssl/certs, destination: /s, read_only: true}]",
            &[],
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
        (
            "what a shell reads",
            "run: bash <(curl https://example.org/x)\nshell: bash",
            &["TK0521 bash <(curl https://example.org/x)"],
        ),
        (
            "sourced",
            "run: source <(curl https://example.org/x)\nshell: bash",
            &["TK0521 source <(curl https://example.org/x)"],
        ),
        (
            "as code",
            "run: bash -c \"$(curl https://example.org/x)\"",
            &["TK0521 bash -c \"$(curl https://example.org/x)\""],
        ),
        (
            "evaluated",
            "run: eval \"$(curl https://example.org/x)\"",
            &["TK0521 eval \"$(curl https://example.org/x)\""],
        ),
        (
            "as root",
            "run: curl https://example.org/x | sudo -E bash -",
            &["TK0521 sudo -E bash -", "TK0523 sudo -E bash -"],
        ),
        ("with options", "run: curl https://example.org/x | sh -s -- -y", &["TK0521 sh -s -- -y"]),
        ("in time", "run: timeout 30 curl https://example.org/x | sh", &["TK0521 sh"]),
        ("unpacked", "run: curl https://example.org/x | gunzip | sh", &["TK0521 sh"]),
        ("kept too", "run: curl https://example.org/x | tee y | sh", &["TK0612 tee y", "TK0521 sh"]),
        ("a module", "run: curl https://example.org/x | python3 -m json.tool", &[]),
        ("code for each line", "run: curl https://example.org/x | perl -ne 'print if /a/'", &[]),
        ("code", "run: curl https://example.org/x | node -e 'process.stdin'", &[]),
        ("a file of the workspace", "run: curl https://example.org/x | sh ./read.sh", &[]),
        ("an answer", "run: v=$(curl https://example.org/x) && sh -c 'make \"$1\"' _ \"$v\"", &[]),
        ("through a reader", "run: curl https://example.org/x | tee y", &["TK0612 tee y"]),
        ("unencrypted", "run: curl http://example.org/x -o x", &["TK0518 http://example.org/x"]),
        (
            "a network of one's own",
            "run: curl http://10.0.0.5/x http://db/x http://x.internal/",
            &["TK0518 http://10.0.0.5/x", "TK0518 http://x.internal/"],
        ),
        ("of a database", "run: psql postgres://ci:hunter2@db/x", &["TK0519 postgres://ci:hunter2@db/x"]),
        ("read from a substitution", "run: bash < <(curl https://x.org)\nshell: bash", &["TK0521 bash"]),
        ("a here-string", "run: bash <<< \"$(curl https://x.org)\"\nshell: bash", &["TK0521 bash"]),
        (
            "sourced from standard input",
            "run: source /dev/stdin <<< \"$(curl https://x.org)\"\nshell: bash",
            &["TK0521 source /dev/stdin"],
        ),
        ("in a container", "run: curl https://x.org | docker run -i x sh", &["TK0521 docker run -i x sh"]),
        ("a function of that name", "run: \"fetch() { cat x; }\\nfetch | sh\"", &[]),
        ("compared", "run: sed -i 's|http://a.org|https://a.org|' x", &[]),
        ("in a comment", "run: |\n  # see http://a.org/x\n  make", &[]),
        ("of the machine itself", "run: curl http://169.254.169.254/latest/meta-data/", &[]),
        ("a password for this machine", "run: psql postgres://ci:hunter2@localhost/x", &[]),
        ("a mask", "run: git clone https://me:***@example.org/x", &[]),
        ("on this machine", "run: curl http://localhost:8080/ http://127.0.0.1/ http://[::1]:1/", &[]),
        ("a namespace", "run: echo http://www.w3.org/2000/svg", &[]),
        (
            "a password",
            "run: git clone https://me:hunter2@example.org/x",
            &["TK0519 https://me:hunter2@example.org/x"],
        ),
        ("a variable for one", "run: git clone https://me:$TOKEN@example.org/x", &[]),
        ("certificates", "run: curl -k https://example.org/x", &["TK0522 -k"]),
        ("among others", "run: curl -fsSLk https://example.org/x", &["TK0522 -fsSLk"]),
        ("a name with a k", "run: curl -okit https://example.org/x", &[]),
        ("switched off", "run: kubectl --insecure-skip-tls-verify=false get x", &[]),
        (
            "of ssh below git",
            "run: 'GIT_SSH_COMMAND=\"ssh -o StrictHostKeyChecking=no\" git fetch'",
            &["TK0522 GIT_SSH_COMMAND=\"ssh -o StrictHostKeyChecking=no\""],
        ),
        (
            "with a blank",
            "run: 'ssh -o \"StrictHostKeyChecking no\" x make'",
            &["TK0522 \"StrictHostKeyChecking no\""],
        ),
        (
            "in quotes of its own",
            "run: 'NODE_TLS_REJECT_UNAUTHORIZED=\"0\" npm ci'",
            &["TK0522 NODE_TLS_REJECT_UNAUTHORIZED=\"0\""],
        ),
        ("a question for sudo", "run: command -v sudo", &[]),
        ("-k of another program", "run: sort -k 2 x", &[]),
        ("root", "run: sudo apt-get install x", &["TK0523 sudo apt-get install x"]),
        ("a word", "run: echo sudo", &[]),
        ("for everybody", "run: chmod 777 x", &["TK0525 chmod 777 x"]),
        ("for everybody too", "run: chmod -R 666 x", &["TK0525 chmod -R 666 x"]),
        ("in words", "run: chmod go+w x", &["TK0525 chmod go+w x"]),
        ("to run", "run: chmod a+x x && chmod 755 y && chmod 1777 z && chmod 644 777", &[]),
        ("certificates of git", "run: git -c http.sslVerify=false fetch", &["TK0522 http.sslVerify=false"]),
        ("for good", "run: git config --global http.sslverify false", &["TK0522 false"]),
        ("of npm", "run: npm config set strict-ssl false", &["TK0522 false"]),
        ("of pip", "run: pip install --trusted-host=x y", &["TK0522 --trusted-host=x"]),
        ("of node", "run: NODE_TLS_REJECT_UNAUTHORIZED=0 npm ci", &["TK0522 NODE_TLS_REJECT_UNAUTHORIZED=0"]),
        ("keys of hosts", "run: ssh -o StrictHostKeyChecking=no x", &["TK0522 StrictHostKeyChecking=no"]),
        ("a privileged container", "run: docker run --privileged x", &["TK0523 --privileged"]),
        ("for the user", "run: chmod u+x x", &[]),
    ]);
}

#[test]
fn environment() {
    steps(&[
        ("what programs load", "run: make\nenv: {LD_PRELOAD: x.so}", &["TK0507 x.so"]),
        ("what git is called", "run: make\nenv: {GIT_AUTHOR_NAME: me}", &[]),
        ("limits of node", "run: make\nenv: {NODE_OPTIONS: --max-old-space-size=4096}", &[]),
        (
            "code that node loads",
            "run: make\nenv: {NODE_OPTIONS: --require ./x.js}",
            &["TK0507 --require ./x.js"],
        ),
        ("a proxy", "run: make\nenv: {HTTP_PROXY: 'http://proxy.example.org:3128'}", &[]),
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
        (
            "printed by cat",
            file("", "{run: \"cat <<A\\n$T\\nA\", env: {T: NPM_TOKEN}}"),
            &["TK0510 \"cat <<A\\n$T\\nA\""],
        ),
        ("all of them", file("", "{run: env, env: {T: NPM_TOKEN}}"), &["TK0510 env"]),
        ("as an option", file("", "{run: 'deploy --token \"$T\"', env: {T: NPM_TOKEN}}"), &["TK0510 \"$T\""]),
        (
            "to the password's reader",
            file("", "{run: 'echo \"$T\" | docker login --password-stdin', env: {T: NPM_TOKEN}}"),
            &[],
        ),
        ("sorted", file("", "{run: env | sort, env: {T: NPM_TOKEN}}"), &["TK0510 env"]),
        ("declared", file("", "{run: declare -p, shell: bash, env: {T: NPM_TOKEN}}"), &["TK0510 declare -p"]),
        ("encoded", file("", "{run: 'echo \"$T\" | base64', env: {T: NPM_TOKEN}}"), &["TK0510 \"$T\""]),
        ("by name", file("", "{run: printenv T, env: {T: NPM_TOKEN}}"), &["TK0510 T"]),
        (
            "through a variable",
            file("", "{run: 'H=\"Bearer $T\"; curl -H \"$H\" https://x', env: {T: NPM_TOKEN}}"),
            &["TK0510 \"$H\""],
        ),
        (
            "in front of another program",
            file("", "{run: 'env NPM=\"$T\" npm publish', env: {T: NPM_TOKEN}}"),
            &["TK0510 NPM=\"$T\""],
        ),
        ("for the program alone", file("", "{run: 'NPM=\"$T\" npm publish', env: {T: NPM_TOKEN}}"), &[]),
        (
            "into a variable",
            file("", "{run: 'printf -v x %s \"$T\"', shell: bash, env: {T: NPM_TOKEN}}"),
            &[],
        ),
        ("in a function", file("", "{run: 'f() { echo \"$T\"; }; f | npm login', env: {T: NPM_TOKEN}}"), &[]),
        (
            "kept by tee",
            file("", "{run: 'echo \"$T\" | tee f > /dev/null', env: {T: NPM_TOKEN}}"),
            &["TK0612 tee f"],
        ),
        ("asked", file("", "{run: 'echo \"$T\" | grep -q ^ghp_', env: {T: NPM_TOKEN}}"), &[]),
        ("one of all", file("", "{run: 'env | grep ^PATH=', env: {T: NPM_TOKEN}}"), &[]),
        (
            "printed by another",
            file("", "{run: 'echo \"a $(echo \"$T\" | base64)\"', env: {T: NPM_TOKEN}}"),
            &["TK0510 \"a $(echo \"$T\" | base64)\""],
        ),
        ("to a file", file("", "{run: 'printf %s \"$T\" > .npmrc', env: {T: NPM_TOKEN}}"), &[]),
        (
            "from a string",
            file("", "{run: 'gpg --passphrase-fd 0 <<< \"$T\"', shell: bash, env: {T: NPM_TOKEN}}"),
            &[],
        ),
        ("its name alone", file("", "{run: 'echo ''$T'' \\$T', env: {T: NPM_TOKEN}}"), &[]),
        (
            "whether it is there",
            file("", "{run: 'echo ${T:+set}; [ -n \"$T\" ]; test \"$T\"', env: {T: NPM_TOKEN}}"),
            &[],
        ),
        ("to a function", file("", "{run: 'f() { :; }; f \"$T\"', env: {T: NPM_TOKEN}}"), &[]),
        ("into a word", file("", "{run: 'x=$(echo \"$T\" | base64)', env: {T: NPM_TOKEN}}"), &[]),
        (
            "traced by name",
            file("", "{run: 'set -eo xtrace', env: {T: NPM_TOKEN}}"),
            &["TK0524 set -eo xtrace"],
        ),
        (
            "traced by its shell",
            file("", "{run: make, shell: 'bash -ex {0}', env: {T: NPM_TOKEN}}"),
            &["TK0524 bash -ex {0}"],
        ),
        ("words, not options", file("", "{run: 'set -- --prefix -x', env: {T: NPM_TOKEN}}"), &[]),
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
        ("a kind of one", "run: make\nenv: {TOKEN_ENDPOINT1: abcdefgh12345}", &[]),
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
