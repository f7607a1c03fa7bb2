//! The language as its reference writes it, in both spellings, run for real.

use tako_tests::home::Home;

/// Runs the steps and returns what they printed, without prefixes.
fn printed(workflow: &str, arguments: &[&str]) -> Vec<String> {
    let home = Home::new();
    home.add("o/a", &format!("version: 1\nworkflows:\n  go:\n{workflow}"));
    let mut all = vec!["exec", "go", "--repo=o/a"];
    all.extend(arguments);
    let done = home.tako(&all).expect(0);
    let logs = home.tako(&["logs", &done.run()]).expect(0);
    logs.stdout.lines().map(|line| line.split_once("] ").map_or(line, |(_, text)| text).to_owned()).collect()
}

#[test]
fn numbers_are_compared_as_numbers_and_rendered_as_written() {
    let home = Home::new();
    let text = r#"
version: 1
workflows:
  go:
    inputs: {n: {type: number, default: 1.50}, big: {type: number, default: 123456789012345678901234567890}}
    steps:
      - {run: 'echo "is {{ .inputs.n }}"', if: inputs.n == 1.5 && inputs.n > 1 && inputs.n < 2.0}
      - {run: 'echo "big {{ .inputs.big }}"', if: inputs.big > 10}
      - {run: echo never, if: inputs.n > 2}
"#;
    home.add("o/a", text);
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    for line in ["is 1.50", "big 123456789012345678901234567890"] {
        assert!(done.stdout.contains(line), "{}", done.stdout);
    }
    assert!(!done.stdout.contains("] never"), "{}", done.stdout);
}

#[test]
fn both_spellings_mean_the_same() {
    let workflow = r#"
    inputs:
      version-bump: {default: "minor; rm -rf /"}
      a: {default: ""}
      env: {default: prod}
      flag: {type: boolean, default: false}
      count: {type: number, default: 1.50}
    steps:
      - id: build
        run: |
          echo {{ .inputs.version-bump | shell_quote }}
          echo {{ inputs["version-bump"] | shell_quote }}
          echo {{ .a_missing | default "never" | upper }}
"#;
    // An unknown root is refused, even with a default.
    let home = Home::new();
    home.add("o/a", &format!("version: 1\nworkflows:\n  go:\n{workflow}"));
    let refused = home.tako(&["exec", "go", "--repo=o/a"]).expect(2);
    assert!(refused.stderr.contains("a_missing"), "{}", refused.stderr);

    let workflow = workflow.replace(".a_missing | default \"never\"", ".inputs.a | default \"x\"");
    let workflow = format!(
        "{workflow}{}",
        r#"          echo {{ if_then_else (eq .inputs.env "prod") "a" "b" }}
          echo {{ .inputs.count }} {{ .Inputs.flag }} $TAKO_INPUT_VERSION_BUMP
          echo {{ if .inputs.flag }}yes{{ else if eq .inputs.env "prod" }}prod{{ else }}no{{ end }}
          echo {{/* nothing */}}${#TAKO_REPO} ${TAKO_REPO} '{% raw %}' '{# no comment #}'
          {{- if .inputs.env == 'prod' && !.inputs.flag }}
          echo infix
          {{- end }}
        produces:
          outputs:
            version: "1.2.3"
      - id: use
        if: .inputs.version-bump != "none"
        run: echo {{ .steps.build.version }} {{ .steps.build.outputs.version }} {{ steps.build.outputs["version"] }}
      - id: also
        if: "{{ !.inputs.flag && steps.build.outputs.version == '1.2.3' }}"
        run: echo also
      - id: not
        if: inputs.flag
        run: echo never
"#
    );
    let want = [
        "minor; rm -rf /",
        "minor; rm -rf /",
        "X",
        "a",
        "1.50 false minor; rm -rf /",
        "prod",
        "3 o/a {% raw %} {# no comment #}",
        "infix",
        "1.2.3 1.2.3 1.2.3",
        "also",
    ];
    assert_eq!(printed(&workflow, &[]), want);
}

#[test]
fn events_reach_templates_and_filters_with_their_payload() {
    let home = Home::new();
    let producer = r#"
version: 1
artifacts: {lib: {path: out}}
workflows:
  go:
    steps:
      - id: build
        run: echo "version=2.0.0" >> "$TAKO_OUTPUT"
        produces:
          artifact: lib
          events:
            - type: built
              schema_version: 1.2.0
              payload:
                version: "{{ .outputs.version }}"
                count: 3
                stable: true
                literal: "{{ \"{{ .inputs.x }}\" }}"
                dependencies: [{name: a}, {name: b}]
      - uses: tako/fan-out@v1
        with: {event_type: built, wait_for_children: true, payload: {extra: more}}
"#;
    let consumer = r#"
version: 1
workflows:
  take:
    inputs: {version: {}, count: {type: number}, literal: {}}
    steps:
      - run: |
          {{ range .event.payload.dependencies }}
          echo "dep {{ .name }}"
          {{ end }}
          {{ range $i, $v := .Event.Payload.dependencies }}echo "{{ $i }}={{ $v.name }} of {{ $.event.source }}"
          {{ end }}
          {{ with .event.payload.extra }}echo "with {{ . }}"{{ end }}
          echo {{ .inputs.literal | shell_quote }} {{ .inputs.count }} {{ .event.type }} {{ .event.schema_version }}
          echo {{ .event.payload.nope | default "absent" }}
subscriptions:
  - artifact: o/lib:lib
    events: [built]
    schema_version: ">=1.0.0, <2.0.0"
    filters:
      - payload.count + 1 == 4 && payload.stable
      - payload.dependencies.exists(d, d.name == "b")
      - semver.satisfies(payload.version, "^2.0.0") && source == "o/lib" && event_type == "built"
      - has(payload.extra) && !has(payload.nope)
    workflow: take
    inputs:
      version: "{{ .payload.version }}"
      count: "{{ .payload.count }}"
      literal: "{{ .payload.literal }}"
"#;
    home.add("o/lib", producer);
    home.add("o/app", consumer);
    let done = home.tako(&["exec", "go", "--repo=o/lib"]).expect(0);
    let lines: Vec<&str> =
        done.lines_with("[o/app step-1] ").iter().map(|line| &line["[o/app step-1] ".len()..]).collect();
    let lines: Vec<&str> = lines
        .into_iter()
        .filter(|line| !line.starts_with("started") && !line.starts_with("success"))
        .collect();
    let want = [
        "dep a",
        "dep b",
        "0=a of o/lib",
        "1=b of o/lib",
        "with more",
        "{{ .inputs.x }} 3 built 1.2.0",
        "absent",
    ];
    assert_eq!(lines, want, "a payload that looks like a template stays text");
}

#[test]
fn values_override_from_defaults_to_step() {
    let home = Home::new();
    let text = r#"
version: 1
defaults: {env: {A: default, B: default, C: default}, shell: bash}
workflows:
  go:
    env: [B=workflow, C=workflow]
    steps:
      - env: {C: "step {{ .env.A }}"}
        run: |
          set -o | grep -q 'pipefail.*on' && echo "bash -o pipefail"
          echo "$A $B $C"
"#;
    home.add("o/a", text);
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    assert!(done.stdout.contains("] default workflow step default\n"), "{}", done.stdout);
    assert!(done.stdout.contains("] bash -o pipefail\n"), "{}", done.stdout);
}
