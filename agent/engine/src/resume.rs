//! Going on with a tree of runs: finished steps and children stay, what failed or was interrupted goes again.
//!
//! Everything is decided before anything is written, and written in one transaction: of two who resume a tree at
//! once one does, and the other learns who.

mod changes;
mod tree;

use std::collections::HashMap;

use indexmap::IndexMap;
use tako_schemas::id::{RepoRef, RunId};
use tako_schemas::input::{InputError, resolve_inputs};
use tako_schemas::journal::{Entry, Owner, Resumed, RunState, Trigger};

use crate::fault::Fault;
use crate::history;
use crate::loading;
use crate::mapping::{self, Beginning};
use crate::origin::origin;
use crate::plan::Plan;
use crate::port::{Append, Job, JournalError, ResumedTree, Transaction};
use crate::ports::{Desk, Settings};
use crate::submit::{Claims, claims, siblings_of};

pub use changes::Change;
use tree::Choice;

/// What a user asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Any run of the tree; the whole tree goes on.
    pub run: RunId,
    /// The repository that the root must have, if it was named.
    pub repo: Option<RepoRef>,
    /// Leave alone what somebody cancelled.
    pub failed_only: bool,
    /// Go on although the workflow or the inputs changed.
    pub force: bool,
    /// Inputs as given; none: those of before.
    pub inputs: IndexMap<String, String>,
    /// Who asks, as status says it.
    pub by: String,
    /// The process that leads the tree from now on.
    pub led_by: Owner,
}

/// A tree that goes on.
#[derive(Clone, Debug)]
pub struct Resumption {
    /// The root, as it stands now.
    pub root: RunState,
    /// Every run of the tree as it stood before, the root first.
    pub before: Vec<RunState>,
    /// The runs that go on.
    pub runs: Vec<RunId>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Why a tree cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// There is no such run.
    #[error("there is no run {run}")]
    NoSuchRun {
        /// The run.
        run: RunId,
    },
    /// The repository that was named is not the root's.
    #[error("{run} belongs to the tree of {root}, which runs {repo}")]
    OtherRepository {
        /// The run.
        run: RunId,
        /// Its root.
        root: RunId,
        /// The root's repository.
        repo: RepoRef,
    },
    /// Somebody leads it.
    #[error("{root} is being led by the tako process {pid}")]
    Led {
        /// The root.
        root: RunId,
        /// The process id.
        pid: u32,
    },
    /// Agents of a server lead it.
    #[error("{root} belongs to a server, whose agents go on with it by themselves")]
    Served {
        /// The root.
        root: RunId,
    },
    /// Everything has succeeded.
    #[error("{root} has succeeded: there is nothing to resume")]
    Succeeded {
        /// The root.
        root: RunId,
    },
    /// What it is to do is not what it was.
    #[error("what {root} is to do has changed since it ran")]
    Changed {
        /// The root.
        root: RunId,
        /// What has changed.
        changes: Vec<Change>,
    },
    /// A repository of the tree cannot be read, or does not load any more.
    #[error("{repo} {workflow} cannot go on: {}", fault.cause)]
    Unusable {
        /// The repository.
        repo: Box<RepoRef>,
        /// The workflow.
        workflow: String,
        /// Why.
        fault: Box<Fault>,
    },
    /// Inputs are wrong.
    #[error("the inputs do not fit")]
    Inputs {
        /// Everything that is wrong with them.
        errors: Vec<InputError>,
    },
    /// The journal does not work.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Makes the tree of a run go on, once `is_alive` says that nobody leads it. What a dead owner left running must have
/// been ended before.
///
/// # Errors
///
/// Nothing is written then.
pub async fn resume(
    desk: &Desk,
    settings: &Settings,
    request: &Request,
    is_alive: impl Fn(&Owner) -> bool,
) -> Result<Resumption, ResumeError> {
    loop {
        let states = states(desk, &request.run).await?;
        let root = &states[0];
        refuse(root, request, &is_alive)?;
        let mut draft = Draft::new(desk, settings, request);
        draft.begin_anew(&states).await;
        let hopeless = draft.hopeless.keys().cloned().collect();
        let choices = tree::choose(&states, request.failed_only, &hopeless);
        for (state, choice) in states.iter().zip(&choices) {
            draft.consider(state, choice).await?;
        }
        if !draft.changes.is_empty() && !request.force {
            return Err(ResumeError::Changed { root: root.created.run.clone(), changes: draft.changes });
        }
        let (transaction, runs, notes) = draft.finish(root);
        match desk.journal.commit(transaction).await {
            // Somebody else resumed it at this moment, or told a run of it something.
            Err(JournalError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
            Ok(recorded) => {
                let (mut resumed, run) = (root.clone(), &root.created.run);
                for entry in recorded.first().into_iter().flatten() {
                    let corrupt =
                        |source| JournalError::Corrupt { run: run.clone(), source: Box::new(source) };
                    resumed.apply(entry).map_err(corrupt)?;
                }
                return Ok(Resumption { root: resumed, before: states, runs, notes });
            }
        }
    }
}

/// Every run of the tree of `run`, the root first, parents before their children.
async fn states(desk: &Desk, run: &RunId) -> Result<Vec<RunState>, ResumeError> {
    let unknown = || ResumeError::NoSuchRun { run: run.clone() };
    let summary = desk.journal.find(run).await?.ok_or_else(unknown)?;
    let mut states = Vec::new();
    for member in desk.journal.tree(&summary.root).await? {
        let known = history::read(desk.journal.as_ref(), &member.run).await?;
        states.extend(known.map(|(state, _)| state));
    }
    if states.is_empty() { Err(unknown()) } else { Ok(states) }
}

fn refuse(root: &RunState, request: &Request, is_alive: &impl Fn(&Owner) -> bool) -> Result<(), ResumeError> {
    let (run, repo) = (root.created.run.clone(), &root.created.repo);
    if let Some(named) = &request.repo
        && (named.repo != repo.repo
            || named.branch.as_ref().is_some_and(|it| Some(it) != repo.branch.as_ref()))
    {
        let repo = repo.clone();
        return Err(ResumeError::OtherRepository { run: request.run.clone(), root: run, repo });
    }
    let Some(leader) = &root.created.led_by else { return Err(ResumeError::Served { root: run }) };
    match root.ended() {
        Some(ended) if ended.outcome.is_success() => Err(ResumeError::Succeeded { root: run }),
        None if is_alive(leader) => Err(ResumeError::Led { root: run, pid: leader.process.pid }),
        _ => Ok(()),
    }
}

/// A resumption as far as it has been thought out.
struct Draft<'a> {
    desk: &'a Desk,
    settings: &'a Settings,
    request: &'a Request,
    appends: Vec<Append>,
    jobs: Vec<Job>,
    changes: Vec<Change>,
    /// Subscribers that could not start before, and can now.
    beginnings: HashMap<RunId, Beginning>,
    /// Those that still cannot, and why.
    hopeless: IndexMap<RunId, String>,
}

impl<'a> Draft<'a> {
    fn new(desk: &'a Desk, settings: &'a Settings, request: &'a Request) -> Self {
        let (appends, jobs, changes) = Default::default();
        let (beginnings, hopeless) = Default::default();
        Self { desk, settings, request, appends, jobs, changes, beginnings, hopeless }
    }

    /// Finds out how subscribers begin that could not before. Who still cannot keeps nobody else from going on.
    async fn begin_anew(&mut self, states: &[RunState]) {
        for state in states.iter().filter(|state| tree::never_began(state)) {
            let created = &state.created;
            match self.begin(state).await {
                Ok(beginning) => drop(self.beginnings.insert(created.run.clone(), beginning)),
                Err(Fault { cause, .. }) => {
                    let why = format!("{} {} still cannot start: {cause}", created.repo, created.workflow);
                    self.hopeless.insert(created.run.clone(), why);
                }
            }
        }
    }

    /// Adds what it takes for the run of `state` to go on.
    async fn consider(&mut self, state: &RunState, choice: &Choice) -> Result<(), ResumeError> {
        let Choice::Again { children } = choice else { return Ok(()) };
        let is_root = state.created.parent.is_none();
        let mut resumed = Resumed {
            by: self.request.by.clone(),
            led_by: is_root.then(|| self.request.led_by.clone()),
            children: children.clone(),
            ..Resumed::default()
        };
        let unusable = |fault| ResumeError::Unusable {
            repo: Box::new(state.created.repo.clone()),
            workflow: state.created.workflow.clone(),
            fault: Box::new(fault),
        };
        let claims = if let Some(beginning) = self.beginnings.remove(&state.created.run) {
            (resumed.inputs, resumed.commit) = (Some(beginning.inputs), beginning.commit);
            beginning.claims
        } else {
            let plan = self.plan(state).await.map_err(unusable)?;
            let before = self.changes.len();
            self.changes.extend(changes::of_workflow(state, &plan));
            resumed.replan = self.changes.len() > before;
            if is_root && !self.request.inputs.is_empty() {
                let inputs = resolve_inputs(&plan.workflow.inputs, &self.request.inputs)
                    .map_err(|errors| ResumeError::Inputs { errors })?;
                self.changes.extend(changes::of_inputs(state, &inputs));
                resumed.inputs = (inputs != state.created.inputs).then_some(inputs);
            }
            claims(&plan.workflow, &state.created.repo, self.settings)
        };
        self.push(state, claims);
        let entries = vec![Entry::Resumed(Box::new(resumed))];
        let run = state.created.run.clone();
        self.appends.push(Append { run, expected_seq: Some(state.seq), entries });
        Ok(())
    }

    fn push(&mut self, state: &RunState, Claims { lock_key, labels, .. }: Claims) {
        let created = &state.created;
        self.jobs.push(Job {
            run: created.run.clone(),
            root: created.root.clone(),
            lock_key,
            // Whoever goes on is not newer than what runs now.
            supersedes: false,
            tree_limit: self.settings.max_concurrent_repos,
            siblings: siblings_of(created),
            priority: 0,
            labels,
        });
    }

    async fn plan(&self, state: &RunState) -> Result<Plan, Fault> {
        let Desk { repos, steps, .. } = self.desk;
        let checkout = repos.open(&origin(&state.created)).await?;
        let planned = loading::plan(repos.as_ref(), steps, &checkout, &state.created.workflow).await;
        planned.map(|(_, plan)| plan)
    }

    /// How a subscriber begins that could not before.
    async fn begin(&self, state: &RunState) -> Result<Beginning, Fault> {
        let Desk { repos, steps, .. } = self.desk;
        let Trigger::Event { event } = &state.created.trigger else {
            return Err(Fault::error("it was started by no event"));
        };
        let candidate = tree::subscription(self.desk, state, event).await?;
        mapping::begin(repos.as_ref(), steps, self.settings, event, &candidate).await
    }

    fn finish(self, root: &RunState) -> (Transaction, Vec<RunId>, Vec<String>) {
        let runs: Vec<RunId> = self.appends.iter().map(|append| append.run.clone()).collect();
        let mut notes: Vec<String> = self.hopeless.into_values().collect();
        if !self.changes.is_empty() {
            notes.push("what changed is taken as it is now; what finished stays as it was".to_owned());
        }
        let resume =
            ResumedTree { root: root.created.run.clone(), tree_limit: self.settings.max_concurrent_repos };
        let transaction = Transaction {
            at: Some(self.desk.clock.now()),
            appends: self.appends,
            push: self.jobs,
            resume: Some(resume),
            wake: runs.clone(),
            ..Transaction::default()
        };
        (transaction, runs, notes)
    }
}
