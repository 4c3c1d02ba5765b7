-- Meters are updated many times a second: room on each page keeps the updates heap-only, and frequent vacuum the
-- table small.
CREATE TABLE meter (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    bigint      NOT NULL,
    name         text        NOT NULL COLLATE "C",
    used         bigint      NOT NULL DEFAULT 0 CHECK (used >= 0),
    held         bigint      NOT NULL DEFAULT 0 CHECK (held >= 0),
    tat_ns       bigint      NOT NULL DEFAULT 0,           -- GCRA: theoretical arrival time of the next request
    period_start timestamptz NOT NULL DEFAULT 'epoch', -- budgets: the period that `used` and `held` belong to
    period_end   timestamptz NOT NULL DEFAULT 'epoch',
    UNIQUE (tenant_id, name)
) WITH (fillfactor = 30, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0.0);

CREATE TABLE hold (
    request_id  uuid        PRIMARY KEY,
    tenant_id   bigint      NOT NULL,
    cost_nano   bigint      NOT NULL CHECK (cost_nano >= 0),
    tokens      bigint      NOT NULL CHECK (tokens >= 0),
    admitted_at timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    meter_ids   bigint[]    NOT NULL,
    kinds       smallint[]  NOT NULL, -- parallel to meter_ids
    marks       bigint[]    NOT NULL, -- parallel to meter_ids: budget: its period's start, µs; tokens: ns per token
    context     jsonb       NOT NULL  -- what the usage record says if this process never settles
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.0);
CREATE INDEX hold_expires ON hold (expires_at);

CREATE TABLE usage_outbox (
    seq    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    record jsonb  NOT NULL
) WITH (autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0.0);
