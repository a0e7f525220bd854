-- What people read. `device` is empty for a device that the registry does not know (any more).
-- A plain LEFT JOIN on purpose: ids are unique in `devices`, and a filter on `device` then turns it
-- into an inner join that filters the points while they are read, which ANY would prevent.
CREATE VIEW IF NOT EXISTS {{database}}.points {{on_cluster}} AS
SELECT
    d.name AS device,
    t.device_id AS device_id,
    t.key AS key,
    t.ts AS ts,
    t.received_at AS received_at,
    t.type AS type,
    if(t.type IN ('string', 'json'), NULL, t.num) AS value,
    if(t.type = 'long', if(t.long = 0, toInt64(t.num), t.long), NULL) AS long,
    multiIf(
        t.type = 'double', toString(t.num),
        t.type = 'long', toString(if(t.long = 0, toInt64(t.num), t.long)),
        t.type = 'bool', if(t.num = 0, 'false', 'true'),
        t.text
    ) AS text
FROM {{database}}.telemetry AS t FINAL
LEFT JOIN {{database}}.devices AS d ON t.device_id = d.id;

CREATE VIEW IF NOT EXISTS {{database}}.points_latest {{on_cluster}} AS
SELECT
    d.name AS device,
    t.device_id AS device_id,
    t.key AS key,
    t.ts AS ts,
    t.received_at AS received_at,
    t.type AS type,
    if(t.type IN ('string', 'json'), NULL, t.num) AS value,
    if(t.type = 'long', if(t.long = 0, toInt64(t.num), t.long), NULL) AS long,
    multiIf(
        t.type = 'double', toString(t.num),
        t.type = 'long', toString(if(t.long = 0, toInt64(t.num), t.long)),
        t.type = 'bool', if(t.num = 0, 'false', 'true'),
        t.text
    ) AS text
FROM {{database}}.latest AS t FINAL
LEFT JOIN {{database}}.devices AS d ON t.device_id = d.id;

-- `SELECT … FROM points_of(device = 'boiler 7') WHERE …` finds that device's rows by the primary
-- key; a filter on `device` in `points` looks at `device_id` of all rows in the time range.
CREATE VIEW IF NOT EXISTS {{database}}.points_of {{on_cluster}} AS
SELECT *
FROM {{database}}.points
WHERE device_id IN (SELECT id FROM {{database}}.devices WHERE name = {device:String});

-- Hours that are over. `avg`, `min` and `max` are over the points that are numbers.
CREATE VIEW IF NOT EXISTS {{database}}.points_hourly {{on_cluster}} AS
SELECT
    d.name AS device,
    t.device_id AS device_id,
    t.key AS key,
    t.hour AS hour,
    t.points AS points,
    t.numbers AS numbers,
    t.sum AS sum,
    if(t.numbers = 0, NULL, t.sum / t.numbers) AS avg,
    if(t.numbers = 0, NULL, t.min) AS min,
    if(t.numbers = 0, NULL, t.max) AS max,
    if(t.numbers = 0, NULL, t.last) AS last
FROM {{database}}.telemetry_hourly AS t FINAL
LEFT JOIN {{database}}.devices AS d ON t.device_id = d.id;

CREATE VIEW IF NOT EXISTS {{database}}.rejected {{on_cluster}} AS
SELECT
    d.name AS device,
    r.device_id AS device_id,
    r.received_at AS received_at,
    r.protocol AS protocol,
    r.topic AS topic,
    r.reason AS reason,
    r.payload AS payload
FROM {{database}}.rejected_messages AS r
LEFT JOIN {{database}}.devices AS d ON r.device_id = d.id;
