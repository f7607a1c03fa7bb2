//! Inheritance: what a step does not say itself, its workflow says, and what that does not, `defaults` do.

use indexmap::IndexMap;

use crate::diagnostic::Text;
use crate::workflow::{Manifest, Resources, Step, Workflow};

impl Manifest {
    /// The workflow `name` with everything it inherits written into it and its steps, those of blocks included.
    ///
    /// Steps get image, shell, environment and resource limits (each limit by itself); the workflow gets its
    /// timeout. A workflow's timeout limits the run, not each step, so steps keep theirs.
    #[must_use]
    pub fn effective(&self, name: &str) -> Option<Workflow> {
        let mut workflow = self.workflows.get(name)?.clone();
        let defaults = &self.defaults;
        workflow.image = workflow.image.or_else(|| defaults.image.clone());
        workflow.timeout = workflow.timeout.or(defaults.timeout);
        workflow.env = merged(&defaults.env, &workflow.env);
        workflow.resources = limits(&workflow.resources, &defaults.resources);
        let inherited = Inherited {
            image: workflow.image.clone(),
            shell: defaults.shell.clone(),
            env: workflow.env.clone(),
            resources: workflow.resources.clone(),
        };
        for steps in [&mut workflow.steps, &mut workflow.on_failure, &mut workflow.on_cancellation] {
            inherited.fold_into(steps);
        }
        Some(workflow)
    }
}

/// What steps inherit.
struct Inherited {
    image: Option<Text>,
    shell: Option<Text>,
    env: IndexMap<String, Text>,
    resources: Resources,
}

impl Inherited {
    fn fold_into(&self, steps: &mut [Step]) {
        for step in steps {
            step.container.image = step.container.image.take().or_else(|| self.image.clone());
            step.shell = step.shell.take().or_else(|| self.shell.clone());
            step.env = merged(&self.env, &step.env);
            step.resources = limits(&step.resources, &self.resources);
            self.fold_into(&mut step.on_failure);
            self.fold_into(&mut step.on_cancellation);
        }
    }
}

/// `over` wins; names keep the place where they first appear.
fn merged(under: &IndexMap<String, Text>, over: &IndexMap<String, Text>) -> IndexMap<String, Text> {
    let mut env = under.clone();
    env.extend(over.iter().map(|(name, value)| (name.clone(), value.clone())));
    env
}

fn limits(own: &Resources, inherited: &Resources) -> Resources {
    Resources {
        cpu_limit_millis: own.cpu_limit_millis.or(inherited.cpu_limit_millis),
        mem_limit_bytes: own.mem_limit_bytes.or(inherited.mem_limit_bytes),
        disk_limit_bytes: own.disk_limit_bytes.or(inherited.disk_limit_bytes),
        places: own.places.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::diagnostic::{SourceFile, Text};
    use crate::load::load;
    use crate::workflow::Manifest;

    const FILE: &str = r"
version: 1
defaults:
  image: base
  shell: bash
  timeout: 1h
  env: {A: d, B: d, C: d}
  resources: {cpu_limit: 1, mem_limit: 1GB}
workflows:
  plain:
    steps: [make]
  own:
    image: mine
    timeout: 5m
    env: {B: w, D: w}
    resources: {cpu_limit: 2}
    steps:
      - run: make
        image: step
        shell: python
        env: {C: s, E: s}
        resources: {mem_limit: 2GB}
        on_failure: [report]
    on_cancellation: [clean]
";

    fn manifest() -> Manifest {
        load(&SourceFile::new("tako.yml", FILE)).manifest.unwrap()
    }

    fn text(text: Option<&Text>) -> &str {
        text.map_or("", Text::as_str)
    }

    #[test]
    fn what_is_not_said_is_inherited() {
        let workflow = manifest().effective("plain").unwrap();
        let step = &workflow.steps[0];
        assert_eq!(text(step.container.image.as_ref()), "base");
        assert_eq!(text(step.shell.as_ref()), "bash");
        assert_eq!(step.env.len(), 3);
        assert_eq!(workflow.timeout, Some(Duration::from_secs(3600)));
        assert_eq!((step.timeout, step.resources.cpu_limit_millis), (None, Some(1_000)));
    }

    #[test]
    fn the_nearest_wins_and_order_is_kept() {
        let workflow = manifest().effective("own").unwrap();
        assert_eq!(workflow.timeout, Some(Duration::from_secs(300)));
        let step = &workflow.steps[0];
        let env: Vec<_> = step.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(env, ["A=d", "B=w", "C=s", "D=w", "E=s"]);
        assert_eq!((text(step.container.image.as_ref()), text(step.shell.as_ref())), ("step", "python"));
        assert_eq!(step.resources.cpu_limit_millis, Some(2_000));
        assert_eq!(step.resources.mem_limit_bytes, Some(2_000_000_000));
    }

    #[test]
    fn steps_of_blocks_inherit_from_the_workflow() {
        let workflow = manifest().effective("own").unwrap();
        let block = &workflow.steps[0].on_failure[0];
        assert_eq!(text(block.container.image.as_ref()), "mine");
        assert!(!block.env.contains_key("E"));
        assert_eq!(text(workflow.on_cancellation[0].container.image.as_ref()), "mine");
    }

    #[test]
    fn there_is_no_workflow_of_another_name() {
        assert!(manifest().effective("nope").is_none());
    }
}
