//! Removes directory trees that somebody tried to make last: without permissions, very deep, full of links.
//!
//! The tree is flattened instead of descended: subdirectories are moved up to the top one by one, so neither the
//! stack nor the number of open files nor the length of a path grows with its depth. No link is followed.

use std::io;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Permissions, PermissionsExt};

/// Removes what is at `path`, whatever it is; nothing there is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a path that can be removed"));
    };
    let parent = match Dir::open_ambient_dir(parent, ambient_authority()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        parent => parent?,
    };
    let name = Path::new(name);
    match parent.symlink_metadata(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(about) if !about.is_dir() => parent.remove_file(name),
        Ok(_) => {
            empty(&enter(&parent, name)?)?;
            parent.remove_dir(name)
        }
    }
}

/// Empties the directory `top`.
fn empty(top: &Dir) -> io::Result<()> {
    let mut moved = 0;
    loop {
        let mut progress = false;
        let mut trouble = None;
        for entry in top.entries()? {
            let entry = entry?;
            let name = PathBuf::from(entry.file_name());
            let removed = match entry.file_type()?.is_dir() {
                false => top.remove_file(&name),
                true => flatten(top, &name, &mut moved).and_then(|()| top.remove_dir(&name)),
            };
            match removed {
                Ok(()) => progress = true,
                Err(error) => trouble = trouble.or(Some(error)),
            }
        }
        match (progress, trouble) {
            (false, None) => return Ok(()),
            (false, Some(error)) => return Err(error),
            (true, _) => {}
        }
    }
}

/// Removes the files of the directory `name` of `top` and moves its subdirectories beside it.
fn flatten(top: &Dir, name: &Path, moved: &mut u64) -> io::Result<()> {
    let directory = enter(top, name)?;
    for entry in directory.entries()? {
        let entry = entry?;
        let name = PathBuf::from(entry.file_name());
        if !entry.file_type()?.is_dir() {
            directory.remove_file(&name)?;
            continue;
        }
        // Moving a directory changes its `..`, for which it must be writable.
        directory.set_permissions(&name, Permissions::from_mode(0o700))?;
        loop {
            *moved += 1;
            match directory.rename(&name, top, format!(".discarded-{moved}")) {
                Err(error) if is_taken(&error) => {}
                renamed => break renamed?,
            }
        }
    }
    Ok(())
}

/// Opens a directory that may lack every permission.
fn enter(parent: &Dir, name: &Path) -> io::Result<Dir> {
    parent.set_permissions(name, Permissions::from_mode(0o700))?;
    parent.open_dir(name)
}

fn is_taken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory};
    matches!(error.kind(), AlreadyExists | DirectoryNotEmpty | NotADirectory)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn hostile_trees_go_and_their_surroundings_stay() {
        let root = tempfile::tempdir().unwrap();
        let victim = root.path().join("victim");
        fs::create_dir(&victim).unwrap();
        fs::write(victim.join("precious"), "x").unwrap();

        let tree = root.path().join("tree");
        fs::create_dir_all(tree.join("a/b/c")).unwrap();
        fs::write(tree.join("a/b/c/f"), "x").unwrap();
        fs::create_dir(tree.join(".discarded-1")).unwrap();
        fs::write(tree.join(".discarded-2"), "taken").unwrap();
        fs::create_dir_all(tree.join(".discarded-3/x")).unwrap();
        symlink(&victim, tree.join("link")).unwrap();
        symlink(&victim, tree.join("a/b/link")).unwrap();
        for (path, mode) in [("a/b/c/f", 0o000), ("a/b/c", 0o000), ("a/b", 0o500), ("a", 0o000), ("", 0o000)]
        {
            let permissions = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(mode);
            fs::set_permissions(tree.join(path), permissions).unwrap();
        }
        remove(&tree).unwrap();
        assert!(!tree.exists());
        assert_eq!(fs::read(victim.join("precious")).unwrap(), b"x");
    }

    #[test]
    fn depth_costs_neither_stack_nor_files() {
        let root = tempfile::tempdir().unwrap();
        let tree = root.path().join("tree");
        fs::create_dir(&tree).unwrap();
        // Deeper than a path can be long, so it is built from the inside out.
        for _ in 0..5_000 {
            let outer = root.path().join("outer");
            fs::create_dir(&outer).unwrap();
            fs::rename(&tree, outer.join("d")).unwrap();
            fs::rename(&outer, &tree).unwrap();
        }
        remove(&tree).unwrap();
        assert!(!tree.exists());
    }

    #[test]
    fn nothing_a_file_and_a_link_are_removed_too() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "x").unwrap();
        symlink("file", root.path().join("link")).unwrap();
        for name in ["nothing", "nothing/below", "link", "file"] {
            remove(&root.path().join(name)).unwrap();
        }
        assert_eq!(root.path().read_dir().unwrap().count(), 0);
    }
}
