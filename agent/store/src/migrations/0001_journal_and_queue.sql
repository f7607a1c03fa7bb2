-- Journals and the queue. No table holds a second copy of a run's state: that is the fold of its entries.

CREATE TABLE runs (
    -- Ascends in the order of creation.
    id            INTEGER PRIMARY KEY,
    run           TEXT    NOT NULL UNIQUE,
    root          TEXT    NOT NULL,
    parent_run    TEXT,
    parent_step   TEXT,
    repo          TEXT    NOT NULL,
    workflow      TEXT    NOT NULL,
    -- The event that the run was created for.
    event_id      TEXT,
    created_at    TEXT    NOT NULL,
    -- Length of all its entries together.
    journal_bytes INTEGER NOT NULL,
    CHECK ((parent_run IS NULL) = (parent_step IS NULL))
) STRICT;

CREATE INDEX runs_by_root ON runs (root);
CREATE INDEX roots ON runs (id) WHERE run = root;

-- One event has one effect per repository and workflow of a tree.
CREATE UNIQUE INDEX runs_by_event ON runs (root, event_id, repo, workflow) WHERE event_id IS NOT NULL;

CREATE TABLE entries (
    run   TEXT    NOT NULL REFERENCES runs (run),
    seq   INTEGER NOT NULL CHECK (seq >= 1),
    at    TEXT    NOT NULL,
    entry TEXT    NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT;

-- Times in this table are nanoseconds since 1970 in UTC.
CREATE TABLE jobs (
    run           TEXT    NOT NULL PRIMARY KEY REFERENCES runs (run),
    root          TEXT    NOT NULL,
    lock_key      TEXT,
    tree_limit    INTEGER NOT NULL,
    sibling_group TEXT,
    sibling_limit INTEGER,
    priority      INTEGER NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('queued', 'leased', 'parked')),
    -- Whether the whole tree was taken out of the queue.
    aside         INTEGER NOT NULL CHECK (aside IN (0, 1)),
    -- Whether it is claimed only because its time has come: such a job waits for, holds and counts nothing.
    errand        INTEGER NOT NULL CHECK (errand IN (0, 1)),
    -- Ascends in the order in which jobs began to wait.
    place         INTEGER NOT NULL,
    -- Number of leases so far.
    attempt       INTEGER NOT NULL,
    -- When a parked job may be claimed though nobody woke it.
    wake_at       INTEGER,
    -- The lease: who has it (JSON), and until when.
    owner         TEXT,
    expires_at    INTEGER,
    CHECK ((sibling_group IS NULL) = (sibling_limit IS NULL)),
    CHECK ((state = 'leased') = (owner IS NOT NULL)),
    CHECK ((state = 'leased') = (expires_at IS NOT NULL)),
    CHECK (state = 'parked' OR wake_at IS NULL),
    CHECK (state <> 'leased' OR NOT aside),
    CHECK (state <> 'parked' OR NOT errand)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX jobs_by_place ON jobs (place);
CREATE INDEX jobs_by_tree ON jobs (root, aside);
CREATE INDEX queued_jobs ON jobs (priority DESC, place) WHERE state = 'queued' AND aside = 0;
CREATE INDEX queued_jobs_by_tree ON jobs (root, priority DESC, place) WHERE state = 'queued' AND aside = 0;
CREATE INDEX queued_jobs_by_key ON jobs (lock_key, place) WHERE state = 'queued' AND aside = 0;
CREATE INDEX leased_jobs_by_key ON jobs (lock_key) WHERE state = 'leased';
CREATE INDEX leased_jobs_by_tree ON jobs (root) WHERE state = 'leased';
CREATE INDEX leased_jobs_by_group ON jobs (sibling_group) WHERE state = 'leased';
CREATE INDEX leased_jobs_by_end ON jobs (expires_at) WHERE state = 'leased';
CREATE INDEX parked_jobs_by_time ON jobs (wake_at) WHERE state = 'parked' AND aside = 0;
