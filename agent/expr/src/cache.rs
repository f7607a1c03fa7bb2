//! Compiled programs by their source: least recently used go first, bounded by the bytes of source kept.
//!
//! What a program of a few bytes compiles to is larger than its source, so each counts for a fixed sum besides.

use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

/// A process-wide cache. `V` is cheap to clone (an `Arc`).
pub(crate) struct SourceCache<V> {
    entries: Mutex<Entries<V>>,
    capacity: usize,
    overhead: usize,
}

struct Entries<V> {
    values: LruCache<String, V>,
    bytes: usize,
}

impl<V: Clone> SourceCache<V> {
    /// A cache that keeps at most `capacity` bytes, each entry counting for `overhead` more than its source.
    pub(crate) fn new(capacity: usize, overhead: usize) -> Self {
        Self { entries: Mutex::new(Entries { values: LruCache::unbounded(), bytes: 0 }), capacity, overhead }
    }

    pub(crate) fn get(&self, source: &str) -> Option<V> {
        self.lock().values.get(source).cloned()
    }

    pub(crate) fn insert(&self, source: &str, value: V) {
        let weight = |source: &str| source.len() + self.overhead;
        if weight(source) > self.capacity {
            return;
        }
        let mut entries = self.lock();
        entries.bytes += weight(source);
        if let Some((old, _)) = entries.values.push(source.to_owned(), value) {
            entries.bytes -= weight(&old);
        }
        while entries.bytes > self.capacity {
            let Some((old, _)) = entries.values.pop_lru() else { break };
            entries.bytes -= weight(&old);
        }
    }

    /// A panic while the lock is held cannot leave the map half-changed, so a poisoned lock is still good.
    fn lock(&self) -> MutexGuard<'_, Entries<V>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_when_the_bytes_are_used_up() {
        let cache = SourceCache::new(20, 5);
        cache.insert("aaaa", 1);
        cache.insert("bbbb", 2);
        assert_eq!(cache.get("aaaa"), Some(1));
        cache.insert("cccc", 3);
        assert_eq!((cache.get("aaaa"), cache.get("bbbb"), cache.get("cccc")), (Some(1), None, Some(3)));
        cache.insert("cccc", 4);
        assert_eq!((cache.get("aaaa"), cache.get("cccc")), (Some(1), Some(4)));
        // What is replaced gives its bytes back: both would not fit otherwise.
        for _ in 0..100 {
            cache.insert("cccc", 4);
        }
        assert_eq!((cache.get("aaaa"), cache.get("cccc")), (Some(1), Some(4)));
        cache.insert("far too long to keep", 5);
        assert_eq!(cache.get("far too long to keep"), None);
    }
}
