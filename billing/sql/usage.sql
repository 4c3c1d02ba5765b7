-- Partitioned by month, so that retention is a dropped partition. Unique with the tenant first, so that the table can
-- be distributed by it.
CREATE TABLE billing_usagerecord (
    request_id          uuid         NOT NULL,
    at                  timestamptz  NOT NULL,
    tenant_id           bigint       NOT NULL,
    application_id      bigint,
    api_key_id          bigint,
    environment         varchar(16)  NOT NULL DEFAULT '',
    model               varchar(200) NOT NULL DEFAULT '',
    provider            varchar(50)  NOT NULL DEFAULT '',
    upstream_model      varchar(200) NOT NULL DEFAULT '',
    outcome             varchar(16)  NOT NULL,
    code                varchar(50)  NOT NULL DEFAULT '',
    status              smallint,
    streamed            boolean      NOT NULL DEFAULT false,
    requests            integer      NOT NULL DEFAULT 1 CHECK (requests > 0),
    input_tokens        bigint       NOT NULL DEFAULT 0 CHECK (input_tokens >= 0),
    cached_input_tokens bigint       NOT NULL DEFAULT 0 CHECK (cached_input_tokens >= 0),
    cache_write_tokens  bigint       NOT NULL DEFAULT 0 CHECK (cache_write_tokens >= 0),
    output_tokens       bigint       NOT NULL DEFAULT 0 CHECK (output_tokens >= 0),
    reasoning_tokens    bigint       NOT NULL DEFAULT 0 CHECK (reasoning_tokens >= 0),
    cost_nano           bigint       NOT NULL DEFAULT 0 CHECK (cost_nano >= 0),
    estimated           boolean      NOT NULL DEFAULT false,
    latency_ms          integer,
    first_token_ms      integer,
    overhead_us         integer,
    PRIMARY KEY (tenant_id, request_id, at)
) PARTITION BY RANGE (at);
CREATE INDEX usage_at ON billing_usagerecord (at);
CREATE INDEX usage_tenant_at ON billing_usagerecord (tenant_id, at);
CREATE INDEX usage_key_at ON billing_usagerecord (api_key_id, at);
CREATE INDEX usage_request ON billing_usagerecord (request_id);
