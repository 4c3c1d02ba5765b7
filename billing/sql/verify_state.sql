-- What the ledger says at one moment: each meter (of a tenant, or by id), with what its holds, waiting records and entries
-- add up to; and, in a last row, the requests that are held or wait: they may be in the main database already.
WITH waiting AS MATERIALIZED (
    SELECT (record ->> 'request_id')::uuid AS request_id, (record ->> 'at')::timestamptz AS at,
        (record ->> 'cost_nano')::bigint AS cost_nano, record -> 'charged' AS charged
    FROM (
        SELECT record FROM usage_outbox
        UNION ALL
        SELECT record FROM usage_rejected AS r WHERE NOT EXISTS (SELECT FROM usage_outbox AS o WHERE o.seq = r.seq)
    ) AS every (record)
    WHERE jsonb_typeof(record -> 'charged') = 'array' AND record -> 'charged' <> '[]'
), wanted AS MATERIALIZED (
    SELECT *, coalesce(counts_from, period_start) AS counts FROM meter
    WHERE (%(tenant)s::bigint IS NULL OR tenant_id = %(tenant)s) AND (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s))
), holding AS (
    SELECT m.id, sum(CASE cell.kind WHEN 1 THEN cost_nano WHEN 3 THEN tokens WHEN 5 THEN tokens - output_tokens
        WHEN 6 THEN output_tokens ELSE 1 END) AS held
    FROM hold CROSS JOIN LATERAL unnest(meter_ids, kinds, marks, windows_ns) AS cell (id, kind, mark, window_ns)
    JOIN wanted AS m ON m.id = cell.id
    WHERE cell.kind = 4 OR (cell.kind IN (3, 5, 6) AND cell.window_ns IS NOT NULL)
        OR (cell.kind = 1 AND cell.mark = (extract(epoch FROM m.period_start) * 1000000)::bigint)
    GROUP BY m.id
), unmoved AS (
    SELECT m.id, sum(cost_nano) AS used
    FROM waiting CROSS JOIN LATERAL jsonb_array_elements_text(charged) AS cell (id)
    JOIN wanted AS m ON m.id = cell.id::bigint AND waiting.at >= m.counts
    GROUP BY m.id
), entered AS (
    SELECT m.id, sum(amount_nano) AS used
    FROM meter_entry AS entry JOIN wanted AS m ON m.id = entry.meter_id AND m.period_start = entry.period_start
    GROUP BY m.id
), apart AS (
    SELECT request_id FROM waiting UNION ALL SELECT request_id FROM hold WHERE 1 = ANY (kinds) LIMIT %(most)s + 1
)
SELECT id, tenant_id, name, period_start, counts, period_end > 'epoch', wanted.used, wanted.held,
    coalesce(holding.held, 0), coalesce(unmoved.used, 0) + coalesce(entered.used, 0), NULL::uuid[]
FROM wanted LEFT JOIN holding USING (id) LEFT JOIN unmoved USING (id) LEFT JOIN entered USING (id)
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, (SELECT array_agg(request_id) FROM apart)
