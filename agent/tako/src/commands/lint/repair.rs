//! Writing repaired files.

use std::fs;
use std::io::Write;
use std::path::Path;

use tako_schemas::diagnostic::SourceFile;

use super::target::Target;
use crate::error::CliError;

/// Repairs what can be repaired in files that lie on disk. Returns how many problems that were.
pub(super) fn repair(targets: &mut [Target]) -> Result<usize, CliError> {
    let mut count = 0;
    for target in targets.iter_mut().filter(|target| target.reported) {
        let Some(path) = &target.path else { continue };
        let Some(fixed) = tako_lint::fix(&target.source, &target.linted.diagnostics) else { continue };
        write(path, &fixed.text)
            .map_err(|error| CliError::io(format!("write {}", target.source.name()), &error))?;
        target.source = SourceFile::new(target.source.name(), fixed.text);
        count += fixed.count;
    }
    Ok(count)
}

/// Replaces a file by a whole one: at no moment is there half of it. A link stays one, and what it leads to changes.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let path = fs::canonicalize(path)?;
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    fs::set_permissions(file.path(), fs::metadata(&path)?.permissions())?;
    file.persist(&path)?;
    Ok(())
}
