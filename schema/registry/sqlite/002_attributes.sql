-- The latest value of every attribute of a device, by scope: 'client' (what the device says of
-- itself), 'shared' and 'server'.

CREATE TABLE attribute (
  device INTEGER NOT NULL REFERENCES device (row) ON DELETE CASCADE,
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  -- 1 bool, 2 long, 3 double, 4 string, 5 json: the numbers of the telemetry table.
  type INTEGER NOT NULL,
  -- ANY keeps what it is given bit by bit: int64 exact, -0.0 as it is.
  value ANY NOT NULL,
  -- Arrival in milliseconds since 1970: an older value never replaces a newer one.
  ts INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (device, scope, key)
) STRICT;
