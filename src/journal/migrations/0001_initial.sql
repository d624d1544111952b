-- One row for the file itself. `clean` is 1 after an orderly close only.
CREATE TABLE meta (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    epoch      TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    clean      INTEGER NOT NULL
) STRICT;

-- One row per commit group and class. `last_row` is the journal row of its last event, `at_ms` the wall time of the
-- commit, `crc32` covers every other column. The newest row of each class is never deleted: the next row and sequence
-- number follow from it.
CREATE TABLE batch_money (
    last_row  INTEGER PRIMARY KEY,
    first_seq INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    at_ms     INTEGER NOT NULL,
    crc32     INTEGER NOT NULL,
    body      BLOB    NOT NULL
) STRICT;
CREATE TABLE batch_record (
    last_row  INTEGER PRIMARY KEY,
    first_seq INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    at_ms     INTEGER NOT NULL,
    crc32     INTEGER NOT NULL,
    body      BLOB    NOT NULL
) STRICT;
CREATE TABLE batch_telemetry (
    last_row  INTEGER PRIMARY KEY,
    first_seq INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    at_ms     INTEGER NOT NULL,
    crc32     INTEGER NOT NULL,
    body      BLOB    NOT NULL
) STRICT;

-- How far a reader has come. The uplink has one per class: `uplink.money` and so on.
CREATE TABLE cursor (
    reader TEXT    PRIMARY KEY,
    row    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The command ledger. `n` is the order of acceptance; `state` 0 accepted, 1 dispatched, 2 ended; `ended` is the stored
-- form of the command.ended event, whole, so that the same id again is answered with the very same event.
CREATE TABLE command (
    n            INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    device       TEXT,
    action       TEXT    NOT NULL,
    args         TEXT    NOT NULL,
    not_after_ms INTEGER NOT NULL,
    origin       TEXT    NOT NULL,
    state        INTEGER NOT NULL,
    changed_ms   INTEGER NOT NULL,
    ended        BLOB
) STRICT;
CREATE INDEX command_open ON command (n) WHERE state < 2;

-- What must outlive retention: quotas, seen coupons, stock.
CREATE TABLE state (
    owner      TEXT NOT NULL,
    key        TEXT NOT NULL,
    value      BLOB NOT NULL,
    expires_ms INTEGER,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
