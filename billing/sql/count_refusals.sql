-- The refusals among `added`, by key, reason and minute, for the audit log (`compliance/actions/tallies.py`). They were
-- inserted by this statement, so they are counted once, however late they came.
refusals AS (
    INSERT INTO compliance_audittally AS tally (
        minute, action, tenant_id, actor_kind, actor_id, target_kind, target_id, outcome, reason, place,
        count, seen, request_id
    )
    SELECT
        date_trunc('minute', at), 'request.refused', tenant_id, 'key', api_key_id::text, 'apikey', api_key_id::text,
        'refused', code, '/v1', sum(requests), '{}', min(request_id::text)
    FROM added
    WHERE outcome = 'refused' AND api_key_id IS NOT NULL
    GROUP BY date_trunc('minute', at), tenant_id, api_key_id, code
    ORDER BY date_trunc('minute', at), tenant_id, api_key_id, code
    ON CONFLICT ON CONSTRAINT audit_tally_once DO UPDATE SET count = tally.count + excluded.count
)
