//! `tako lint`

mod explain;
mod repair;
mod target;

use std::io::{self, Write};
use std::process::ExitCode;

use std::path::PathBuf;

use tako_expr::cel;
use tako_lint::report::{Reported, json, sarif};
use tako_lint::{Around, Linted, Member};
use tako_schemas::diagnostic::{Diagnostic, MOST, Severity, limit};
use tako_schemas::id::RepoRef;
use tako_steps::Registry;

use super::written;
use crate::cli::Global;
use crate::error::{CliError, Code};
use crate::render::excerpt;
use target::{Target, Wanted};

/// Find what is wrong, dangerous or odd in tako.yml files
#[derive(clap::Args, Debug)]
pub(crate) struct LintArgs {
    /// Files to check, or directories to search for them [default: tako.yml of the repository]
    paths: Vec<PathBuf>,

    /// Check the tako.yml of this repository of the set
    #[arg(long, value_name = "OWNER/REPO[:BRANCH]", conflicts_with = "paths")]
    repo: Option<RepoRef>,

    /// Judge files in the company of the repository set: what is emitted against what is subscribed to. Without other
    /// names all of the set is checked
    #[arg(long)]
    set: bool,

    /// Say also what the file takes from those who rely on it as it was at this git revision
    #[arg(long, value_name = "REVISION", conflicts_with = "set")]
    against: Option<String>,

    /// Repair what can be repaired mechanically
    #[arg(long)]
    fix: bool,

    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,

    /// How to print what is found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Explain a check, with examples
    #[arg(long, value_name = "CODE", conflicts_with_all = ["paths", "repo", "set", "against", "fix"])]
    explain: Option<String>,

    /// Stay off the network: a repository that is not in the set is an error
    #[arg(long)]
    local: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// With excerpts, for people
    Text,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code scanners
    Sarif,
}

pub(crate) async fn lint(args: LintArgs, global: &Global, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    if let Some(code) = &args.explain {
        return explain::explain(code, out);
    }
    let wanted = Wanted {
        paths: args.paths.clone(),
        repo: args.repo.clone(),
        set: args.set,
        local: args.local,
        against: args.against.clone(),
    };
    let targets = target::gather(&wanted, global).await?;
    let against = args.against.is_some();
    let fixes = args.fix;
    let work = tokio::task::spawn_blocking(move || checked(targets, wanted.set, against, fixes));
    let (targets, repaired) = work.await.map_err(|error| CliError::surroundings(&error))??;
    show(&args, global, &targets, repaired, out)
}

/// Checks all targets, repairs them if asked, and checks again what was repaired. Blocks.
fn checked(
    mut targets: Vec<Target>,
    set: bool,
    against: bool,
    fixes: bool,
) -> Result<(Vec<Target>, usize), CliError> {
    each(&mut targets);
    let mut repaired = 0;
    if fixes {
        repaired = repair::repair(&mut targets)?;
        each(&mut targets);
    }
    if set || targets.len() > 1 {
        let found = cel::apart(|| {
            let members: Vec<Member<'_>> = targets.iter_mut().map(|target| target.member()).collect();
            tako_lint::check_set(&members, set)
        });
        for (target, found) in targets.iter_mut().zip(found) {
            target.linted.diagnostics.extend(found);
        }
    }
    if against {
        for target in &mut targets {
            let found =
                target.past.as_ref().map(|past| tako_lint::evolution(&past.member(), &target.member()));
            target.linted.diagnostics.extend(found.unwrap_or_default());
        }
    }
    for target in &mut targets {
        let found = &mut target.linted.diagnostics;
        found.sort_by_key(|found| found.span.start);
        target.shortened = limit(found) || found.len() == MOST;
    }
    Ok((targets, repaired))
}

/// Checks every target by itself, on all processors.
fn each(targets: &mut [Target]) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = targets.len().div_ceil(threads).max(1);
    if targets.len() < 2 * threads {
        return cel::apart(|| targets.iter_mut().for_each(one));
    }
    std::thread::scope(|scope| {
        for share in targets.chunks_mut(share) {
            scope.spawn(|| cel::apart(|| share.iter_mut().for_each(one)));
        }
    });
}

fn one(target: &mut Target) {
    let around =
        Around { steps: &Registry, repo: target.repo.as_ref().map(|repo| &repo.repo), files: &target.files };
    target.linted = tako_lint::check(&target.source, around);
    if let Some(past) = &mut target.past {
        past.linted =
            Linted { manifest: tako_schemas::load::load(&past.source).manifest, diagnostics: Vec::new() };
    }
}

fn show(
    args: &LintArgs,
    global: &Global,
    targets: &[Target],
    repaired: usize,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let reported: Vec<&Target> = targets.iter().filter(|target| target.reported).collect();
    let names: Vec<Option<String>> =
        reported.iter().map(|target| target.repo.as_ref().map(ToString::to_string)).collect();
    let files: Vec<Reported<'_>> = reported
        .iter()
        .zip(&names)
        .map(|(target, repository)| Reported {
            repository: repository.as_deref(),
            source: &target.source,
            diagnostics: &target.linted.diagnostics,
        })
        .collect();
    let all = || files.iter().flat_map(|file| file.diagnostics);
    let count = |severity| all().filter(|found| found.severity == severity).count();
    let (errors, warnings, infos) = (count(Severity::Error), count(Severity::Warning), count(Severity::Info));
    let printed = match args.format {
        Format::Text => text(&files, global, out),
        Format::Json => writeln!(out, "{:#}", json(&files)),
        Format::Sarif => writeln!(out, "{:#}", sarif(&files, env!("CARGO_PKG_VERSION"))),
    };
    written(printed)?;
    let mut summary = format!(
        "{}, {}, {} in {}",
        plural(errors, "error"),
        plural(warnings, "warning"),
        plural(infos, "info"),
        plural(files.len(), "file")
    );
    if repaired > 0 {
        summary.push_str(&format!("; {} repaired", plural(repaired, "problem")));
    }
    if targets.iter().any(|target| target.shortened) {
        summary.push_str(&format!("; of a file with very many, the first {MOST}"));
    }
    let fixable = all().filter(|found| found.fix.is_some()).count();
    if fixable > 0 && !args.fix {
        summary.push_str(&format!("; `--fix` repairs {fixable}"));
    }
    if errors > 0 || (args.strict && warnings > 0) {
        let failed = CliError::new(Code::Usage, "the linter found what has to be corrected").reason(summary);
        return Err(match first_code(all()) {
            Some(code) => failed.hint(format!("`tako lint --explain {code}` explains a check")),
            None => failed,
        });
    }
    if !global.quiet {
        let _ = writeln!(io::stderr(), "{summary}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The code that most needs an explanation.
fn first_code<'a>(found: impl Iterator<Item = &'a Diagnostic>) -> Option<&'static str> {
    found.min_by_key(|found| found.severity).map(|found| found.code)
}

fn text(files: &[Reported<'_>], global: &Global, out: &mut dyn Write) -> io::Result<()> {
    let color = match global.color_choice() {
        anstream::ColorChoice::Auto => {
            anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
        }
        choice => choice != anstream::ColorChoice::Never,
    };
    for file in files {
        out.write_all(excerpt::all(file.source, file.diagnostics, color).as_bytes())?;
    }
    Ok(())
}

fn plural(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}
