-- Adds `counted` to the lines of end users, tag values and error codes, 1,000 lines of one kind and tag a day at most:
-- a tenant that sends ever new values must not fill the table. The dearest of what comes at once are counted apart.
named AS (
    SELECT
        counted.tenant_id, name.kind, name.tag, counted.own_day AS day, counted.application_id, name.value,
        sum(requests) AS requests, sum(refused) AS refused, sum(failed) AS failed, sum(input_tokens) AS input_tokens,
        sum(cached_input_tokens) AS cached_input_tokens, sum(cache_write_tokens) AS cache_write_tokens,
        sum(output_tokens) AS output_tokens, sum(reasoning_tokens) AS reasoning_tokens, sum(cost_nano) AS cost_nano,
        sum(estimated_nano) AS estimated_nano
    FROM counted
    CROSS JOIN LATERAL (
        SELECT 'end_user' AS kind, '' AS tag, end_user::text AS value
        UNION ALL
        SELECT 'code', '', code WHERE code <> ''
        UNION ALL
        SELECT 'tag', left(entry.key, 64), left(entry.value, 64)
        FROM jsonb_each_text(CASE jsonb_typeof(tags) WHEN 'object' THEN tags ELSE '{}' END) AS entry
        WHERE entry.value IS NOT NULL
    ) AS name
    GROUP BY 1, 2, 3, 4, 5, 6
),
placed AS (
    -- A scalar subquery, so that lines are looked up in the primary key one by one whatever the planner believes: a join
    -- would now and then read the whole table.
    SELECT named.*, named.value IN ('', '(others)') OR coalesce((
        SELECT true FROM billing_usagevalue AS line
        WHERE line.tenant_id = named.tenant_id AND line.kind = named.kind AND line.tag = named.tag
            AND line.day = named.day AND line.application_id = named.application_id AND line.value = named.value
    ), false) AS has_line
    FROM named
),
taken AS (
    SELECT crowd.tenant_id, crowd.kind, crowd.tag, crowd.day, (
        SELECT count(*) FROM billing_usagevalue AS line
        WHERE line.tenant_id = crowd.tenant_id AND line.kind = crowd.kind AND line.tag = crowd.tag
            AND line.day = crowd.day AND line.value NOT IN ('', '(others)')
    ) AS lines
    FROM (SELECT DISTINCT tenant_id, kind, tag, day FROM placed WHERE NOT has_line) AS crowd
),
ranked AS (
    SELECT placed.*, taken.lines + row_number() OVER (
        PARTITION BY tenant_id, kind, tag, day, has_line
        ORDER BY cost_nano DESC, requests DESC, application_id, value
    ) AS place
    FROM placed
    LEFT JOIN taken USING (tenant_id, kind, tag, day)
),
lines AS (
    INSERT INTO billing_usagevalue AS line (
        tenant_id, kind, tag, day, application_id, value,
        requests, refused, failed, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, cost_nano, estimated_nano
    )
    SELECT
        tenant_id, kind, tag, day, application_id,
        CASE WHEN has_line OR place <= 1000 THEN value ELSE '(others)' END,
        sum(requests), sum(refused), sum(failed), sum(input_tokens), sum(cached_input_tokens), sum(cache_write_tokens),
        sum(output_tokens), sum(reasoning_tokens), sum(cost_nano), sum(estimated_nano)
    FROM ranked
    GROUP BY 1, 2, 3, 4, 5, 6
    ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (tenant_id, kind, tag, day, application_id, value)
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
)
