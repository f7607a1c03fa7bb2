//! Writes the files of a commit into an empty working tree, several at a time, as they were committed: no filter runs,
//! not even for line ends.
//!
//! The tree is hostile. Its size is bounded before anything is written; names that some file system takes for git's
//! own directory are refused; a name that comes twice is refused; and links are made last, so that none is written
//! through.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use git2::{
    ErrorCode, Index, IndexEntry, IndexTime, ObjectType, Oid, Repository, TreeWalkMode, TreeWalkResult,
};

use crate::confined::is_like_git_directory;
use crate::sparse::Sparse;
use crate::transport::Signal;

/// Files and directories that a tree may have.
const MAX_ENTRIES: usize = 1_000_000;

/// Bytes of a file, and of all files together. A few of a pack can stand for any number.
const MAX_FILE: u64 = 4 << 30;
const MAX_BYTES: u64 = 64 << 30;

const MAX_WRITERS: usize = 8;

/// Files that a writer takes at a time.
const BATCH: usize = 32;

/// Flag of an index entry: its file is not there on purpose.
const SKIP_WORKTREE: u16 = 1 << 14;

const KIND: u32 = 0o170_000;
const LINK: u32 = 0o120_000;
const SUBMODULE: u32 = 0o160_000;

/// Why files could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    /// The tree is not one that is written.
    #[error("its files are refused: {0}")]
    Refused(String),
    /// Time is over.
    #[error("given up")]
    GivenUp,
    /// Git does not work.
    #[error("{}", .0.message())]
    Git(#[from] git2::Error),
    /// The file system does not work.
    #[error("cannot write {}: {source}", .path.display())]
    Io {
        /// The path in the working tree.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A commit whose files are bounded and all there.
pub(crate) struct Tree {
    commit: Oid,
}

impl Tree {
    /// Checks the commit `commit` of `git`: how many entries it has, and that every file is there. libgit2 lists all
    /// of a directory before it first asks whether to go on.
    pub(crate) fn of(git: &Repository, commit: Oid, signal: Option<&Signal>) -> Result<Self, FilesError> {
        let goes_on = || signal.is_none_or(Signal::goes_on);
        let odb = git.odb()?;
        let (mut entries, mut missing) = (0_usize, None);
        let walked = git.find_commit(commit)?.tree()?.walk(TreeWalkMode::PreOrder, |_, entry| {
            entries += 1;
            if entry.kind() == Some(ObjectType::Blob) && !odb.exists(entry.id()) {
                missing = Some(entry.id());
            }
            match entries <= MAX_ENTRIES && missing.is_none() && goes_on() {
                true => TreeWalkResult::Ok,
                false => TreeWalkResult::Abort,
            }
        });
        if entries > MAX_ENTRIES {
            return Err(FilesError::Refused(format!("its tree has more than {MAX_ENTRIES} entries")));
        }
        if let Some(missing) = missing {
            return Err(FilesError::Refused(format!("the object {missing} of commit {commit} is missing")));
        }
        if !goes_on() {
            return Err(FilesError::GivenUp);
        }
        walked?;
        Ok(Self { commit })
    }
}

/// What is to be made of one entry.
struct Item {
    entry: IndexEntry,
    path: PathBuf,
    wanted: bool,
    written: Option<Metadata>,
}

/// Writes the files of `tree` that `sparse` takes into the working tree of `git`, which has none yet, and its index.
pub(crate) fn write(git: &Repository, tree: &Tree, sparse: &Sparse) -> Result<(), FilesError> {
    let root = git.workdir().ok_or_else(|| FilesError::Refused("a bare repository has no files".into()))?;
    // Opened by path: as the repository's own it would look every object up once more.
    let mut index = Index::open(&git.path().join("index"))?;
    index.read_tree(&git.find_commit(tree.commit)?.tree()?)?;
    let mut selection = sparse.selection();
    let mut items = Vec::with_capacity(index.len());
    for entry in index.iter() {
        let path = PathBuf::from(OsStr::from_bytes(&entry.path));
        if path.components().any(|part| is_like_git_directory(part.as_os_str())) {
            return Err(FilesError::Refused(format!("`{}` is a name of git's own", path.display())));
        }
        let wanted = selection.takes(&path.to_string_lossy());
        items.push(Item { entry, path, wanted, written: None });
    }
    make_directories(root, &items)?;
    write_files(git, root, &mut items)?;
    make_links(git, root, &mut items)?;
    if !sparse.is_everything() {
        remember(git, sparse)?;
    }
    for item in items {
        index.add(&item.into_entry())?;
    }
    index.write()?;
    Ok(())
}

/// Makes the directories of all wanted entries, and an empty one for each submodule.
fn make_directories(root: &Path, items: &[Item]) -> Result<(), FilesError> {
    let mut made: HashSet<&Path> = HashSet::from([Path::new("")]);
    for Item { path, entry, .. } in items.iter().filter(|item| item.wanted) {
        let inner = if entry.mode & KIND == SUBMODULE { Some(path.as_path()) } else { path.parent() };
        let missing: Vec<&Path> =
            inner.into_iter().flat_map(Path::ancestors).take_while(|path| !made.contains(path)).collect();
        for directory in missing.into_iter().rev() {
            fs::create_dir(root.join(directory))
                .map_err(|source| FilesError::Io { path: directory.to_owned(), source })?;
            made.insert(directory);
        }
    }
    Ok(())
}

/// Writes all wanted files. Nobody else is at work in the tree, and no link is in it yet.
fn write_files(git: &Repository, root: &Path, items: &mut [Item]) -> Result<(), FilesError> {
    let files: Vec<&mut Item> = items
        .iter_mut()
        .filter(|item| item.wanted && !matches!(item.entry.mode & KIND, LINK | SUBMODULE))
        .collect();
    let writers = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WRITERS);
    let writers = writers.min(files.len().div_ceil(BATCH)).max(1);
    let written = AtomicU64::new(0);
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut batches: Vec<_> = Vec::new();
    let mut rest = files;
    while !rest.is_empty() {
        let tail = rest.split_off(rest.len().min(BATCH));
        batches.push(std::sync::Mutex::new(std::mem::replace(&mut rest, tail)));
    }
    let directory = git.path();
    let work = || -> Result<(), FilesError> {
        // Each writer has its own: libgit2's object databases are not made to be shared.
        let git = Repository::open(directory)?;
        let odb = git.odb()?;
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut batch = batch.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            for item in batch.iter_mut() {
                if failed.load(Ordering::Relaxed) {
                    return Ok(());
                }
                item.written = Some(write_file(&odb, root, item, &written)?);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let started: Vec<_> = (1..writers)
            .map(|_| scope.spawn(|| work().inspect_err(|_| failed.store(true, Ordering::Relaxed))))
            .collect();
        let mine = work().inspect_err(|_| failed.store(true, Ordering::Relaxed));
        let theirs = started.into_iter().map(|writer| {
            writer.join().unwrap_or_else(|_| Err(FilesError::Refused("a writer of files has crashed".into())))
        });
        theirs.fold(mine, Result::and)
    })
}

fn write_file(
    odb: &git2::Odb<'_>,
    root: &Path,
    item: &Item,
    written: &AtomicU64,
) -> Result<Metadata, FilesError> {
    let failed = |source| FilesError::Io { path: item.path.clone(), source };
    let content = blob(odb, item, written)?;
    // Set-user-id bits are no mode of git's.
    let mode = if item.entry.mode & 0o111 != 0 { 0o777 } else { 0o666 };
    let mut options = File::options();
    let mut file =
        options.write(true).create_new(true).mode(mode).open(root.join(&item.path)).map_err(failed)?;
    file.write_all(content.data()).map_err(failed)?;
    file.metadata().map_err(failed)
}

fn blob<'a>(
    odb: &'a git2::Odb<'_>,
    item: &Item,
    written: &AtomicU64,
) -> Result<git2::OdbObject<'a>, FilesError> {
    let (size, kind) = odb.read_header(item.entry.id)?;
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    let total = written.fetch_add(size, Ordering::Relaxed).saturating_add(size);
    if kind != ObjectType::Blob || size > MAX_FILE || total > MAX_BYTES {
        let why = format!("`{}` is too large, or no file", item.path.display());
        return Err(FilesError::Refused(why));
    }
    Ok(odb.read(item.entry.id)?)
}

/// Makes the links, when everything else is in its place.
fn make_links(git: &Repository, root: &Path, items: &mut [Item]) -> Result<(), FilesError> {
    let odb = git.odb()?;
    let written = AtomicU64::new(0);
    for item in items.iter_mut().filter(|item| item.wanted && item.entry.mode & KIND == LINK) {
        let content = blob(&odb, item, &written)?;
        let place = root.join(&item.path);
        let made = symlink(OsStr::from_bytes(content.data()), &place).and_then(|()| place.symlink_metadata());
        item.written = Some(made.map_err(|source| FilesError::Io { path: item.path.clone(), source })?);
    }
    Ok(())
}

/// Tells git which files are wanted, so that it leaves it at that.
fn remember(git: &Repository, sparse: &Sparse) -> Result<(), FilesError> {
    let place = git.path().join("info");
    let failed = |source| FilesError::Io { path: PathBuf::from(".git/info/sparse-checkout"), source };
    fs::create_dir_all(&place).map_err(failed)?;
    fs::write(place.join("sparse-checkout"), sparse.text()).map_err(failed)?;
    let mut config = git.config()?.open_level(git2::ConfigLevel::Local)?;
    config.set_bool("core.sparseCheckout", true)?;
    config.set_bool("core.sparseCheckoutCone", false)?;
    Ok(())
}

impl Item {
    /// The entry as git would have written it after making the file.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the index keeps 32 bits of each, for comparison alone"
    )]
    fn into_entry(self) -> IndexEntry {
        let mut entry = self.entry;
        match self.written {
            Some(about) => {
                entry.ctime = IndexTime::new(about.ctime() as i32, about.ctime_nsec() as u32);
                entry.mtime = IndexTime::new(about.mtime() as i32, about.mtime_nsec() as u32);
                entry.dev = about.dev() as u32;
                entry.ino = about.ino() as u32;
                entry.uid = about.uid();
                entry.gid = about.gid();
                entry.file_size = about.size() as u32;
            }
            None if !self.wanted => entry.flags_extended |= SKIP_WORKTREE,
            None => {}
        }
        entry
    }
}

/// Whether an error says that there is no such object.
pub(crate) fn is_missing(error: &git2::Error) -> bool {
    error.code() == ErrorCode::NotFound
}
