-- What people wrote and were answered, encrypted under their own keys. Only store_transcripts() adds rows, of people who
-- consented. Partitioned by the day on which a row is due, so that a purge is a dropped partition, whatever its size; rows
-- under a legal hold lie apart and are due on no day.
CREATE TABLE transcript (
    id             uuid        NOT NULL,  -- of the request
    tenant_id      bigint      NOT NULL,
    surrogate      text        NOT NULL,
    application_id bigint,
    api_key_id     bigint,
    environment    text        NOT NULL DEFAULT '',
    model          text        NOT NULL DEFAULT '',
    outcome        text        NOT NULL,
    streamed       boolean     NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL,
    expires_on     date        NOT NULL,
    held           boolean     NOT NULL DEFAULT false,
    purpose        text        NOT NULL DEFAULT 'store_conversations',
    also_for       text[]      NOT NULL DEFAULT '{}',
    key_id         uuid        NOT NULL,
    sealed         bytea       NOT NULL,
    plain_bytes    integer     NOT NULL CHECK (plain_bytes >= 0),
    PRIMARY KEY (id, held, expires_on)
) PARTITION BY LIST (held);
ALTER TABLE transcript ALTER COLUMN sealed SET STORAGE EXTERNAL;  -- what is encrypted cannot be compressed
CREATE INDEX transcript_of_subject ON transcript (tenant_id, surrogate);
CREATE INDEX transcript_of_tenant ON transcript (tenant_id, created_at);
CREATE INDEX transcript_by_time ON transcript (created_at);

CREATE TABLE transcript_held PARTITION OF transcript FOR VALUES IN (true);
CREATE TABLE transcript_due PARTITION OF transcript FOR VALUES IN (false) PARTITION BY RANGE (expires_on);
-- Takes what is due on a day whose partition has not been made.
CREATE TABLE transcript_due_rest PARTITION OF transcript_due DEFAULT;

-- Makes the partition of what is due on that day; false if it is there already. Rows of that day that the default
-- partition took move over.
CREATE FUNCTION make_transcript_partition(day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    name text := 'transcript_due_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN RETURN false; END IF;
    -- In the strongest mode at once, and before anything else: nobody can be in between, and two who make it take turns.
    LOCK TABLE transcript_due_rest IN ACCESS EXCLUSIVE MODE;
    IF to_regclass(name) IS NOT NULL THEN RETURN false; END IF;
    EXECUTE format('CREATE TABLE %I (LIKE transcript_due INCLUDING ALL)', name);
    EXECUTE format(
        'WITH moved AS (DELETE FROM transcript_due_rest WHERE expires_on = %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
        day, name);
    -- With these checks nothing has to be read to attach it.
    EXECUTE format('ALTER TABLE %I ADD CONSTRAINT is_of_day CHECK (NOT held AND expires_on = %L)', name, day);
    EXECUTE format('ALTER TABLE transcript_due ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, day, day + 1);
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT is_of_day', name);
    RETURN true;
END $$;

-- For each request of a tenant that stores: whether its content was stored, or why not. No content, and no row of
-- tenants that do not store.
CREATE TABLE content_decision (
    request_id uuid        NOT NULL,
    tenant_id  bigint      NOT NULL,
    surrogate  text        NOT NULL DEFAULT '',  -- empty: the request named nobody
    at         timestamptz NOT NULL,
    stored     boolean     NOT NULL,
    reason     text        NOT NULL DEFAULT '',  -- empty exactly when it was stored
    PRIMARY KEY (request_id, at),
    CONSTRAINT decision_has_reason CHECK (stored = (reason = ''))
) PARTITION BY RANGE (at);
CREATE INDEX decision_of_tenant ON content_decision (tenant_id, at);
CREATE INDEX decision_of_subject ON content_decision (tenant_id, surrogate);
CREATE INDEX decision_by_time ON content_decision (at) INCLUDE (reason);
CREATE TABLE content_decision_rest PARTITION OF content_decision DEFAULT;

-- Makes the partition of that day's month (UTC); false if it is there already.
CREATE FUNCTION make_decision_partition(day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    name text := 'content_decision_' || to_char(day, 'YYYY_MM');
    since timestamptz := date_trunc('month', day::timestamp) AT TIME ZONE 'UTC';
    until timestamptz := (date_trunc('month', day::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass(name) IS NOT NULL THEN RETURN false; END IF;
    LOCK TABLE content_decision_rest IN ACCESS EXCLUSIVE MODE;
    IF to_regclass(name) IS NOT NULL THEN RETURN false; END IF;
    EXECUTE format('CREATE TABLE %I (LIKE content_decision INCLUDING ALL)', name);
    EXECUTE format(
        'WITH moved AS (DELETE FROM content_decision_rest WHERE at >= %L AND at < %L RETURNING *) '
        'INSERT INTO %I SELECT * FROM moved', since, until, name);
    EXECUTE format('ALTER TABLE content_decision ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, since, until);
    RETURN true;
END $$;
