-- The registry's devices, one row per change; the node writes them, newest `version` wins.
CREATE TABLE IF NOT EXISTS {{database}}.device_versions {{on_cluster}}
(
    id      UUID,
    name    String,
    profile LowCardinality(String),
    label   String,
    enabled Bool,
    gateway Bool,
    version UInt64,
    deleted UInt8
)
ENGINE = {{replicated}}ReplacingMergeTree(version, deleted)
ORDER BY id;

CREATE VIEW IF NOT EXISTS {{database}}.devices {{on_cluster}} AS
SELECT id, name, profile, label, enabled, gateway
FROM {{database}}.device_versions FINAL;
