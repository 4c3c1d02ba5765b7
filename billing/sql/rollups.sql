-- What usage records add up to, kept by the statement that inserts them (roll_up_*.sql): reports read nothing else.
-- Numbers of rows that no request has are 0 instead of null, so that they can be part of a primary key.

-- The hour of a request. Where days do not begin with an hour of UTC (India, Nepal), its quarter of one: then both the
-- tenant's days and those of UTC are whole spans. Every offset in use is a multiple of 15 minutes.
CREATE FUNCTION usage_hour(at timestamptz, zone text) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE date_part('minute', at AT TIME ZONE zone)
        WHEN date_part('minute', at AT TIME ZONE 'UTC') THEN date_trunc('hour', at, 'UTC')
        ELSE date_bin('15 minutes', at, TIMESTAMPTZ '2000-01-01 00:00:00Z')
    END
$$;

-- How many of these bounds a latency has reached: each is at most a quarter above the one before. `billing/latency.py`
-- has the same ones.
CREATE FUNCTION latency_bucket(ms integer) RETURNS smallint LANGUAGE sql IMMUTABLE AS $$
    SELECT width_bucket(ms, ARRAY[
        1, 2, 3, 4, 5, 6, 7, 8, 9,
        10, 12, 14, 16, 18, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90,
        100, 120, 140, 160, 180, 200, 250, 300, 350, 400, 450, 500, 600, 700, 800, 900,
        1000, 1200, 1400, 1600, 1800, 2000, 2500, 3000, 3500, 4000, 4500, 5000, 6000, 7000, 8000, 9000,
        10000, 12000, 14000, 16000, 18000, 20000, 25000, 30000, 35000, 40000, 45000, 50000, 60000, 70000, 80000, 90000,
        100000, 120000, 140000, 160000, 180000, 200000, 250000, 300000, 350000, 400000, 450000, 500000, 600000
    ])::smallint
$$;

CREATE TABLE billing_usagehour (
    tenant_id           bigint       NOT NULL,
    hour                timestamptz  NOT NULL,
    application_id      bigint       NOT NULL,
    api_key_id          bigint       NOT NULL,
    environment         varchar(16)  NOT NULL,
    model               varchar(200) NOT NULL,
    provider            varchar(50)  NOT NULL,
    upstream_model      varchar(200) NOT NULL,
    requests            bigint       NOT NULL,
    refused             bigint       NOT NULL,
    failed              bigint       NOT NULL,
    input_tokens        bigint       NOT NULL,
    cached_input_tokens bigint       NOT NULL,
    cache_write_tokens  bigint       NOT NULL,
    output_tokens       bigint       NOT NULL,
    reasoning_tokens    bigint       NOT NULL,
    cost_nano           bigint       NOT NULL,
    estimated_nano      bigint       NOT NULL,
    PRIMARY KEY (tenant_id, hour, application_id, api_key_id, environment, model, provider, upstream_model)
) WITH (fillfactor = 80);
CREATE INDEX usage_hour_of_all ON billing_usagehour (hour);

-- By day of UTC: what is asked for over many days, of one tenant or of all.
CREATE TABLE billing_usageday (
    tenant_id           bigint       NOT NULL,
    day                 date         NOT NULL,
    application_id      bigint       NOT NULL,
    api_key_id          bigint       NOT NULL,
    environment         varchar(16)  NOT NULL,
    model               varchar(200) NOT NULL,
    provider            varchar(50)  NOT NULL,
    upstream_model      varchar(200) NOT NULL,
    requests            bigint       NOT NULL,
    refused             bigint       NOT NULL,
    failed              bigint       NOT NULL,
    input_tokens        bigint       NOT NULL,
    cached_input_tokens bigint       NOT NULL,
    cache_write_tokens  bigint       NOT NULL,
    output_tokens       bigint       NOT NULL,
    reasoning_tokens    bigint       NOT NULL,
    cost_nano           bigint       NOT NULL,
    estimated_nano      bigint       NOT NULL,
    PRIMARY KEY (tenant_id, day, application_id, api_key_id, environment, model, provider, upstream_model)
) WITH (fillfactor = 80);
CREATE INDEX usage_day_of_all ON billing_usageday (day);

-- By the tenant's own day and by what it names freely: end users, values of tags; and codes of errors. At most 1,000
-- lines of one kind and tag a day, and what comes further in one line, '(others)', of each application.
CREATE TABLE billing_usagevalue (
    tenant_id           bigint       NOT NULL,
    kind                varchar(8)   NOT NULL CHECK (kind IN ('end_user', 'tag', 'code')),
    tag                 varchar(64)  NOT NULL,
    day                 date         NOT NULL,
    application_id      bigint       NOT NULL,
    value               varchar(64)  NOT NULL,
    requests            bigint       NOT NULL,
    refused             bigint       NOT NULL,
    failed              bigint       NOT NULL,
    input_tokens        bigint       NOT NULL,
    cached_input_tokens bigint       NOT NULL,
    cache_write_tokens  bigint       NOT NULL,
    output_tokens       bigint       NOT NULL,
    reasoning_tokens    bigint       NOT NULL,
    cost_nano           bigint       NOT NULL,
    estimated_nano      bigint       NOT NULL,
    PRIMARY KEY (tenant_id, kind, tag, day, application_id, value)
) WITH (fillfactor = 80);
CREATE INDEX usage_code_of_all ON billing_usagevalue (day) WHERE kind = 'code';
CREATE INDEX usage_value_by_day ON billing_usagevalue USING brin (day); -- for rebuilds; rows come in the order of days

-- How many requests of a tenant were answered, by day of UTC and latency; refusals are not among them.
CREATE TABLE billing_usagelatency (
    tenant_id bigint   NOT NULL,
    day       date     NOT NULL,
    bucket    smallint NOT NULL,
    answered  bigint   NOT NULL,
    PRIMARY KEY (tenant_id, day, bucket)
) WITH (fillfactor = 80);
CREATE INDEX usage_latency_of_all ON billing_usagelatency (day);

-- What records charged to a budget's meter that retention has since dropped: for each meter, one row per dropped month.
-- `before` is the first day (UTC) after that month, and `cost_nano` the cost of the month's records that name the meter
-- in `charged`; a record that names several meters is in the row of each. So of any meter
--     sum(billing_meterbalance.cost_nano) + sum(billing_usagerecord.cost_nano WHERE meter = ANY (charged))
-- is what all requests ever charged to it cost. A row appears in the transaction that takes the month's records out of
-- billing_usagerecord: no reader sees both, or neither.
CREATE TABLE billing_meterbalance (
    meter_id  bigint NOT NULL,
    before    date   NOT NULL,
    cost_nano bigint NOT NULL CHECK (cost_nano >= 0),
    PRIMARY KEY (meter_id, before)
);

-- The months whose records retention has dropped: rollups of them cannot be rebuilt.
CREATE TABLE billing_droppedmonth (
    month      date        NOT NULL PRIMARY KEY CHECK (date_part('day', month) = 1),
    requests   bigint      NOT NULL,
    cost_nano  bigint      NOT NULL,
    dropped_at timestamptz NOT NULL DEFAULT now()
);

-- The newest refusals, on the front page.
CREATE INDEX usage_refused_at ON billing_usagerecord (at) WHERE outcome = 'refused';
