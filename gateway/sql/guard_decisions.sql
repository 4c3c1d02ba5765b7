-- What guards found in requests and answers, and what was done about it: never what was found. Partitioned by month, so
-- that what is due goes as a dropped partition. Plain numbers instead of foreign keys: whatever they name may go before.
CREATE TABLE guard_decision (
    id             uuid        NOT NULL,
    request_id     uuid        NOT NULL,
    at             timestamptz NOT NULL,  -- when the request ended
    tenant_id      bigint      NOT NULL,
    application_id bigint      NOT NULL,
    api_key_id     bigint      NOT NULL,
    environment    text        NOT NULL DEFAULT '',
    model          text        NOT NULL DEFAULT '',  -- empty where the request was refused before it was chosen
    surrogate      text        NOT NULL DEFAULT '',  -- empty: the request named nobody
    policy_id      bigint      NOT NULL DEFAULT 0,   -- 0: the one that holds where no other does
    guard          text        NOT NULL,
    rule           text        NOT NULL DEFAULT '',
    action         smallint    NOT NULL,
    direction      text        NOT NULL,
    role           text        NOT NULL DEFAULT '',
    count          integer     NOT NULL DEFAULT 1,
    score          numeric(4,3) NOT NULL DEFAULT 1,
    error          text        NOT NULL DEFAULT '',  -- why the guard could not look; empty where it did
    PRIMARY KEY (id, at),
    CONSTRAINT guard_decision_action CHECK (action BETWEEN 1 AND 4),
    CONSTRAINT guard_decision_direction CHECK (direction IN ('prompt', 'answer')),
    CONSTRAINT guard_decision_count CHECK (count > 0)
) PARTITION BY RANGE (at);
CREATE INDEX guard_decision_of_tenant ON guard_decision (tenant_id, at);
CREATE INDEX guard_decision_of_request ON guard_decision (request_id);
CREATE INDEX guard_decision_of_subject ON guard_decision (tenant_id, surrogate) WHERE surrogate <> '';
CREATE INDEX guard_decision_by_time ON guard_decision (at) INCLUDE (guard, action);
CREATE TABLE guard_decision_rest PARTITION OF guard_decision DEFAULT;

-- Makes the partition of that day's month (UTC); false if it is there already.
CREATE FUNCTION make_guard_decision_partition(day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    name text := 'guard_decision_' || to_char(day, 'YYYY_MM');
    since timestamptz := date_trunc('month', day::timestamp) AT TIME ZONE 'UTC';
    until timestamptz := (date_trunc('month', day::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass(name) IS NOT NULL THEN RETURN false; END IF;
    -- In the strongest mode at once, and before anything else: nobody can be in between, and two who make it take turns.
    LOCK TABLE guard_decision_rest IN ACCESS EXCLUSIVE MODE;
    IF to_regclass(name) IS NOT NULL THEN RETURN false; END IF;
    EXECUTE format('CREATE TABLE %I (LIKE guard_decision INCLUDING ALL)', name);
    EXECUTE format(
        'WITH moved AS (DELETE FROM guard_decision_rest WHERE at >= %L AND at < %L RETURNING *) '
        'INSERT INTO %I SELECT * FROM moved', since, until, name);
    EXECUTE format('ALTER TABLE guard_decision ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, since, until);
    RETURN true;
END $$;

-- Puts a batch on record. One that is sent again, as nobody knows whether it arrived, adds nothing.
CREATE FUNCTION store_guard_decisions(batch jsonb) RETURNS bigint LANGUAGE sql AS $$
    WITH stored AS (
        INSERT INTO guard_decision
        SELECT * FROM jsonb_to_recordset(batch) AS sent (
            id uuid, request_id uuid, at timestamptz, tenant_id bigint, application_id bigint, api_key_id bigint,
            environment text, model text, surrogate text, policy_id bigint, guard text, rule text, action smallint,
            direction text, role text, count integer, score numeric, error text)
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT count(*) FROM stored
$$;
