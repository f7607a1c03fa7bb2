//! Directory trees that steps have left: whose they are, and how they go.
//!
//! What lies in them is hostile: links that lead elsewhere, other file systems mounted below, ten thousand levels,
//! directories without permissions. So a tree is walked by names relative to open directories, never through a link
//! and never into another file system, and the walk holds one directory open, however deep it is.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, SFlag, fchmodat, fstat, fstatat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, fchownat, unlinkat};

const DIRECTORY: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Makes everything in the tree at `root`, and `root`, belong to `owner` and `group`.
///
/// A file with several names may have one of them outside of the tree, for instance where objects of a git mirror
/// are linked into a checkout: it changes hands only if it is `stranger`'s, who cannot have made such a link.
pub(crate) fn chown(root: &Path, owner: Uid, group: Gid, stranger: Uid) -> io::Result<()> {
    walk(root, &mut Chown { owner, group, stranger })
}

/// Removes the tree at `root`. Nothing there is as good. What is not a directory is removed itself.
///
/// # Errors
///
/// Something in it cannot be removed, for instance because it belongs to somebody else.
pub(crate) fn remove(root: &Path) -> io::Result<()> {
    // Somebody else may be removing it too.
    for _ in 0..10 {
        match remove_once(root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => return done,
        }
    }
    remove_once(root)
}

fn remove_once(root: &Path) -> io::Result<()> {
    let found = match std::fs::symlink_metadata(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.is_dir() {
        return std::fs::remove_file(root);
    }
    // Directories that nobody may list are their owner's to open.
    let _ = std::fs::set_permissions(root, Permissions::from_mode(0o700));
    walk(root, &mut Remove)?;
    std::fs::remove_dir(root)
}

/// What to do with what is found.
trait Visit {
    /// A directory that has just been opened.
    fn enter(&mut self, directory: &OwnedFd, stat: &FileStat) -> nix::Result<()>;

    /// Anything else, in `parent`.
    fn file(&mut self, parent: &OwnedFd, name: &OsString) -> nix::Result<()>;

    /// Before the directory `name` of `parent` is opened.
    fn before(&mut self, _parent: &OwnedFd, _name: &OsString) {}

    /// A directory of `parent` is done.
    fn leave(&mut self, _parent: &OwnedFd, _name: &OsString) -> nix::Result<()> {
        Ok(())
    }
}

/// A directory on the way to the one that is open.
struct Level {
    name: OsString,
    device: u64,
    inode: u64,
    /// Directories in it that are still to be visited.
    pending: Vec<OsString>,
}

fn walk(root: &Path, visit: &mut impl Visit) -> io::Result<()> {
    let mut directory = open(root, DIRECTORY, Mode::empty())?;
    let first = level(OsString::new(), &directory, visit)?;
    let device = first.device;
    let mut levels = vec![first];
    while let Some(here) = levels.last_mut() {
        if let Some(name) = here.pending.pop() {
            visit.before(&directory, &name);
            let below = match openat(&directory, name.as_os_str(), DIRECTORY, Mode::empty()) {
                // It is no directory any more, or gone.
                Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => continue,
                below => below?,
            };
            if fstat(&below)?.st_dev != device {
                continue;
            }
            levels.push(level(name, &below, visit)?);
            directory = below;
            continue;
        }
        let Some(done) = levels.pop() else { break };
        let Some(above) = levels.last() else { break };
        let parent = openat(&directory, "..", DIRECTORY, Mode::empty())?;
        let stat = fstat(&parent)?;
        if (stat.st_dev, stat.st_ino) != (above.device, above.inode) {
            return Err(io::Error::other("somebody moves directories about in it"));
        }
        directory = parent;
        visit.leave(&directory, &done.name)?;
    }
    Ok(())
}

/// Visits a directory that has just been opened, and everything in it but directories.
fn level(name: OsString, directory: &OwnedFd, visit: &mut impl Visit) -> io::Result<Level> {
    let stat = fstat(directory)?;
    visit.enter(directory, &stat)?;
    let mut pending = Vec::new();
    let listed = cap_std::fs::Dir::from_std_file(File::from(directory.try_clone()?));
    for entry in listed.entries()? {
        let entry = entry?;
        let name = entry.file_name();
        let is_dir = match entry.file_type() {
            Ok(found) => found.is_dir(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if is_dir {
            pending.push(name);
        } else {
            match visit.file(directory, &name) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(Level { name, device: stat.st_dev, inode: stat.st_ino, pending })
}

struct Chown {
    owner: Uid,
    group: Gid,
    stranger: Uid,
}

impl Chown {
    fn is_done(&self, stat: &FileStat) -> bool {
        stat.st_uid == self.owner.as_raw() && stat.st_gid == self.group.as_raw()
    }
}

impl Visit for Chown {
    fn enter(&mut self, directory: &OwnedFd, stat: &FileStat) -> nix::Result<()> {
        if self.is_done(stat) {
            return Ok(());
        }
        fchown(directory, Some(self.owner), Some(self.group))
    }

    fn file(&mut self, parent: &OwnedFd, name: &OsString) -> nix::Result<()> {
        let stat = fstatat(parent, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        let is_dir = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR;
        let elsewhere = stat.st_nlink > 1 && stat.st_uid != self.stranger.as_raw();
        if is_dir || elsewhere || self.is_done(&stat) {
            return Ok(());
        }
        // Also takes set-user-id and set-group-id bits and file capabilities away: see chown(2).
        fchownat(
            parent.as_fd(),
            name.as_os_str(),
            Some(self.owner),
            Some(self.group),
            AtFlags::AT_SYMLINK_NOFOLLOW,
        )
    }
}

struct Remove;

impl Visit for Remove {
    fn enter(&mut self, _directory: &OwnedFd, _stat: &FileStat) -> nix::Result<()> {
        Ok(())
    }

    fn file(&mut self, parent: &OwnedFd, name: &OsString) -> nix::Result<()> {
        unlinkat(parent, name.as_os_str(), UnlinkatFlags::NoRemoveDir)
    }

    fn before(&mut self, parent: &OwnedFd, name: &OsString) {
        let Ok(stat) = fstatat(parent, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) else { return };
        if stat.st_mode & 0o700 != 0o700 {
            // Fails where it matters to nobody: root needs no permission, and somebody else's is not ours to remove.
            let _ = fchmodat(parent, name.as_os_str(), Mode::S_IRWXU, FchmodatFlags::NoFollowSymlink);
        }
    }

    fn leave(&mut self, parent: &OwnedFd, name: &OsString) -> nix::Result<()> {
        unlinkat(parent, name.as_os_str(), UnlinkatFlags::RemoveDir)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use nix::unistd::geteuid;

    use super::*;

    /// A tree with a link that leads outside, directories without permissions, and more levels than descriptors.
    fn hostile(home: &Path) -> std::path::PathBuf {
        let root = home.join("tree");
        fs::create_dir_all(root.join("closed/below")).unwrap();
        fs::write(root.join("closed/below/file"), "x").unwrap();
        fs::write(home.join("outside"), "x").unwrap();
        fs::create_dir(home.join("elsewhere")).unwrap();
        fs::write(home.join("elsewhere/file"), "x").unwrap();
        symlink(home.join("outside"), root.join("to-file")).unwrap();
        symlink(home.join("elsewhere"), root.join("to-directory")).unwrap();
        let mut deepest = open(&root, DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..3_000 {
            nix::sys::stat::mkdirat(&deepest, "d", Mode::S_IRWXU).unwrap();
            deepest = openat(&deepest, "d", DIRECTORY, Mode::empty()).unwrap();
        }
        fs::set_permissions(root.join("closed/below"), Permissions::from_mode(0o000)).unwrap();
        fs::set_permissions(root.join("closed"), Permissions::from_mode(0o000)).unwrap();
        root
    }

    #[test]
    fn a_hostile_tree_goes_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let root = hostile(home.path());
        remove(&root).unwrap();
        assert!(!root.exists());
        assert!(home.path().join("outside").exists() && home.path().join("elsewhere/file").exists());
        remove(&root).unwrap();
    }

    #[test]
    fn a_link_is_removed_itself() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("elsewhere")).unwrap();
        symlink(home.path().join("elsewhere"), home.path().join("link")).unwrap();
        remove(&home.path().join("link")).unwrap();
        assert!(home.path().join("elsewhere").exists());
    }

    #[test]
    fn a_hostile_tree_changes_hands_and_nothing_else() {
        if !geteuid().is_root() {
            return;
        }
        let home = tempfile::tempdir().unwrap();
        let root = hostile(home.path());
        fs::write(root.join("set-user-id"), "x").unwrap();
        fs::write(home.path().join("mirror"), "x").unwrap();
        fs::hard_link(home.path().join("mirror"), root.join("linked")).unwrap();
        let (step, group) = (Uid::from_raw(1001), Gid::from_raw(1001));
        chown(&root, step, group, step).unwrap();
        let owner = |name: &str| {
            let found = home.path().join(name).symlink_metadata().unwrap();
            (found.uid(), found.gid())
        };
        for name in ["tree", "tree/closed/below/file", "tree/to-file", "tree/to-directory", "tree/d/d/d"] {
            assert_eq!(owner(name), (1001, 1001), "{name}");
        }
        for name in ["outside", "elsewhere", "elsewhere/file", "mirror"] {
            assert_eq!(owner(name), (0, 0), "{name}");
        }
        fs::set_permissions(root.join("set-user-id"), Permissions::from_mode(0o4755)).unwrap();
        chown(&root, Uid::from_raw(0), Gid::from_raw(0), step).unwrap();
        assert_eq!(owner("tree/closed/below/file"), (0, 0));
        assert_eq!(fs::metadata(root.join("set-user-id")).unwrap().mode() & 0o7777, 0o755);
        remove(&root).unwrap();
    }
}
