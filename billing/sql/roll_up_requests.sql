-- Adds `counted` to the hours, days and latencies. In the order of the primary keys, so that two who add at once wait
-- for each other and never lock each other out.
hours AS (
    INSERT INTO billing_usagehour AS line (
        tenant_id, hour, application_id, api_key_id, environment, model, provider, upstream_model,
        requests, refused, failed, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, cost_nano, estimated_nano
    )
    SELECT
        tenant_id, hour, application_id, api_key_id, environment, model, provider, upstream_model,
        sum(requests), sum(refused), sum(failed), sum(input_tokens), sum(cached_input_tokens), sum(cache_write_tokens),
        sum(output_tokens), sum(reasoning_tokens), sum(cost_nano), sum(estimated_nano)
    FROM counted
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
    ON CONFLICT (tenant_id, hour, application_id, api_key_id, environment, model, provider, upstream_model)
    DO UPDATE SET
        requests = line.requests + excluded.requests,
        refused = line.refused + excluded.refused,
        failed = line.failed + excluded.failed,
        input_tokens = line.input_tokens + excluded.input_tokens,
        cached_input_tokens = line.cached_input_tokens + excluded.cached_input_tokens,
        cache_write_tokens = line.cache_write_tokens + excluded.cache_write_tokens,
        output_tokens = line.output_tokens + excluded.output_tokens,
        reasoning_tokens = line.reasoning_tokens + excluded.reasoning_tokens,
        cost_nano = line.cost_nano + excluded.cost_nano,
        estimated_nano = line.estimated_nano + excluded.estimated_nano
),
days AS (
    INSERT INTO billing_usageday AS line (
        tenant_id, day, application_id, api_key_id, environment, model, provider, upstream_model,
        requests, refused, failed, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, cost_nano, estimated_nano
    )
    SELECT
        tenant_id, day, application_id, api_key_id, environment, model, provider, upstream_model,
        sum(requests), sum(refused), sum(failed), sum(input_tokens), sum(cached_input_tokens), sum(cache_write_tokens),
        sum(output_tokens), sum(reasoning_tokens), sum(cost_nano), sum(estimated_nano)
    FROM counted
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
    ON CONFLICT (tenant_id, day, application_id, api_key_id, environment, model, provider, upstream_model)
    DO UPDATE SET
        requests = line.requests + excluded.requests,
        refused = line.refused + excluded.refused,
        failed = line.failed + excluded.failed,
        input_tokens = line.input_tokens + excluded.input_tokens,
        cached_input_tokens = line.cached_input_tokens + excluded.cached_input_tokens,
        cache_write_tokens = line.cache_write_tokens + excluded.cache_write_tokens,
        output_tokens = line.output_tokens + excluded.output_tokens,
        reasoning_tokens = line.reasoning_tokens + excluded.reasoning_tokens,
        cost_nano = line.cost_nano + excluded.cost_nano,
        estimated_nano = line.estimated_nano + excluded.estimated_nano
),
latencies AS (
    INSERT INTO billing_usagelatency AS line (tenant_id, day, bucket, answered)
    SELECT tenant_id, day, latency_bucket(latency_ms), sum(requests)
    FROM counted
    WHERE latency_ms IS NOT NULL
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
    ON CONFLICT (tenant_id, day, bucket) DO UPDATE SET answered = line.answered + excluded.answered
)
