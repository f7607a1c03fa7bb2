//! The `tako.yml` files that a server sent along, kept for a while.

use lru::LruCache;
use tako_schemas::diagnostic::SourceFile;
use tako_schemas::id::RepoRef;

/// More than the answers of several runs at once: what one of them was told must be here when it asks.
const MOST: usize = 20_000;

/// The same in bytes; an answer is at most half as long.
const MOST_BYTES: usize = 256 << 20;

/// A repository's file at a commit.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) commit: String,
    pub(crate) file: SourceFile,
}

/// The newest file of each repository, those that were not asked for the longest forgotten first.
#[derive(Debug)]
pub(crate) struct Manifests {
    known: LruCache<RepoRef, Known>,
    bytes: usize,
}

impl Default for Manifests {
    fn default() -> Self {
        Self { known: LruCache::unbounded(), bytes: 0 }
    }
}

impl Manifests {
    pub(crate) fn put(&mut self, repo: RepoRef, known: Known) {
        self.bytes += size(&known);
        if let Some(before) = self.known.put(repo, known) {
            self.bytes -= size(&before);
        }
        while self.known.len() > MOST || self.bytes > MOST_BYTES {
            let Some((_, oldest)) = self.known.pop_lru() else { return };
            self.bytes -= size(&oldest);
        }
    }

    pub(crate) fn get(&mut self, repo: &RepoRef) -> Option<Known> {
        self.known.get(repo).cloned()
    }
}

fn size(known: &Known) -> usize {
    known.file.text().len() + known.file.name().len() + known.commit.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(bytes: usize) -> Known {
        Known { commit: String::new(), file: SourceFile::new("", "x".repeat(bytes)) }
    }

    #[test]
    fn what_it_keeps_is_bounded() {
        let mut manifests = Manifests::default();
        for number in 0..MOST + 10 {
            manifests.put(format!("acme/r{number}:main").parse().unwrap(), known(1));
        }
        assert_eq!((manifests.known.len(), manifests.bytes), (MOST, MOST));
        assert!(manifests.get(&"acme/r9:main".parse().unwrap()).is_none(), "the oldest are forgotten");
        assert!(manifests.get(&"acme/r10:main".parse().unwrap()).is_some());

        manifests.put("acme/long:main".parse().unwrap(), known(MOST_BYTES - 5));
        assert_eq!((manifests.known.len(), manifests.bytes), (6, MOST_BYTES));
        assert!(manifests.get(&"acme/r10:main".parse().unwrap()).is_some(), "it was asked for");
        manifests.put("acme/long:main".parse().unwrap(), known(7));
        assert_eq!(manifests.bytes, 12, "the file of before does not count");
    }
}
