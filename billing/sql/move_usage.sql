-- Inserts the records of a JSON array into the usage table, leaving out those that are there. What a record does not
-- say gets the column's default; names that are too long are cut; unknown fields are ignored.
INSERT INTO billing_usagerecord (
    request_id, at, tenant_id, application_id, api_key_id,
    environment, model, served_model, end_user, tags, service_tier, provider, upstream_model,
    outcome, code, status, streamed, requests,
    input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
    cost_nano, estimated, over_budget, charged, latency_ms, first_token_ms, overhead_us
)
SELECT
    request_id, at, tenant_id, application_id, api_key_id,
    left(coalesce(environment, ''), 16), left(coalesce(model, ''), 200), left(coalesce(served_model, ''), 200),
    left(coalesce(end_user, ''), 27), coalesce(tags, '{}'), left(coalesce(service_tier, ''), 20),
    left(coalesce(provider, ''), 50), left(coalesce(upstream_model, ''), 200),
    outcome, left(coalesce(code, ''), 50), status, coalesce(streamed, false), coalesce(requests, 1),
    coalesce(input_tokens, 0), coalesce(cached_input_tokens, 0), coalesce(cache_write_tokens, 0),
    coalesce(output_tokens, 0), coalesce(reasoning_tokens, 0),
    coalesce(cost_nano, 0), coalesce(estimated, false), coalesce(over_budget, false), coalesce(charged, '{}'),
    latency_ms, first_token_ms, overhead_us
FROM jsonb_to_recordset(%s::jsonb) AS record (
    request_id uuid, at timestamptz, tenant_id bigint, application_id bigint, api_key_id bigint,
    environment text, model text, served_model text, end_user text, tags jsonb, service_tier text, provider text, upstream_model text,
    outcome text, code text, status smallint, streamed boolean, requests integer,
    input_tokens bigint, cached_input_tokens bigint, cache_write_tokens bigint, output_tokens bigint,
    reasoning_tokens bigint,
    cost_nano bigint, estimated boolean, over_budget boolean, charged bigint[], latency_ms integer, first_token_ms integer, overhead_us integer
)
ON CONFLICT (tenant_id, request_id, at) DO NOTHING
RETURNING *
