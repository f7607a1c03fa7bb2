//! `tako exec`

mod resume;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use indexmap::IndexMap;
use tako_engine::cycle::{self, CycleError};
use tako_engine::port::{Observer, Origin, SecretError};
use tako_engine::ports::Settings;
use tako_engine::retry::Tries;
use tako_engine::secrets::{self, Rule};
use tako_engine::submit::{self, Request, Submission, SubmitError};
use tako_schemas::config::SecretRule;
use tako_schemas::id::{RepoRef, RunId};
use tako_schemas::journal::{Outcome, Trigger};
use tokio_util::sync::CancellationToken;

use crate::cli::Global;
use crate::error::{CliError, Code};
use crate::home::Home;
use crate::janitor::{self, Turn};
use crate::render::display::Display;
use crate::render::{self, Announcement, excerpt};
use crate::signals::Signals;
use crate::stepping::Stepping;
use crate::wiring;
use crate::worker::Worker;

/// Run a workflow on this machine, and the workflows of the repositories that subscribe to its events
#[derive(clap::Args, Debug)]
pub(crate) struct ExecArgs {
    /// The workflow
    #[arg(required_unless_present = "resume")]
    workflow: Option<String>,

    /// The repository, from the set; with --root, the name of the repository there
    #[arg(long, value_name = "OWNER/REPO[:BRANCH]")]
    repo: Option<RepoRef>,

    /// An input of the workflow; also --inputs.NAME=VALUE
    #[arg(long = "inputs", visible_alias = "input", value_name = "NAME=VALUE", value_parser = input)]
    inputs: Vec<(String, String)>,

    /// Go on with a run: what finished stays, what failed, or was interrupted or cancelled, goes again
    #[arg(long, value_name = "RUN", conflicts_with = "workflow")]
    resume: Option<RunId>,

    /// Resume what failed, and leave alone what somebody cancelled
    #[arg(long, requires = "resume")]
    failed_only: bool,

    /// Resume although the workflow or the inputs have changed
    #[arg(long, requires = "resume")]
    force: bool,

    /// Repositories that may have secrets, beside the one that is run: all that their workflows list
    #[arg(long, value_name = "OWNER/REPO|OWNER/*")]
    allow_secrets: Vec<String>,

    /// How many repositories may execute steps at one moment
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    max_concurrent_repos: u32,

    /// Stay off the network: a repository that is not in the set is an error
    #[arg(long)]
    local: bool,

    /// Print, for every event, why each repository was or was not started
    #[arg(long)]
    debug_subscriptions: bool,

    /// Ask at the terminal before each step; without a terminal nobody is asked
    #[arg(long)]
    debug: bool,

    /// What to print: text for people, or the journal as JSON Lines
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    output: Output,
}

/// What `exec` prints on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// Journal entries as JSON Lines
    Json,
}

fn input(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// The repository that `--repo` and `--root` mean together.
pub(crate) fn origin(repo: Option<&RepoRef>, global: &Global) -> Result<Origin, CliError> {
    match (&global.root, repo) {
        (None, Some(repo)) => Ok(Origin::Set(repo.clone())),
        (Some(root), name) => Ok(Origin::Local { path: root.clone(), name: name.cloned() }),
        (None, None) => Ok(Origin::Local { path: enclosing()?, name: None }),
    }
}

/// The directory at or above the current one that is a repository or holds a `tako.yml`.
pub(crate) fn enclosing() -> Result<PathBuf, CliError> {
    let here = std::env::current_dir().map_err(|error| CliError::io("find the current directory", &error))?;
    let marks = [".git", "tako.yml", "tako.yaml"];
    let found = here.ancestors().find(|directory| marks.iter().any(|mark| directory.join(mark).exists()));
    found.map(PathBuf::from).ok_or_else(|| {
        CliError::usage(format!("{} is in no repository", here.display()))
            .hint("go into one, or name one with --root DIR or --repo OWNER/REPO")
    })
}

pub(crate) async fn exec(args: ExecArgs, global: &Global) -> Result<ExitCode, CliError> {
    let task = Task::of(&args, global)?;
    let mut secrets = allowed(&args.allow_secrets)?;
    let home = Home::locate(global)?;
    home.create()?;
    let mut config = home.config()?;
    config.clone.offline |= args.local;
    let mut settings = Settings {
        cancel_grace: config.cancel_grace,
        base_env: inherited_env(),
        max_concurrent_repos: args.max_concurrent_repos,
        max_depth: config.max_depth,
        max_attempts: None,
        system_tries: Tries::SYSTEM,
        labels: vec![wiring::EXEC_LABEL.to_owned()],
        policy: wiring::policy(config.policy.clone().of_exec(), "config.toml")?,
        // Whose they are is known when the root is.
        secrets: secrets::Policy::default(),
    };
    let owner = tako_runtime::this_owner(format!("exec-{}", uuid::Uuid::new_v4()))
        .map_err(|error| CliError::io("identify this process", &error))?;

    let mut signals = Signals::listen()?;
    let display = Display::new(args.output, args.debug_subscriptions, args.debug, global);
    let mut machine = wiring::machine(&home, &config, Arc::clone(&display) as Arc<dyn Observer>)?;
    if args.debug
        && let Some(stepping) = Stepping::new(Arc::clone(&machine.ports.runtime))
    {
        machine.ports.runtime = Arc::new(stepping);
    }
    let journal = machine.ports.journal.as_ref();
    let turn = Turn::take(&home.turn()).await.map_err(|error| CliError::io("lock the home", &error))?;
    let (queue, runtime) = (machine.queue.as_ref(), machine.ports.runtime.as_ref());
    for root in janitor::set_dead_trees_aside(&turn, journal, queue, runtime).await? {
        tracing::info!(run = %root, "an interrupted run was set aside");
    }
    // An engine that does not answer, or much that was kept, keeps nobody waiting.
    let (runtimes, ports, workspaces) =
        (Arc::clone(&machine.runtimes), machine.ports.clone(), home.workspaces());
    tokio::spawn(async move {
        let (journal, repos) = (ports.journal.as_ref(), ports.repos.as_ref());
        if let Err(error) =
            janitor::discard_finished(workspaces, journal, repos, ports.runtime.as_ref()).await
        {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "cannot look for workspaces of runs that are over");
        }
        if let Err(error) = runtimes.sweep().await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "cannot remove containers of dead processes");
        }
    });

    let desk = machine.ports.desk();
    let begun = async {
        match task {
            Task::Begin(origin, workflow, inputs) => {
                drop(turn);
                let (trigger, led_by) = (Trigger::Exec, Some(owner.clone()));
                let request = Request { origin, workflow, inputs, trigger, led_by };
                let submission = submit::prepare(&desk, &settings, request).await.map_err(refused)?;
                // A run that could not have them would only begin and fail.
                machine
                    .ports
                    .secrets
                    .get(&submission.secrets)
                    .await
                    .map_err(|error| without_secret(&error))?;
                warn(&submission, global);
                display.announce(&Announcement::of(&submission.created)).await;
                let (root, withheld) = (submission.created.clone(), submission.survey.secrets.clone());
                submit::submit(&desk, submission).await?;
                Ok::<_, CliError>((root, withheld))
            }
            Task::Resume(asked) => {
                let root = resume::resume(&desk, &settings, *asked, &owner, &display, turn).await?;
                let withheld = cycle::secrets(&desk, &root).await?;
                Ok((root, withheld))
            }
        }
    };
    // A repository may have to be cloned first; nobody has to wait for that.
    let (root, withheld) = tokio::select! {
        begun = begun => begun?,
        by = signals.next() => {
            return Err(CliError::new(Code::Cancelled, format!("cancelled by {by} before anything ran")));
        }
    };

    settings.base_env.retain(|(name, _)| !withheld.contains(name));
    secrets.push(Rule::all_for(&root.repo.repo));
    settings.secrets = secrets::Policy::new(secrets);
    let root = root.run;
    let (driver, queue) = (machine.driver(settings), Arc::clone(&machine.queue));
    let worker = Worker { driver, queue, owner, turn: home.turn() };
    let outcome = lead(&worker, &root, &display, &mut signals).await;
    let report = render::report::of(journal, &wiring::logs(&home), &root).await?;
    display.conclude(&report).await;
    Ok(match outcome? {
        Outcome::Success => ExitCode::SUCCESS,
        Outcome::Failure => Code::Failed.into(),
        Outcome::Error => Code::Surroundings.into(),
        Outcome::TimedOut => Code::TimedOut.into(),
        Outcome::Cancelled => Code::Cancelled.into(),
    })
}

/// What is asked for.
enum Task {
    /// A run of a workflow.
    Begin(Origin, String, IndexMap<String, String>),
    /// That a tree goes on.
    Resume(Box<resume::Asked>),
}

impl Task {
    fn of(args: &ExecArgs, global: &Global) -> Result<Self, CliError> {
        let mut inputs: IndexMap<String, String> = IndexMap::new();
        for (name, value) in &args.inputs {
            if inputs.insert(name.clone(), value.clone()).is_some() {
                return Err(
                    CliError::usage(format!("the input `{name}` is given twice")).hint("give it once")
                );
            }
        }
        match (&args.resume, &args.workflow) {
            (Some(run), _) => Ok(Self::Resume(Box::new(resume::Asked {
                run: run.clone(),
                repo: args.repo.clone(),
                failed_only: args.failed_only,
                force: args.force,
                inputs,
            }))),
            (None, Some(workflow)) => {
                Ok(Self::Begin(origin(args.repo.as_ref(), global)?, workflow.clone(), inputs))
            }
            (None, None) => Err(CliError::usage("there is no workflow to run").hint("name one")),
        }
    }
}

/// Leads the tree; the first signal cancels it, the second kills what runs.
async fn lead(
    worker: &Worker,
    root: &RunId,
    display: &Display,
    signals: &mut Signals,
) -> Result<Outcome, CliError> {
    let kill = CancellationToken::new();
    let mut work = std::pin::pin!(worker.lead_tree(root, display, &kill));
    let mut told_before = false;
    loop {
        let by = tokio::select! {
            outcome = &mut work => return Ok(outcome?),
            by = signals.next() => by,
        };
        if told_before {
            display.mute();
            kill.cancel();
        }
        told_before = true;
        // The tree goes on being led while it is told to stop: its steps are what is told.
        let (tree, root, kill) = (Arc::clone(&worker.driver.ports().tree), root.clone(), kill.clone());
        tokio::spawn(async move {
            if let Err(error) = tree.cancel(&root, by).await {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot cancel, so it is killed");
                kill.cancel();
            }
        });
    }
}

/// The repositories that `--allow-secrets` names.
fn allowed(patterns: &[String]) -> Result<Vec<Rule>, CliError> {
    let rule = |pattern: &String| {
        let (names, repositories) = (vec!["*".to_owned()], vec![pattern.clone()]);
        Rule::new(&SecretRule { names, repositories, ..SecretRule::default() })
    };
    patterns
        .iter()
        .map(rule)
        .collect::<Result<_, _>>()
        .map_err(|error| CliError::usage(format!("--allow-secrets: {error}")))
}

/// The caller's environment, without what Tako sets itself.
fn inherited_env() -> Vec<(String, String)> {
    // What is not UTF-8 cannot stand in a template; steps do without it.
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| !name.starts_with("TAKO_"))
        .collect()
}

fn warn(submission: &Submission, global: &Global) {
    if global.quiet {
        return;
    }
    let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let mut text = excerpt::all(&submission.file, &submission.warnings, color);
    for note in &submission.survey.notes {
        text.push_str(&format!("warning: {note}\n"));
    }
    let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
}

/// A secret of the root's cannot be had. Nothing has run.
fn without_secret(error: &SecretError) -> CliError {
    let hint = match &error {
        SecretError::Missing { name, .. } => {
            format!("set the variable {name}, or name a file of secrets in config.toml: [secrets] file = …")
        }
        SecretError::Unusable { .. } => "give it another value, or take it off the list".to_owned(),
        SecretError::Unreadable { .. } => "secrets must be readable by you, and by nobody else".to_owned(),
    };
    CliError::usage(tako_engine::fault::chain(&error)).hint(hint)
}

/// What kept the run from beginning, as the user sees it. Nothing has run.
fn refused(error: SubmitError) -> CliError {
    match error {
        SubmitError::Repo(error) => error.into(),
        SubmitError::Journal(error) => error.into(),
        SubmitError::Cycle(CycleError::Repo(error)) => error.into(),
        SubmitError::Cycle(error) => CliError::usage(error.to_string())
            .reason("every event of the chain starts the next run, so it would never end")
            .hint("give one of the subscriptions a filter, or remove it"),
        SubmitError::Manifest { file, diagnostics } => {
            let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
            let count = diagnostics.iter().filter(|found| found.is_error()).count();
            CliError::usage(format!("{} cannot be run", file.name()))
                .reason(if count == 1 { "1 error".to_owned() } else { format!("{count} errors") })
                .excerpts(excerpt::all(&file, &diagnostics, color))
        }
        SubmitError::Declaration(error) => {
            let shown = CliError::usage(error.to_string()).reason(tako_engine::fault::chain(&error.problem));
            error.hint().into_iter().fold(shown, CliError::hint)
        }
        SubmitError::UnknownWorkflow { name, file, known } => {
            let near = tako_schemas::suggest::closest(&name, known.iter().map(String::as_str));
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let shown = CliError::usage(format!("there is no workflow `{name}` in {file}"))
                .detail(format!("its workflows: {known}"));
            match near {
                Some(near) => shown.hint(format!("did you mean `{near}`?")),
                None => shown,
            }
        }
        SubmitError::Inputs { workflow, errors, declared } => {
            let mut shown = CliError::usage(format!("the inputs of workflow `{workflow}` do not fit"));
            for error in &errors {
                shown = shown.detail(error.to_string());
            }
            let hint =
                match (errors.iter().find_map(tako_schemas::input::InputError::hint), declared.is_empty()) {
                    (Some(hint), _) => hint,
                    (None, true) => "the workflow declares no inputs".to_owned(),
                    (None, false) => {
                        format!("give them as --inputs.NAME=VALUE; declared are {}", declared.join(", "))
                    }
                };
            shown.hint(hint)
        }
    }
}
