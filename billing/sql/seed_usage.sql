-- Synthetic records of one day, spread over it and over the keys of an array, of which the first have most: four models
-- of two providers, end users, tags, refusals and failures.
INSERT INTO billing_usagerecord (
    request_id, at, tenant_id, application_id, api_key_id,
    environment, model, end_user, tags, provider, upstream_model,
    outcome, code, status, streamed, requests,
    input_tokens, cached_input_tokens, output_tokens, cost_nano, estimated,
    latency_ms, first_token_ms, overhead_us
)
SELECT
    gen_random_uuid(), at, key.tenant_id, key.application_id, key.id,
    key.environment, model.name,
    CASE WHEN is_refused THEN ''
        ELSE 'eu_' || translate(left(md5(format('%%s/%%s', key.tenant_id, floor(1500 * pick ^ 3))), 24), '0189', 'ghij')
    END,
    CASE WHEN is_refused THEN '{}'::jsonb
        ELSE jsonb_build_object('feature', format('feature-%%s', mod(number, 11)), 'team', format('team-%%s', mod(number, 7)))
    END,
    CASE WHEN is_refused THEN '' ELSE model.provider END, CASE WHEN is_refused THEN '' ELSE model.name END,
    CASE WHEN is_refused THEN 'refused' WHEN chance > 0.975 THEN 'upstream_error' ELSE 'completed' END,
    CASE WHEN is_refused THEN (ARRAY['rate_limit_exceeded', 'budget_exceeded', 'model_not_found'])[1 + mod(number, 3)]
        WHEN chance > 0.975 THEN 'upstream_error' ELSE '' END,
    CASE WHEN is_refused THEN 429 WHEN chance > 0.975 THEN 502 ELSE 200 END,
    mod(number, 2) = 0,
    CASE WHEN is_refused THEN 1 + mod(number, 5) ELSE 1 END,
    CASE WHEN is_refused THEN 0 ELSE input END, CASE WHEN is_refused THEN 0 ELSE input / 4 END,
    CASE WHEN is_refused THEN 0 ELSE output END,
    CASE WHEN is_refused THEN 0 ELSE input * model.input_nano + output * model.output_nano END,
    chance > 0.96 AND NOT is_refused,
    CASE WHEN is_refused THEN 1 ELSE 200 + output * 9 END, 150 + mod(number, 400), 300 + mod(number, 900)
FROM (
    SELECT
        number, random() AS chance, random() AS pick,
        %(start)s::timestamptz + random() * interval '86399 seconds' AS at,
        1 + floor(cardinality(%(keys)s::bigint[]) * random() ^ 2)::integer AS place,
        20 + floor(4000 * random() ^ 3)::integer AS input, 5 + floor(900 * random() ^ 2)::integer AS output
    FROM generate_series(1, %(count)s) AS number
) AS made
JOIN unnest(%(keys)s::bigint[]) WITH ORDINALITY AS chosen (id, place) USING (place)
JOIN accounts_apikey AS key ON key.id = chosen.id
JOIN (VALUES
    (0, 'seeded-small', 'seeded-one', 150, 600), (1, 'seeded-large', 'seeded-one', 2500, 10000),
    (2, 'seeded-quick', 'seeded-two', 80, 400), (3, 'seeded-thorough', 'seeded-two', 3000, 15000)
) AS model (quarter, name, provider, input_nano, output_nano) ON quarter = floor(4 * pick)
CROSS JOIN LATERAL (SELECT chance < 0.03 AS is_refused) AS refused
RETURNING *
