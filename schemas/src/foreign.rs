//! Words of other tools, and what says the same here: a message that only calls `workflow_dispatch` unknown leaves
//! its reader to search.
//!
//! Data. A place is the name of a table of keys (`step`), or of a table and one of its keys (`input.type`).

/// What a word of another tool is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Here {
    /// Another word, which takes its place.
    Called(&'static str),
    /// Something that is said otherwise.
    Instead(&'static str),
}

use Here::{Called, Instead};

/// The table: place, words, what they are here.
const WORDS: &[(&str, &[&str], Here)] = &[
    // The top level.
    ("manifest", &["jobs", "pipelines", "pipeline", "tasks"], Called("workflows")),
    ("manifest", &["name"], Instead("write `metadata: {name: …}`")),
    (
        "manifest",
        &["env", "environment", "variables"],
        Instead("write `defaults: {env: …}`, or put it into a workflow"),
    ),
    ("manifest", &["image"], Instead("write `defaults: {image: …}`, or put it into a workflow")),
    ("manifest", &["stages"], Instead("each workflow runs its steps in order; there are no stages")),
    (
        "manifest",
        &["include", "includes", "imports"],
        Instead("a file includes no other; share parts with `&anchor` and `*anchor`"),
    ),
    // A workflow.
    ("workflow", &["environment", "variables"], Called("env")),
    ("workflow", &["run", "script", "commands", "uses"], Instead("put it below `steps`: `steps: [make]`")),
    (
        "workflow",
        &["needs", "depends_on", "dependencies", "after"],
        Instead("steps of one workflow run in order; between repositories use events and `subscriptions`"),
    ),
    (
        "workflow",
        &["timeout-minutes", "timeout_minutes", "timeout-in-minutes", "timeout_in_minutes"],
        Instead("write `timeout` with a unit, like `10m`; a bare number is seconds"),
    ),
    ("workflow", &["trigger", "triggers"], Called("on")),
    ("workflow", &["container", "docker"], Called("image")),
    ("workflow", &["labels", "tags", "agents", "pool"], Called("runs_on")),
    (
        "workflow",
        &["if", "rules", "only", "except", "when"],
        Instead("say what starts it with `on`, or put `if` into its steps"),
    ),
    (
        "workflow",
        &["strategy", "matrix", "parallel"],
        Instead("there is no matrix: write a workflow for each, or a loop in a script"),
    ),
    ("workflow", &["services"], Instead("start the service within the step that needs it")),
    ("workflow", &["cache"], Instead("name the files that decide with `cache_key_files` of a step")),
    (
        "workflow",
        &["artifacts"],
        Instead("declare artifacts at the top of the file, and name one with `produces` of a step"),
    ),
    ("workflow", &["outputs"], Instead("steps have outputs: `produces: {outputs: {version: from_stdout}}`")),
    ("workflow", &["before_script"], Instead("write it as the first of `steps`")),
    ("workflow", &["after_script"], Instead("write it as the last of `steps`, with `if: always()`")),
    ("workflow", &["permissions"], Instead("what a run may do is the operator's policy")),
    ("workflow", &["shell", "working_directory", "retry"], Instead("put it into a step")),
    // A step.
    ("step", &["script", "command", "commands", "cmd", "sh", "bash", "exec"], Called("run")),
    ("step", &["when", "condition", "rules", "only"], Called("if")),
    (
        "step",
        &["timeout-minutes", "timeout_minutes", "timeout-in-minutes", "timeout_in_minutes"],
        Instead("write `timeout` with a unit, like `10m`; a bare number is seconds"),
    ),
    (
        "step",
        &["dir", "cwd", "workdir", "directory", "working-dir", "working_dir", "chdir"],
        Called("working_directory"),
    ),
    ("step", &["environment", "variables"], Called("env")),
    ("step", &["container", "docker"], Called("image")),
    ("step", &["needs", "depends_on", "after"], Instead("steps run in the order in which they stand")),
    ("step", &["settings", "inputs", "params", "parameters"], Called("with")),
    ("step", &["allow_failure", "allow-failure", "ignore_errors", "failure"], Called("continue_on_error")),
    ("step", &["outputs", "artifact", "artifacts", "events"], Instead("put it below `produces`")),
    ("step", &["secrets"], Instead("list `secrets` in the workflow")),
    ("step", &["cache"], Called("cache_key_files")),
    ("step", &["detach", "background"], Called("long_running")),
    ("step", &["retries", "attempts"], Instead("write `retry: {attempts: 3}`")),
    // Inputs.
    ("input", &["options", "choices", "values"], Instead("write `validation: {enum: […]}`")),
    ("input", &["desc", "help"], Called("description")),
    ("input", &["value"], Called("default")),
    ("validation", &["regex", "regexp", "match"], Called("pattern")),
    ("validation", &["minimum", "min_value"], Called("min")),
    ("validation", &["maximum", "max_value"], Called("max")),
    ("validation", &["options", "choices", "values", "one_of"], Called("enum")),
    ("input.type", &["bool"], Called("boolean")),
    ("input.type", &["int", "integer", "float", "double"], Called("number")),
    ("input.type", &["text", "str", "environment"], Called("string")),
    (
        "input.type",
        &["choice", "enum", "select"],
        Instead("write `type: string` with `validation: {enum: […]}`"),
    ),
    // What a step may use.
    ("resources", &["mem", "ram"], Called("mem_limit")),
    ("resources", &["cpus", "cores"], Called("cpu_limit")),
    ("resources", &["disk", "storage"], Called("disk_limit")),
    (
        "resources",
        &["limits", "requests"],
        Instead("write the limits themselves: `cpu_limit`, `mem_limit`, `disk_limit`"),
    ),
    ("retry", &["max", "count", "limit", "max_attempts", "times"], Called("attempts")),
    ("retry", &["interval", "wait"], Called("delay")),
    ("retry", &["when"], Called("on")),
    ("retry.on", &["always", "all"], Instead("leave `on` out: both are tried again")),
    ("volume", &["src", "from", "host"], Called("source")),
    ("volume", &["dst", "target", "to", "path", "mount"], Called("destination")),
    ("volume", &["readonly", "ro"], Called("read_only")),
    ("step.pull_policy", &["if-missing", "missing", "ifnotpresent", "default"], Called("if-not-present")),
    ("step.pull_policy", &["true"], Called("always")),
    ("step.pull_policy", &["false"], Called("never")),
    ("defaults.isolation", &["docker", "podman", "image"], Called("container")),
    ("defaults.isolation", &["none", "local", "shell"], Called("host")),
    // What starts a workflow.
    ("triggers", &["workflow_dispatch", "manual", "dispatch", "api", "web", "workflow_call"], Called("exec")),
    ("triggers", &["cron", "timer"], Called("schedule")),
    (
        "triggers",
        &["merge_request", "merge_request_event", "pull_request_target", "pr", "mr"],
        Called("pull_request"),
    ),
    ("triggers", &["tag", "tags", "release", "create"], Instead("write `push: {tags: [\"v*\"]}`")),
    ("triggers", &["branch", "branches", "commit"], Instead("write `push: {branches: [main]}`")),
    ("triggers", &["repository_dispatch", "workflow_run", "deployment"], Called("event")),
    ("ref_filter", &["branch", "ref", "refs"], Called("branches")),
    ("ref_filter", &["tag"], Called("tags")),
    ("ref_filter", &["path", "changes"], Called("paths")),
    (
        "ref_filter",
        &["tags_ignore", "tags-ignore", "types"],
        Instead("it restricts nothing here; use an `if` in the steps"),
    ),
    ("schedule", &["time", "at", "schedule", "expression"], Called("cron")),
    ("schedule", &["tz", "time_zone"], Called("timezone")),
    ("concurrency", &["cancel-in-progress"], Called("cancel_in_progress")),
    ("concurrency", &["name", "key"], Called("group")),
    // Between repositories.
    ("subscription", &["on", "event", "types", "type"], Called("events")),
    ("subscription", &["repo", "repository", "source", "from"], Called("artifact")),
    ("subscription", &["filter", "if", "when"], Called("filters")),
    ("subscription", &["with", "params"], Called("inputs")),
    ("subscription", &["version", "versions", "range"], Called("schema_version")),
    ("subscription", &["workflows", "run", "runs"], Called("workflow")),
    ("dependent", &["repository", "url"], Called("repo")),
    ("dependent", &["branch"], Instead("write it behind the repository: `repo: owner/repo:main`")),
    ("dependent", &["workflow"], Called("workflows")),
    ("dependent", &["artifact"], Called("artifacts")),
    ("produced_event", &["name", "event", "event_type"], Called("type")),
    ("produced_event", &["version"], Called("schema_version")),
    ("produced_event", &["data", "body"], Called("payload")),
    ("artifact", &["type", "kind", "language"], Called("ecosystem")),
    ("artifact", &["build", "run", "script"], Called("command")),
];

/// What `word` is here where it stands at `place`.
pub(crate) fn find(place: &str, word: &str) -> Option<Here> {
    let found = |&&(at, words, _): &&(&str, &[&str], Here)| {
        at == place && words.iter().any(|known| known.eq_ignore_ascii_case(word))
    };
    WORDS.iter().find(found).map(|(.., here)| *here)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::{MANIFEST, Table};

    #[test]
    fn every_word_leads_to_one_that_exists() {
        let tables = MANIFEST.all();
        let table = |name: &str| -> &Table { tables.iter().find(|table| table.name == name).expect(name) };
        for (place, words, here) in WORDS {
            let (known, unknown): (Vec<&str>, _) = match place.split_once('.') {
                Some((at, key)) => (table(at).words(key).to_vec(), words),
                None => (table(place).keys().collect(), words),
            };
            if let Called(word) = here {
                assert!(known.contains(word), "{place}: there is no `{word}`");
            }
            for word in *unknown {
                assert!(!known.contains(word), "{place}: `{word}` is not foreign");
                assert_eq!(find(place, word), Some(*here), "{place}: `{word}` stands twice");
            }
        }
    }
}
