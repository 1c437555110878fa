-- Small records that are rewritten: one nullable column and one partial index for each `Index`.
CREATE TABLE record (
    row INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    format INTEGER NOT NULL,
    ready BLOB,
    due BLOB,
    owner BLOB,
    parent BLOB,
    listed BLOB,
    mark BLOB,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX record_ready ON record (ready) WHERE ready IS NOT NULL;
CREATE INDEX record_due ON record (due) WHERE due IS NOT NULL;
CREATE INDEX record_owner ON record (owner) WHERE owner IS NOT NULL;
CREATE INDEX record_parent ON record (parent) WHERE parent IS NOT NULL;
CREATE INDEX record_listed ON record (listed) WHERE listed IS NOT NULL;
CREATE INDEX record_mark ON record (mark) WHERE mark IS NOT NULL;

-- Large records that are written once and stand in no index.
CREATE TABLE body (
    row INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    format INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

-- Without row ids: most chunks are the short lines of a history, and one tree takes them.
CREATE TABLE chunk (
    stream BLOB NOT NULL,
    at INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (stream, at)
) STRICT, WITHOUT ROWID;

-- Never holds a zero: a counter at 0 is as good as absent.
CREATE TABLE counter (
    key BLOB PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
