-- What sensors saw. An event row is small: what many events share (program,
-- arguments, parent chain, verdict) is a shape, and shapes are made of atoms,
-- each kept once.

-- +goose Up
CREATE TABLE counters (
  name TEXT PRIMARY KEY,
  last INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;

-- hash is the first 32 bits of a keyed SHA-256 of body: it finds the row, the
-- body decides.
CREATE TABLE atoms (
  id   INTEGER PRIMARY KEY,
  hash INTEGER NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX atoms_hash ON atoms (hash);

CREATE TABLE shapes (
  id   INTEGER PRIMARY KEY,
  hash INTEGER NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX shapes_hash ON shapes (hash);

CREATE VIRTUAL TABLE shape_words USING fts5 (
  words, content='', contentless_delete=1, detail=none,
  tokenize="unicode61 remove_diacritics 0 tokenchars '._'"
);

-- One row per container, service or host that events name.
CREATE TABLE refs (
  id        INTEGER PRIMARY KEY,
  hash      INTEGER NOT NULL,
  workload  TEXT NOT NULL,
  name      TEXT NOT NULL,
  container TEXT NOT NULL,
  image     TEXT NOT NULL,
  body      BLOB NOT NULL,
  first     INTEGER NOT NULL, -- first and last event naming it
  last      INTEGER NOT NULL
);
CREATE INDEX refs_hash ON refs (hash);
CREATE INDEX refs_workload ON refs (workload);
CREATE INDEX refs_name ON refs (name);
CREATE INDEX refs_container ON refs (container) WHERE container <> '';

-- A stream is all events alike in what lists filter by; a filter is a set of
-- streams, merged newest first.
CREATE TABLE streams (
  id       INTEGER PRIMARY KEY,
  node     TEXT NOT NULL,
  workload TEXT NOT NULL,
  kind     TEXT NOT NULL,
  effect   TEXT NOT NULL,
  novel    INTEGER NOT NULL,
  count    INTEGER NOT NULL,
  first    INTEGER NOT NULL,
  last     INTEGER NOT NULL,
  UNIQUE (workload, kind, effect, novel, node)
);

CREATE TABLE events (
  id     INTEGER PRIMARY KEY,
  time   INTEGER NOT NULL, -- nanoseconds since 1970, the node's clock
  stream INTEGER NOT NULL,
  ref    INTEGER NOT NULL,
  shape  INTEGER NOT NULL,
  body   BLOB NOT NULL     -- what is this event's alone
);
CREATE INDEX events_stream ON events (stream);
CREATE INDEX events_shape ON events (shape);

-- Which ids hold a minute's events: turns a time range into an id range.
CREATE TABLE minutes (
  minute INTEGER PRIMARY KEY,
  events INTEGER NOT NULL,
  alerts INTEGER NOT NULL,
  first  INTEGER NOT NULL,
  last   INTEGER NOT NULL
);

-- When events arrived, by the console's clock, never going back.
CREATE TABLE arrivals (
  first    INTEGER PRIMARY KEY,
  received INTEGER NOT NULL
);

-- The highest batch recorded of each node.
CREATE TABLE batches (
  node TEXT PRIMARY KEY,
  seq  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE flows (
  "from" TEXT NOT NULL,
  "to"   TEXT NOT NULL,
  proto  TEXT NOT NULL,
  port   INTEGER NOT NULL,
  count  INTEGER NOT NULL,
  last   INTEGER NOT NULL,
  novel  INTEGER NOT NULL,
  denied INTEGER NOT NULL,
  PRIMARY KEY ("from", "to", proto, port)
) WITHOUT ROWID;
CREATE INDEX flows_last ON flows (last);
