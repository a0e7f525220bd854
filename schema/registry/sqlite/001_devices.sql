-- Devices, their profiles and credentials, and what changed when. Times are milliseconds since 1970.
--
-- Tables point at each other by `row`, a small integer that stays inside this file; what the world
-- sees are the UUIDs in `id` (16 bytes, in the order of their text).

CREATE TABLE profile (
  row INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  name TEXT NOT NULL UNIQUE,
  cast_numeric_strings INTEGER NOT NULL DEFAULT 0,
  ts_policy TEXT NOT NULL DEFAULT 'accept',
  -- A JSON object: settings of later features need no column.
  settings TEXT NOT NULL DEFAULT '{}'
) STRICT;

-- The same id everywhere: it means the same thing in every installation.
INSERT INTO profile (id, name) VALUES (x'00000000000040008000000000000001', 'default');

CREATE TABLE device (
  row INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  name TEXT NOT NULL UNIQUE,
  profile INTEGER NOT NULL REFERENCES profile (row),
  label TEXT NOT NULL DEFAULT '',
  enabled INTEGER NOT NULL DEFAULT 1,
  gateway INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  -- `change.seq` of its last change: the feed of devices reads in this order.
  seq INTEGER NOT NULL UNIQUE
) STRICT;
CREATE INDEX device_profile ON device (profile);

-- What remains of deleted devices, so that a reader of the feed learns of them.
CREATE TABLE deleted_device (
  seq INTEGER PRIMARY KEY,
  id BLOB NOT NULL,
  name TEXT NOT NULL
) STRICT;

CREATE TABLE credential (
  row INTEGER PRIMARY KEY,
  device INTEGER NOT NULL REFERENCES device (row) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  -- SHA-256 of what the peer presents; nothing else is ever compared.
  lookup_hash BLOB NOT NULL UNIQUE CHECK (length(lookup_hash) = 32),
  -- Sealed with the key beside this file, so that it can be shown again; null when it cannot.
  secret BLOB,
  not_after INTEGER,
  state TEXT NOT NULL DEFAULT 'active',
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX credential_device ON credential (device);
CREATE INDEX credential_not_after ON credential (not_after) WHERE not_after IS NOT NULL;

-- The change feed. `seq` grows with every change and starts near the time in microseconds, so a
-- restored or rebuilt registry continues above what readers have seen. Old rows are removed.
CREATE TABLE change (
  seq INTEGER PRIMARY KEY,
  entity TEXT NOT NULL,
  id BLOB NOT NULL,
  kind TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;

-- `last`: the greatest `seq` given out; `floor`: the greatest that was removed from `change`.
CREATE TABLE change_position (
  name TEXT PRIMARY KEY,
  seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO change_position (name, seq) VALUES ('last', 0), ('floor', 0);
