-- What people and the console decide: one document a row, with the columns
-- that lists filter by beside it.

-- +goose Up
CREATE TABLE alerts (
  id        INTEGER PRIMARY KEY,
  key       TEXT NOT NULL,
  first     INTEGER NOT NULL,
  time      INTEGER NOT NULL, -- last seen
  workload  TEXT NOT NULL,
  name      TEXT NOT NULL,
  container TEXT NOT NULL,
  kind      TEXT NOT NULL,
  severity  INTEGER NOT NULL,
  status    TEXT NOT NULL,
  incident  TEXT NOT NULL,
  words     TEXT NOT NULL,
  doc       TEXT NOT NULL
);
CREATE INDEX alerts_key ON alerts (key);
CREATE INDEX alerts_time ON alerts (time);
CREATE INDEX alerts_workload ON alerts (workload, time);
CREATE INDEX alerts_incident ON alerts (incident) WHERE incident <> '';
CREATE INDEX alerts_open ON alerts (workload, severity) WHERE status <> 'resolved';

CREATE TABLE incidents (
  id        INTEGER PRIMARY KEY,
  first     INTEGER NOT NULL,
  time      INTEGER NOT NULL,
  workload  TEXT NOT NULL,
  name      TEXT NOT NULL,
  container TEXT NOT NULL,
  severity  INTEGER NOT NULL,
  status    TEXT NOT NULL,
  words     TEXT NOT NULL,
  doc       TEXT NOT NULL
);
CREATE INDEX incidents_time ON incidents (time);
CREATE INDEX incidents_workload ON incidents (workload, time);

CREATE TABLE instances (
  node     TEXT NOT NULL,
  instance TEXT NOT NULL,
  running  INTEGER NOT NULL,
  time     INTEGER NOT NULL,
  doc      TEXT NOT NULL,
  PRIMARY KEY (node, instance)
) WITHOUT ROWID;

CREATE TABLE nodes (
  id  TEXT PRIMARY KEY,
  doc TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE profiles (
  workload TEXT PRIMARY KEY,
  changed  INTEGER NOT NULL,
  ref      TEXT NOT NULL,
  doc      BLOB NOT NULL
);

-- Every revision; the latest of a name is the one in force, unless deleted.
CREATE TABLE policies (
  name     TEXT NOT NULL,
  revision INTEGER NOT NULL,
  author   TEXT NOT NULL,
  time     INTEGER NOT NULL,
  deleted  INTEGER NOT NULL,
  source   TEXT NOT NULL,
  PRIMARY KEY (name, revision)
);

CREATE TABLE orders (
  node     TEXT NOT NULL,
  instance TEXT NOT NULL,
  effect   TEXT NOT NULL,
  reason   TEXT NOT NULL,
  by       TEXT NOT NULL,
  time     INTEGER NOT NULL,
  PRIMARY KEY (node, instance)
) WITHOUT ROWID;

CREATE TABLE users (
  name     TEXT PRIMARY KEY,
  role     TEXT NOT NULL,
  password TEXT NOT NULL, -- argon2id, PHC format
  created  INTEGER NOT NULL,
  last     INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE sessions (
  hash    BLOB PRIMARY KEY, -- SHA-256 of the session's secret
  user    TEXT NOT NULL,
  created INTEGER NOT NULL,
  used    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_user ON sessions (user);

CREATE TABLE tokens (
  id      TEXT PRIMARY KEY,
  hash    BLOB NOT NULL,
  name    TEXT NOT NULL,
  user    TEXT NOT NULL,
  role    TEXT NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  last    INTEGER NOT NULL
) WITHOUT ROWID;

-- Secrets that work once: to set up the first administrator, to enrol a node.
CREATE TABLE once (
  hash    BLOB PRIMARY KEY,
  purpose TEXT NOT NULL,
  by      TEXT NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  used    INTEGER NOT NULL -- 0 while it is not
) WITHOUT ROWID;

CREATE TABLE audit (
  id     INTEGER PRIMARY KEY,
  time   INTEGER NOT NULL,
  actor  TEXT NOT NULL,
  source TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  result TEXT NOT NULL,
  before TEXT NOT NULL,
  after  TEXT NOT NULL,
  hash   BLOB NOT NULL
);

CREATE TABLE audit_head (
  one  INTEGER PRIMARY KEY CHECK (one = 1),
  id   INTEGER NOT NULL,
  hash BLOB NOT NULL
);
