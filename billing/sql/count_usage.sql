-- `added` (usage records, new ones or those of a span) as what they count for.
counted AS (
    SELECT
        record.tenant_id,
        usage_hour(record.at, zone.name) AS hour,
        (record.at AT TIME ZONE 'UTC')::date AS day,
        (record.at AT TIME ZONE zone.name)::date AS own_day,
        coalesce(record.application_id, 0) AS application_id,
        coalesce(record.api_key_id, 0) AS api_key_id,
        record.environment, record.model, record.provider, record.upstream_model,
        record.requests,
        CASE WHEN record.outcome = 'refused' THEN record.requests ELSE 0 END AS refused,
        CASE WHEN record.outcome IN ('cut', 'upstream_error', 'failed', 'swept') THEN record.requests ELSE 0 END
            AS failed,
        record.input_tokens, record.cached_input_tokens, record.cache_write_tokens,
        record.output_tokens, record.reasoning_tokens,
        record.cost_nano,
        CASE WHEN record.estimated THEN record.cost_nano ELSE 0 END AS estimated_nano,
        CASE WHEN record.outcome <> 'refused' THEN record.latency_ms END AS latency_ms,
        record.end_user, record.tags, record.code
    FROM added AS record
    LEFT JOIN accounts_tenant AS tenant ON tenant.id = record.tenant_id
    CROSS JOIN LATERAL (SELECT coalesce(tenant.time_zone, 'UTC') AS name) AS zone
)
