//! Children that an agent begins: which may begin, and how.
//!
//! What an agent says of a child is taken where only it can know (which event, which inputs), and decided here where
//! it matters to others: that a subscription of the repository set asks for it, which commit it runs, its place in
//! the tree, its lock, limits and labels.

use std::collections::HashMap;

use tako_engine::check;
use tako_engine::port::{Append, Candidates, Checkout, EventKey, Job, Origin};
use tako_engine::route;
use tako_engine::submit::{Claims, claims};
use tako_schemas::diagnostic::Diagnostic;
use tako_schemas::event::Event;
use tako_schemas::id::{RepoRef, RunId, StepId};
use tako_schemas::journal::{Ancestor, Created, Entry, Outcome, ParentLink, RunState, Trigger};
use tako_schemas::workflow::Manifest;

use super::in_time;
use crate::app::App;
use crate::intake::may_pass;
use crate::refusal::Refusal;
use crate::text::chain;

/// The children of one commit, as they will begin, and their jobs.
///
/// `before` and `after` are the parent's states around its `own` entries.
pub(super) async fn judge(
    app: &App,
    before: &RunState,
    after: &RunState,
    own: &[Entry],
    beginnings: Vec<Append>,
    jobs: Vec<Job>,
) -> Result<(Vec<Append>, Vec<Job>), Refusal> {
    let mut offered: HashMap<RunId, Job> = HashMap::new();
    for job in jobs {
        if let Some(twice) = offered.insert(job.run.clone(), job) {
            return Err(Refusal::refused(format!("two jobs of {}", twice.run)));
        }
    }
    let mut asked = requests(own);
    let mut inquiry =
        Inquiry { app, parent: &before.created, candidates: HashMap::new(), files: HashMap::new() };
    let (mut appends, mut push) = (Vec::new(), Vec::new());
    for append in beginnings {
        let request = asked.remove(&append.run).filter(|_| append.run != before.created.run);
        let request =
            request.ok_or_else(|| Refusal::refused(format!("nothing was asked of {}", append.run)))?;
        let run = append.run.clone();
        let job = offered.remove(&run);
        let (created, end) = opened(append, &request)?;
        let event = emitted(after, &request, &created)?;
        let created = inquiry.place(created, event, request.step)?;
        inquiry.check_wanted(&created, event).await?;
        match (end, job) {
            (None, Some(job)) => {
                let (created, job) = inquiry.furnish(created, &job, request.step).await?;
                push.push(job);
                appends.push(begin(created, None));
            }
            // It cannot start, and nothing of it is run.
            (Some(end), None) => appends.push(begin(created, Some(end))),
            _ => return Err(Refusal::refused(format!("{run} needs either a job or an end"))),
        }
    }
    if let Some(run) = asked.keys().chain(offered.keys()).next() {
        return Err(Refusal::refused(format!("{run} has no beginning")));
    }
    Ok((appends, push))
}

/// What the parent's own entries say of a child.
struct Request<'a> {
    step: &'a StepId,
    repo: &'a RepoRef,
    workflow: &'a str,
    event: &'a str,
    /// Its end, if it cannot start.
    end: Option<(Outcome, Option<String>)>,
}

fn requests(own: &[Entry]) -> HashMap<RunId, Request<'_>> {
    let mut asked = HashMap::new();
    for entry in own {
        match entry {
            Entry::ChildRequested { child, step, repo, workflow, event } => {
                asked.insert(child.clone(), Request { step, repo, workflow, event, end: None });
            }
            Entry::ChildFinished { child, outcome, cause } => {
                if let Some(request) = asked.get_mut(child) {
                    request.end = Some((*outcome, cause.clone()));
                }
            }
            _ => {}
        }
    }
    asked
}

/// How the child's journal begins, and ends if it cannot start.
fn opened(append: Append, request: &Request<'_>) -> Result<(Created, Option<Entry>), Refusal> {
    let refuse = |why: &str| Refusal::refused(format!("the beginning of {}: {why}", append.run));
    let mut entries = append.entries.into_iter();
    let (first, end, None) = (entries.next(), entries.next(), entries.next()) else {
        return Err(refuse("more than its beginning"));
    };
    let Some(Entry::Created(created)) = first else { return Err(refuse("a journal begins with `created`")) };
    if created.run != append.run {
        return Err(refuse("it is another run's"));
    }
    let ended = match &end {
        Some(Entry::Finished { outcome, cause }) => Some((*outcome, cause.clone())),
        Some(_) => return Err(refuse("only its end can follow")),
        None => None,
    };
    if ended != request.end {
        return Err(refuse("its end is not what its parent is told"));
    }
    if ended.is_some_and(|(outcome, _)| outcome.is_success()) {
        return Err(refuse("what never ran did not succeed"));
    }
    Ok((*created, end))
}

/// The event that the child runs for, as the parent recorded it.
fn emitted<'a>(parent: &'a RunState, request: &Request<'_>, created: &Created) -> Result<&'a Event, Refusal> {
    let refuse = |why: &str| Refusal::refused(format!("the beginning of {}: {why}", created.run));
    if created.repo != *request.repo || created.workflow != request.workflow {
        return Err(refuse("its parent asked for something else"));
    }
    let Trigger::Event { event } = &created.trigger else { return Err(refuse("children run for events")) };
    if event.id != request.event {
        return Err(refuse("its parent asked for another event"));
    }
    let known = parent.events.iter().map(|(_, known)| known).find(|known| known.id == event.id);
    known.ok_or_else(|| refuse("its parent recorded no such event"))
}

fn begin(created: Created, end: Option<Entry>) -> Append {
    let run = created.run.clone();
    let entries = std::iter::once(Entry::Created(Box::new(created))).chain(end).collect();
    Append { run, expected_seq: Some(0), entries }
}

/// What the repository set says, asked once for each event and repository of a commit.
struct Inquiry<'a> {
    app: &'a App,
    parent: &'a Created,
    candidates: HashMap<String, Candidates>,
    files: HashMap<RepoRef, (Checkout, Manifest)>,
}

impl Inquiry<'_> {
    /// The child at its place in the tree.
    fn place(&self, created: Created, event: &Event, step: &StepId) -> Result<Created, Refusal> {
        let above = self.parent;
        let refuse = |why: String| Refusal::refused(format!("the beginning of {}: {why}", created.run));
        let parent = ParentLink { run: above.run.clone(), step: step.clone() };
        if created.parent.as_ref() != Some(&parent) || created.root != above.root {
            return Err(refuse("it belongs elsewhere".to_owned()));
        }
        if created.local.is_some() || created.led_by.is_some() {
            return Err(refuse("only `tako exec` begins such runs".to_owned()));
        }
        let itself = Ancestor { repo: above.repo.clone(), workflow: above.workflow.clone() };
        let ancestors: Vec<Ancestor> = above.ancestors.iter().cloned().chain([itself]).collect();
        if created.ancestors != ancestors {
            return Err(refuse("other runs stand above it".to_owned()));
        }
        let closes = |link: &Ancestor| link.repo == created.repo && link.workflow == created.workflow;
        if ancestors.iter().any(closes) {
            return Err(refuse("it would close a cycle".to_owned()));
        }
        let depth_limit = [created.depth_limit, above.depth_limit].into_iter().flatten().min();
        let deepest = depth_limit.unwrap_or(u32::MAX).min(self.app.parts.settings.max_depth);
        if u32::try_from(ancestors.len()).unwrap_or(u32::MAX) > deepest {
            return Err(refuse(format!("it would be deeper than {deepest} runs below the root")));
        }
        let trigger = Trigger::Event { event: Box::new(event.clone()) };
        Ok(Created { ancestors, depth_limit, trigger, ..created })
    }

    /// Refuses a child that no subscription asks for.
    async fn check_wanted(&mut self, created: &Created, event: &Event) -> Result<(), Refusal> {
        if !self.candidates.contains_key(&event.id) {
            let key = self.key(event).await?;
            let found = in_time(self.app.parts.desk.repos.subscribers(&key)).await?;
            let found = found.map_err(|error| {
                tracing::error!(error = chain(&error), "cannot look for subscribers");
                Refusal::unavailable("the repository set does not work")
            })?;
            self.candidates.insert(event.id.clone(), found);
        }
        let wanted = self.candidates.get(&event.id).is_some_and(|candidates| {
            candidates.found.iter().any(|candidate| {
                candidate.repo == created.repo && candidate.subscription.workflow.as_str() == created.workflow
            })
        });
        if wanted {
            return Ok(());
        }
        Err(Refusal::refused(format!(
            "{} {} does not subscribe to `{}` of {}",
            created.repo, created.workflow, event.kind, event.source
        )))
    }

    /// What the index is asked: the artifact that the event names, else any that its repository declares.
    async fn key(&self, event: &Event) -> Result<EventKey, Refusal> {
        let declared = if event.artifact.is_some() {
            Vec::new()
        } else {
            let repo = self.parent.repo.clone();
            let origin = match self.parent.commit.clone() {
                Some(commit) => Origin::Commit { repo, commit },
                None => Origin::Set(repo),
            };
            let (_, manifest) = read(self.app, &origin).await?;
            manifest.artifacts.keys().cloned().collect()
        };
        Ok(route::key(event, declared.into_iter()))
    }

    /// The child with the commit that the set has, and its job.
    async fn furnish(
        &mut self,
        created: Created,
        offered: &Job,
        step: &StepId,
    ) -> Result<(Created, Job), Refusal> {
        if !self.files.contains_key(&created.repo) {
            let file = read(self.app, &Origin::Set(created.repo.clone())).await?;
            self.files.insert(created.repo.clone(), file);
        }
        let refuse =
            || Refusal::refused(format!("there is no workflow `{}` in {}", created.workflow, created.repo));
        let (checkout, manifest) = self.files.get(&created.repo).ok_or_else(refuse)?;
        let workflow = manifest.effective(&created.workflow).ok_or_else(refuse)?;
        let unsupported = check::unsupported(manifest, &workflow);
        if let Some(first) = unsupported.iter().find(|diagnostic| diagnostic.is_error()) {
            return Err(Refusal::refused(checkout.manifest.one_line(first)));
        }
        let settings = &self.app.parts.settings;
        let siblings = offered.siblings.clone().map(|siblings| {
            let group = format!("{}/{step}", self.parent.run);
            tako_engine::port::SiblingLimit { group, limit: siblings.limit.max(1) }
        });
        let Claims { lock_key, supersedes, labels } = claims(&workflow, &created.repo, settings);
        let concurrency_limit = siblings.as_ref().map(|siblings| siblings.limit);
        let job = Job {
            run: created.run.clone(),
            root: self.parent.root.clone(),
            lock_key,
            supersedes,
            tree_limit: settings.max_concurrent_repos,
            siblings,
            priority: 0,
            labels,
        };
        let commit = checkout.pinned.then(|| checkout.commit.clone());
        Ok((Created { commit, concurrency_limit, ..created }, job))
    }
}

/// A repository's `tako.yml`, read and checked.
async fn read(app: &App, origin: &Origin) -> Result<(Checkout, Manifest), Refusal> {
    let checkout = in_time(app.parts.desk.repos.open(origin)).await?;
    let checkout = checkout.map_err(|error| match may_pass(&error) {
        true => Refusal::unavailable(chain(&error)),
        false => Refusal::refused(chain(&error)),
    })?;
    let checked = check::load_apart(&app.parts.desk.steps, &checkout.manifest).await;
    let first = |diagnostics: &[Diagnostic]| {
        diagnostics
            .iter()
            .find(|diagnostic| diagnostic.is_error())
            .map(|first| checkout.manifest.one_line(first))
    };
    match checked.manifest {
        Some(manifest) => Ok((checkout, manifest)),
        None => {
            let why = first(&checked.diagnostics).unwrap_or_else(|| "it cannot be read".to_owned());
            Err(Refusal::refused(format!("{}: {why}", checkout.repo)))
        }
    }
}
