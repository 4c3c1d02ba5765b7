-- What the usage records of a day add up to per meter, as far as they belong to its period and to what the ledger had
-- settled and let go of.
SELECT wanted.id, sum(cost_nano)
FROM billing_usagerecord CROSS JOIN LATERAL unnest(charged) AS cell (id)
JOIN unnest(%(ids)s::bigint[], %(counts)s::timestamptz[]) AS wanted (id, counts) ON wanted.id = cell.id AND at >= counts
WHERE at >= %(start)s AND at < %(end)s AND at <= %(until)s AND cost_nano <> 0
    AND (%(tenant)s::bigint IS NULL OR tenant_id = %(tenant)s)
    AND NOT request_id = ANY (%(apart)s::uuid[])
GROUP BY wanted.id
