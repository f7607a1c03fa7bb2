//! `tako validate`

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tako_engine::check;
use tako_engine::port::RepoSource;
use tako_expr::cel;
use tako_repos::Look;
use tako_schemas::diagnostic::{Diagnostic, Severity, SourceFile};
use tako_schemas::id::RepoRef;
use tako_schemas::tree::MAX_FILE;
use tako_steps::Registry;

use super::beside::{self, Beside, NAMES};
use super::exec::{enclosing, origin};
use crate::cli::Global;
use crate::error::{CliError, Code};
use crate::home::Home;
use crate::render::excerpt;
use crate::wiring;

/// Check that a tako.yml can be run, without running it
#[derive(clap::Args, Debug)]
pub(crate) struct ValidateArgs {
    /// A file to check [default: tako.yml of the repository]
    file: Option<PathBuf>,

    /// Check the tako.yml of this repository of the set
    #[arg(long, value_name = "OWNER/REPO[:BRANCH]", conflicts_with = "file")]
    repo: Option<RepoRef>,

    /// Stay off the network: a repository that is not in the set is an error
    #[arg(long)]
    local: bool,

    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
}

pub(crate) async fn validate(
    args: &ValidateArgs,
    global: &Global,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let (file, beside) = source(args, global).await?;
    let mut checked = cel::apart(|| check::load(&file, &Registry));
    if let Some(manifest) = &checked.manifest {
        checked.diagnostics.extend(tako_lint::declarations(&file, manifest, &beside));
    }
    if let Some(manifest) = &checked.manifest {
        // The file is good; that this version cannot run all of it is still worth knowing.
        let missing = check::unsupported_anywhere(manifest).into_iter();
        checked
            .diagnostics
            .extend(missing.map(|missing| Diagnostic { severity: Severity::Warning, ..missing }));
        checked.diagnostics.sort_by_key(|found| found.span.start);
    }
    let color = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    let shown = excerpt::all(&file, &checked.diagnostics, color);
    let count = |severity| checked.diagnostics.iter().filter(|found| found.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if errors > 0 || (args.strict && warnings > 0) {
        return Err(CliError::new(Code::Usage, format!("{} is not valid", file.name()))
            .reason(format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")))
            .excerpts(shown));
    }
    if !global.quiet {
        let _ = io::stderr().write_all(shown.as_bytes());
    }
    let workflows = checked.manifest.map_or(0, |manifest| manifest.workflows.len());
    super::written(writeln!(
        out,
        "{} is valid: {}, {}",
        file.name(),
        plural(workflows, "workflow"),
        plural(warnings, "warning")
    ))
}

/// The file, and what lies beside it.
async fn source(args: &ValidateArgs, global: &Global) -> Result<(SourceFile, Beside), CliError> {
    let on_disk = |path: &Path| Ok((open(path)?, Beside::new(beside::look(path))));
    if let Some(path) = &args.file {
        return on_disk(path);
    }
    if args.repo.is_none() {
        // The file is all that is needed: no commit, not even a repository.
        let root = global.root.clone().map_or_else(enclosing, Ok)?;
        let found: Vec<PathBuf> =
            NAMES.iter().map(|name| root.join(name)).filter(|path| path.exists()).collect();
        return match &found[..] {
            [path] => on_disk(path),
            [] => Err(CliError::usage(format!("there is no tako.yml in {}", root.display()))
                .hint("`tako init` writes a commented one")),
            _ => Err(CliError::usage(format!("there are a tako.yml and a tako.yaml in {}", root.display()))
                .hint("remove one of them")),
        };
    }
    let home = Home::locate(global)?;
    let mut config = home.config()?;
    config.clone.offline |= args.local;
    let repos = wiring::repos(&home, &config.clone);
    let checkout = repos.open(&origin(args.repo.as_ref(), global)?).await?;
    let look = Look::of(&checkout)?;
    Ok((checkout.manifest, Beside::new(Some(look))))
}

pub(crate) fn open(path: &Path) -> Result<SourceFile, CliError> {
    let here = std::env::current_dir().unwrap_or_default();
    let name = path.strip_prefix(&here).unwrap_or(path).display().to_string();
    let bytes = read(path).map_err(|error| CliError::io(format!("read {name}"), &error).code(Code::Usage))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::usage(format!("{name} is not UTF-8")).reason(format!("byte {at} begins no character"))
    })?;
    Ok(SourceFile::new(name, text))
}

/// A file's content; of one that is too large, enough to say so.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn plural(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}
