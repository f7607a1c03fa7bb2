//! `tako init`

use std::io::Write;
use std::process::ExitCode;

use super::written;
use crate::cli::Global;
use crate::error::CliError;

/// Write a commented tako.yml
#[derive(clap::Args, Debug)]
pub(crate) struct InitArgs {
    /// Print it instead of writing it
    #[arg(long)]
    print: bool,
}

/// What a repository starts with: it runs as it stands.
pub(crate) const TEMPLATE: &str = include_str!("init.yml");

pub(crate) fn init(args: &InitArgs, global: &Global, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    if args.print {
        return written(out.write_all(TEMPLATE.as_bytes()));
    }
    let root = global.root.clone().unwrap_or_else(|| ".".into());
    for name in ["tako.yml", "tako.yaml"] {
        if root.join(name).symlink_metadata().is_ok() {
            return Err(CliError::usage(format!("there is a {name} already"))
                .hint("`tako init --print` shows the template without writing it"));
        }
    }
    let path = root.join("tako.yml");
    // `create_new`, so that a file that appears in this moment is not overwritten either.
    let file = std::fs::File::options().write(true).create_new(true).open(&path);
    file.and_then(|mut file| file.write_all(TEMPLATE.as_bytes()))
        .map_err(|error| CliError::io(format!("write {}", path.display()), &error))?;
    written(writeln!(out, "Wrote {}. Commit it, then try: tako exec build", path.display()))
}

#[cfg(test)]
mod tests {
    use tako_schemas::diagnostic::SourceFile;
    use tako_schemas::schema::{Subject, json_schema};
    use tako_schemas::{load, tree};

    use super::TEMPLATE;

    #[test]
    fn the_template_names_the_schema_that_accepts_it() {
        let first = TEMPLATE.lines().next().unwrap();
        let url = first.strip_prefix("# yaml-language-server: $schema=").expect(first);
        // Where it is checked in.
        let path = url.split_once("/main/").unwrap().1;
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let checked_in = std::fs::read_to_string(root.join(path)).expect(path);
        let schema = json_schema(Subject::Tako);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&checked_in).unwrap(), schema);

        let file = SourceFile::new("tako.yml", TEMPLATE);
        let value = tree::parse(&file).root.unwrap().to_json();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let problems: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(load::load(&file).diagnostics, []);
    }

    #[test]
    fn what_the_template_shows_in_comments_is_right_too() {
        let (template, comment) = TEMPLATE.split_once("# subscriptions:\n").unwrap();
        let shown: String =
            comment.lines().map(|line| line.trim_start_matches('#').to_owned() + "\n").collect();
        let file = SourceFile::new("tako.yml", format!("{template}subscriptions:\n{shown}"));
        let loaded = load::load(&file);
        assert_eq!(loaded.diagnostics, []);
        assert_eq!(loaded.manifest.unwrap().subscriptions.len(), 1);
    }
}
