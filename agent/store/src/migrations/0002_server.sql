-- What a server and its agents need: jobs for particular agents, deliveries, tokens, and an agent's outbox.

-- Labels that whoever claims it must have (JSON array).
ALTER TABLE jobs ADD COLUMN labels TEXT NOT NULL DEFAULT '[]';
-- The agent that parked it or gave it back, while the job waits or sleeps.
ALTER TABLE jobs ADD COLUMN held_by TEXT CHECK (state <> 'leased' OR held_by IS NULL);
-- Until when nobody else gets it, once it waits again.
ALTER TABLE jobs ADD COLUMN held_until INTEGER
    CHECK (held_until IS NULL OR (held_by IS NOT NULL AND state = 'queued'));

CREATE INDEX held_jobs ON jobs (held_until) WHERE state = 'queued' AND aside = 0 AND held_until IS NOT NULL;

CREATE TABLE outbox (
    run     TEXT    NOT NULL,
    attempt INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    -- The request as it will be sent (JSON).
    body    TEXT    NOT NULL,
    PRIMARY KEY (run, attempt, number)
) STRICT;

CREATE TABLE deliveries (
    -- Ascends in the order in which they came.
    sequence    INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    source      TEXT    NOT NULL,
    event       TEXT    NOT NULL,
    received_at TEXT    NOT NULL,
    -- What became of it; absent while it waits to be dealt with.
    outcome     TEXT,
    -- Last, so that nobody who wants the rest has to read past it. Dropped some time after it was dealt with.
    body        BLOB,
    CHECK (body IS NOT NULL OR outcome IS NOT NULL)
) STRICT;

CREATE INDEX pending_deliveries ON deliveries (sequence) WHERE outcome IS NULL;
CREATE INDEX handled_deliveries ON deliveries (sequence) WHERE outcome IS NOT NULL;
CREATE INDEX handled_bodies ON deliveries (sequence) WHERE outcome IS NOT NULL AND body IS NOT NULL;

CREATE TABLE tokens (
    -- Ascends in the order of creation.
    id           INTEGER PRIMARY KEY,
    name         TEXT    NOT NULL,
    role         TEXT    NOT NULL,
    -- SHA-256; one that was withdrawn never comes back.
    hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_at   TEXT    NOT NULL,
    withdrawn_at TEXT
) STRICT;

-- A name is given once. Only an agent and a registration token that shall replace it may share one.
CREATE UNIQUE INDEX tokens_in_force ON tokens (name, role = 'registration') WHERE withdrawn_at IS NULL;
