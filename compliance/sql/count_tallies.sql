-- Adds occurrences (a JSON array) to the counts of their minutes. Sorted, so that two of these at once wait for each other
-- in one order. Networks beyond the first of a minute count together: who varies their address must not make rows.
WITH sent AS (
    SELECT
        date_trunc('minute', coalesce(at, statement_timestamp())) AS minute,
        action, tenant_id, actor_kind, actor_id, target_kind, target_id, outcome,
        left(coalesce(reason, ''), 100) AS reason, coalesce(place, '') AS place,
        count, coalesce(seen, '') AS seen, coalesce(request_id, '') AS request_id
    FROM jsonb_to_recordset(%(occurrences)s::jsonb) AS one (
        at timestamptz, action text, tenant_id bigint, actor_kind text, actor_id text, target_kind text, target_id text,
        outcome text, reason text, place text, count bigint, seen text, request_id text
    )
),
bounded AS (
    SELECT
        minute, action, tenant_id, actor_kind, actor_id, target_kind,
        CASE
            WHEN target_kind = 'network' AND NOT EXISTS (
                SELECT FROM compliance_audittally AS known
                WHERE known.minute = sent.minute AND known.action = sent.action AND known.target_kind = 'network'
                    AND known.target_id = sent.target_id
            ) AND (
                SELECT count(*) FROM compliance_audittally AS known
                WHERE known.minute = sent.minute AND known.action = sent.action AND known.target_kind = 'network'
            ) >= %(most_networks)s THEN %(others)s
            ELSE target_id
        END AS target_id,
        outcome, reason, place, count, seen, request_id
    FROM sent
)
INSERT INTO compliance_audittally AS tally (
    minute, action, tenant_id, actor_kind, actor_id, target_kind, target_id, outcome, reason, place,
    count, seen, request_id
)
SELECT
    minute, action, tenant_id, actor_kind, actor_id, target_kind, target_id, outcome, reason, place,
    sum(count), coalesce((array_agg(DISTINCT seen) FILTER (WHERE seen <> ''))[1:10], '{}'), min(request_id)
FROM bounded
GROUP BY minute, action, tenant_id, actor_kind, actor_id, target_kind, target_id, outcome, reason, place
ORDER BY minute, action, tenant_id, actor_kind, actor_id, target_kind, target_id, outcome, reason, place
ON CONFLICT ON CONSTRAINT audit_tally_once DO UPDATE SET
    count = tally.count + excluded.count,
    seen = (tally.seen || ARRAY(SELECT unnest(excluded.seen) EXCEPT SELECT unnest(tally.seen)))[1:10]
