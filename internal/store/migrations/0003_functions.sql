-- Functions: what is deployed, who may call, every call that was made, what
-- code printed, what waits to be done.

-- +goose Up
CREATE TABLE functions (
  name     TEXT PRIMARY KEY,
  revision INTEGER NOT NULL, -- 0 once it is deleted: the row keeps the mark
  marked   INTEGER NOT NULL, -- the highest revision there ever was
  last     INTEGER NOT NULL, -- the highest version number there ever was
  state    TEXT NOT NULL,
  words    TEXT NOT NULL,
  doc      TEXT NOT NULL     -- with the versions that lists show
) WITHOUT ROWID;

CREATE TABLE function_versions (
  function TEXT NOT NULL,
  version  INTEGER NOT NULL,
  doc      TEXT NOT NULL,
  PRIMARY KEY (function, version)
) WITHOUT ROWID;

CREATE TABLE models (
  function TEXT PRIMARY KEY,
  changed  INTEGER NOT NULL,
  doc      TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE invocations (
  id       INTEGER PRIMARY KEY,
  uid      BLOB NOT NULL UNIQUE, -- the 16 bytes of a UUID, or the text as it is
  time     INTEGER NOT NULL,
  function TEXT NOT NULL,
  version  INTEGER NOT NULL,
  caller   TEXT NOT NULL,
  source   TEXT NOT NULL,
  outcome  TEXT NOT NULL,
  doc      TEXT NOT NULL
);
CREATE INDEX invocations_time ON invocations (time);
CREATE INDEX invocations_function ON invocations (function, time);
CREATE INDEX invocations_caller ON invocations (caller, time);
CREATE INDEX invocations_source ON invocations (source, time);
CREATE INDEX invocations_outcome ON invocations (outcome, time);

-- What a function, version and caller came to in an hour, kept longer than the
-- calls themselves.
CREATE TABLE usage (
  hour     INTEGER NOT NULL, -- since 1970
  function TEXT NOT NULL,
  version  INTEGER NOT NULL,
  caller   TEXT NOT NULL,
  calls    INTEGER NOT NULL,
  errors   INTEGER NOT NULL,
  refused  INTEGER NOT NULL,
  cold     INTEGER NOT NULL,
  duration INTEGER NOT NULL,
  billed   INTEGER NOT NULL,
  gbs      REAL NOT NULL,
  "in"     INTEGER NOT NULL,
  out      INTEGER NOT NULL,
  last     INTEGER NOT NULL,
  PRIMARY KEY (function, hour, version, caller)
) WITHOUT ROWID;
CREATE INDEX usage_hour ON usage (hour);

CREATE TABLE lines (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  time       INTEGER NOT NULL,
  function   TEXT NOT NULL,
  version    INTEGER NOT NULL,
  invocation TEXT NOT NULL,
  size       INTEGER NOT NULL,
  text       TEXT NOT NULL
);
CREATE INDEX lines_function ON lines (function, id, size);
CREATE INDEX lines_invocation ON lines (invocation) WHERE invocation <> '';
CREATE INDEX lines_time ON lines (time);

CREATE TABLE messages (
  n          INTEGER PRIMARY KEY AUTOINCREMENT,
  queue      TEXT NOT NULL,
  id         TEXT NOT NULL,
  due        INTEGER NOT NULL,
  leased     INTEGER NOT NULL,
  sent       INTEGER NOT NULL,
  expires    INTEGER NOT NULL,
  attempts   INTEGER NOT NULL,
  attributes TEXT NOT NULL,
  body       BLOB NOT NULL,
  UNIQUE (queue, id)
);
CREATE INDEX messages_due ON messages (queue, due, leased, sent);

CREATE TABLE routes (
  id  TEXT PRIMARY KEY,
  doc TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE quotas (
  subject TEXT NOT NULL,
  period  TEXT NOT NULL,
  n       INTEGER NOT NULL,
  PRIMARY KEY (subject, period)
) WITHOUT ROWID;

CREATE TABLE principals (
  id  TEXT PRIMARY KEY,
  doc TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE access_keys (
  id     TEXT PRIMARY KEY,
  hash   BLOB NOT NULL,
  sealed BLOB NOT NULL,
  doc    TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE signers (
  id      TEXT PRIMARY KEY,
  public  BLOB NOT NULL,
  sealed  BLOB NOT NULL,
  created INTEGER NOT NULL,
  retired INTEGER NOT NULL
) WITHOUT ROWID;

-- Every revision of who may do what; the latest of a name is in force.
CREATE TABLE access_policies (
  name     TEXT NOT NULL,
  revision INTEGER NOT NULL,
  author   TEXT NOT NULL,
  time     INTEGER NOT NULL,
  deleted  INTEGER NOT NULL,
  doc      TEXT NOT NULL,
  PRIMARY KEY (name, revision)
) WITHOUT ROWID;
