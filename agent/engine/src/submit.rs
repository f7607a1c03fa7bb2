//! From what a user asks for to a run in the queue; whatever is wrong is found before anything exists.

use indexmap::IndexMap;
use tako_schemas::diagnostic::{Diagnostic, SourceFile};
use tako_schemas::id::{RepoRef, RunId};
use tako_schemas::input::{InputError, resolve_inputs};
use tako_schemas::journal::{Ancestor, Created, Entry, Owner, Trigger};
use tako_schemas::workflow::{Concurrency, Workflow};

use crate::check;
use crate::cycle::{self, CycleError, Survey};
use crate::declared::{DeclarationError, DeclaredEvents, SchemaProblem};
use crate::port::{Append, Job, JournalError, Origin, RepoError, SiblingLimit, Transaction};
use crate::ports::{Desk, Settings};

/// What a user asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where the repository is.
    pub origin: Origin,
    /// The workflow.
    pub workflow: String,
    /// Inputs as given.
    pub inputs: IndexMap<String, String>,
    /// Why.
    pub trigger: Trigger,
    /// The process that will lead the tree, if one will.
    pub led_by: Option<Owner>,
}

/// A run that may begin.
#[derive(Clone, Debug)]
pub struct Submission {
    /// How it begins.
    pub created: Created,
    /// Its place in the queue.
    pub job: Job,
    /// `tako.yml`, for the positions of the warnings.
    pub file: SourceFile,
    /// What is odd about it.
    pub warnings: Vec<Diagnostic>,
    /// The tree it will have.
    pub survey: Survey,
    /// Names of secrets that its own workflow lists.
    pub secrets: Vec<String>,
}

/// Why a run may not begin.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The repository cannot be had.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// `tako.yml` does not load, or asks for what this build cannot do.
    #[error("{} cannot be run", file.name())]
    Manifest {
        /// The file.
        file: Box<SourceFile>,
        /// Everything that is wrong with it.
        diagnostics: Vec<Diagnostic>,
    },
    /// There is no such workflow.
    #[error("there is no workflow `{name}` in {}", file)]
    UnknownWorkflow {
        /// What was asked for.
        name: String,
        /// The file's name.
        file: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Inputs are missing or wrong.
    #[error("the inputs of workflow `{workflow}` do not fit")]
    Inputs {
        /// The workflow.
        workflow: String,
        /// Everything that is wrong with them.
        errors: Vec<InputError>,
        /// What the workflow declares.
        declared: Vec<String>,
    },
    /// An event is declared with a schema that cannot be used.
    #[error(transparent)]
    Declaration(Box<DeclarationError>),
    /// The run would start itself again, for ever.
    #[error(transparent)]
    Cycle(#[from] CycleError),
    /// The journal does not work.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl From<DeclarationError> for SubmitError {
    fn from(error: DeclarationError) -> Self {
        match error.problem {
            // Perhaps it can be read later; that it is not there is no such case.
            SchemaProblem::Unreadable(error @ (RepoError::Git { .. } | RepoError::Io { .. })) => {
                Self::Repo(error)
            }
            problem => Self::Declaration(Box::new(DeclarationError { problem, ..error })),
        }
    }
}

/// Checks everything that can be checked before a run exists. Writes nothing but clones of missing repositories.
///
/// # Errors
///
/// Says everything that is wrong at once, as far as one problem does not hide another.
pub async fn prepare(desk: &Desk, settings: &Settings, request: Request) -> Result<Submission, SubmitError> {
    let checkout = desk.repos.open(&request.origin).await?;
    let checked = check::load_apart(&desk.steps, &checkout.manifest).await;
    let refuse =
        |diagnostics| SubmitError::Manifest { file: Box::new(checkout.manifest.clone()), diagnostics };
    let Some(manifest) = checked.manifest else { return Err(refuse(checked.diagnostics)) };
    let Some(workflow) = manifest.effective(&request.workflow) else {
        return Err(SubmitError::UnknownWorkflow {
            name: request.workflow,
            file: checkout.manifest.name().to_owned(),
            known: manifest.workflows.keys().cloned().collect(),
        });
    };
    let unsupported = check::unsupported(&manifest, &workflow);
    if unsupported.iter().any(Diagnostic::is_error) {
        return Err(refuse(unsupported));
    }
    DeclaredEvents::read(desk.repos.as_ref(), &checkout, &manifest).await?;
    let inputs = resolve_inputs(&workflow.inputs, &request.inputs).map_err(|errors| SubmitError::Inputs {
        workflow: request.workflow.clone(),
        errors,
        declared: workflow.inputs.keys().cloned().collect(),
    })?;
    let start = Ancestor { repo: checkout.repo.clone(), workflow: request.workflow.clone() };
    let survey = cycle::check(desk, start, &manifest).await?;

    let run = desk.ids.run(desk.clock.now());
    let local = match &checkout.origin {
        Origin::Local { .. } => Some(checkout.path.to_string_lossy().into_owned()),
        Origin::Set(_) | Origin::Commit { .. } => None,
    };
    let Claims { lock_key, supersedes, labels } = claims(&workflow, &checkout.repo, settings);
    let job = Job {
        run: run.clone(),
        root: run.clone(),
        lock_key,
        supersedes,
        tree_limit: settings.max_concurrent_repos,
        siblings: None,
        priority: 0,
        labels,
    };
    let created = Created {
        root: run.clone(),
        run,
        parent: None,
        repo: checkout.repo,
        local,
        commit: checkout.pinned.then_some(checkout.commit),
        workflow: request.workflow,
        inputs,
        trigger: request.trigger,
        ancestors: Vec::new(),
        depth_limit: None,
        led_by: request.led_by,
        concurrency_limit: None,
    };
    let warnings = checked.diagnostics.into_iter().chain(unsupported).collect();
    let secrets = workflow.secrets.iter().map(|name| name.as_str().to_owned()).collect();
    Ok(Submission { created, job, file: checkout.manifest, warnings, survey, secrets })
}

/// Makes the run exist and its job wait; returns when both are durable.
///
/// # Errors
///
/// When the journal does not work; there is no run then.
pub async fn submit(desk: &Desk, submission: Submission) -> Result<RunId, JournalError> {
    let run = submission.created.run.clone();
    let transaction = Transaction { at: Some(desk.clock.now()), ..Transaction::default() };
    commit(desk, transaction, vec![submission]).await?;
    Ok(run)
}

/// Makes the runs of `submissions` exist, together with everything else in `transaction`.
///
/// # Errors
///
/// When the transaction is refused or the journal does not work; there are no runs then.
pub async fn commit(
    desk: &Desk,
    mut transaction: Transaction,
    submissions: Vec<Submission>,
) -> Result<(), JournalError> {
    let mut runs = Vec::new();
    for Submission { created, job, .. } in submissions {
        runs.push(job.run.clone());
        transaction.push.push(job);
        let entries = vec![Entry::Created(Box::new(created))];
        let run = runs[runs.len() - 1].clone();
        transaction.appends.push(Append { run, expected_seq: Some(0), entries });
    }
    let recorded = desk.journal.commit(transaction).await?;
    for (run, entries) in runs.iter().zip(recorded) {
        for entry in entries {
            desk.observer.entry(run, &entry).await;
        }
    }
    Ok(())
}

/// What a run claims of its fellows in the queue, as its workflow says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Runs of one key exclude each other while they execute steps.
    pub lock_key: Option<String>,
    /// Whether it cancels older runs of its key.
    pub supersedes: bool,
    /// Labels that whoever runs it must have.
    pub labels: Vec<String>,
}

/// What a run of `workflow` in `repo` claims.
#[must_use]
pub fn claims(workflow: &Workflow, repo: &RepoRef, settings: &Settings) -> Claims {
    let (lock_key, supersedes) = match &workflow.concurrency {
        Concurrency::Repository => (Some(format!("repo:{repo}")), false),
        Concurrency::Group { group, cancel_in_progress } => {
            (Some(format!("group:{group}")), *cancel_in_progress)
        }
        Concurrency::Unlimited => (None, false),
    };
    let labels = workflow.runs_on.iter().chain(&settings.labels).cloned().collect();
    Claims { lock_key, supersedes, labels }
}

/// The limit that a child run shares with its siblings.
#[must_use]
pub fn siblings_of(created: &Created) -> Option<SiblingLimit> {
    let parent = created.parent.as_ref()?;
    let group = format!("{}/{}", parent.run, parent.step);
    created.concurrency_limit.map(|limit| SiblingLimit { group, limit })
}
