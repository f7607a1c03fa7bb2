//! Names of other tools in templates and CEL, and where the same is found here.
//!
//! Data. What is likely a slip of the finger is [`crate::suggest`]'s.

/// Paths that are another one here. The longest that fits counts.
const PATHS: [(&str, &str); 23] = [
    ("github.sha", "run.commit"),
    ("github.ref", "run.branch"),
    ("github.ref_name", "run.branch"),
    ("github.head_ref", "run.branch"),
    ("github.repository", "run.repo"),
    ("github.workflow", "run.workflow"),
    ("github.run_id", "run.id"),
    ("github.event.inputs", "inputs"),
    ("github.event", "event.payload"),
    ("commit", "run.commit"),
    ("sha", "run.commit"),
    ("branch", "run.branch"),
    ("ref", "run.branch"),
    ("repo", "run.repo"),
    ("repository", "run.repo"),
    ("workflow", "run.workflow"),
    ("params", "inputs"),
    ("parameters", "inputs"),
    ("values", "inputs"),
    ("vars", "env"),
    ("variables", "env"),
    ("step", "steps"),
    ("payload", "event.payload"),
];

/// Names that are nothing here, and what to do instead.
const ADVICE: [(&str, &str); 9] = [
    ("github", "the run is `run.repo`, `run.branch`, `run.commit`; the event is `event`"),
    ("matrix", "there is no matrix: write a workflow for each, or a loop in a script"),
    ("strategy", "there is no matrix: write a workflow for each, or a loop in a script"),
    ("needs", "earlier steps are `steps.ID.NAME`; other workflows are reached by events"),
    ("jobs", "earlier steps are `steps.ID.NAME`; other workflows are reached by events"),
    ("job", "what is known of the run is `run`: id, workflow, repo, branch, commit"),
    ("runner", "what is known of the run is `run`: id, workflow, repo, branch, commit"),
    ("outputs", "`outputs` is there in `produces` only; those of earlier steps are `steps.ID.NAME`"),
    (
        "secrets",
        "secrets are seen by no template and no condition; hand one to the step with `env: {NAME: SECRET_NAME}`",
    ),
];

/// The path that `path` is here, if what it begins with is available.
pub(crate) fn path(path: &[String], available: &[&str]) -> Option<String> {
    let mut dotted = path.join(".");
    for tool in ["gitea.", "forgejo.", "Values."] {
        if let Some(rest) = dotted.strip_prefix(tool) {
            dotted = format!("{}{rest}", if tool == "Values." { "values." } else { "github." });
        }
    }
    let rest = |known: &str| match dotted.strip_prefix(known) {
        Some(rest) if rest.is_empty() || rest.starts_with('.') => Some(rest.to_owned()),
        _ => None,
    };
    let fitting = PATHS.iter().filter_map(|(known, here)| Some((known.len(), *here, rest(known)?)));
    let (_, here, rest) = fitting.max_by_key(|(len, ..)| *len)?;
    available.contains(&here.split('.').next()?).then(|| format!("{here}{rest}"))
}

/// What to do instead of a name.
pub(crate) fn advice(name: &str) -> Option<&'static str> {
    ADVICE.iter().find(|(known, _)| *known == name).map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let step = ["inputs", "steps", "env", "event", "run"];
        let cases = [
            ("github.sha", &step[..], Some("run.commit")),
            ("github.event.inputs.name", &step, Some("inputs.name")),
            ("github.event.after", &step, Some("event.payload.after")),
            ("gitea.ref_name", &step, Some("run.branch")),
            ("Values.image", &step, Some("inputs.image")),
            ("payload.version", &step, Some("event.payload.version")),
            ("commit", &["event", "payload"], None),
            ("github.token", &step, None),
            ("commits", &step, None),
        ];
        for (dotted, available, want) in cases {
            let segments: Vec<String> = dotted.split('.').map(str::to_owned).collect();
            assert_eq!(path(&segments, available).as_deref(), want, "{dotted}");
        }
    }
}
