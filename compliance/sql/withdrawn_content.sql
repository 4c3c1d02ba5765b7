-- What was stored for the purpose before consent was given anew, if it was: but for what a legal hold keeps, moved there
-- or not yet, and what a law requires to be kept still (retention_rules.decide).
WITH slice AS (
    SELECT t.id, t.held, t.expires_on
    FROM transcript AS t CROSS JOIN (
        SELECT coalesce(max(floor_days), 0) AS days FROM compliance_retentionpolicy
        WHERE data_class = 'content' AND (tenant_id = %(tenant)s OR tenant_id IS NULL)
    ) AS floor
    WHERE t.tenant_id = %(tenant)s AND t.surrogate = %(surrogate)s AND t.purpose = %(purpose)s
      AND t.created_at < coalesce((
          SELECT min(later.created_at) FROM compliance_consentrecord AS later
          WHERE later.subject_id = %(subject)s AND later.purpose = %(purpose)s AND later.id > %(record)s
            AND later.state IN ('given', 'reaffirmed')), 'infinity')
      AND NOT t.held
      AND NOT is_held(t.tenant_id, t.surrogate, t.api_key_id, t.model, t.application_id, t.environment, t.created_at,
                      t.outcome)
      AND (floor.days = 0 OR (t.created_at AT TIME ZONE 'UTC')::date + floor.days
                             < (statement_timestamp() AT TIME ZONE 'UTC')::date)
    ORDER BY t.id LIMIT %(most)s FOR UPDATE OF t
)
DELETE FROM transcript AS t USING slice
WHERE t.id = slice.id AND t.held = slice.held AND t.expires_on = slice.expires_on;

-- What was stored for another purpose is not for this one any more; held rows included, as nothing of them is lost.
WITH slice AS (
    SELECT id, held, expires_on FROM transcript AS t
    WHERE t.tenant_id = %(tenant)s AND t.surrogate = %(surrogate)s AND %(purpose)s = ANY (t.also_for)
      AND t.created_at < coalesce((
          SELECT min(later.created_at) FROM compliance_consentrecord AS later
          WHERE later.subject_id = %(subject)s AND later.purpose = %(purpose)s AND later.id > %(record)s
            AND later.state IN ('given', 'reaffirmed')), 'infinity')
    ORDER BY id LIMIT %(most)s FOR UPDATE
)
UPDATE transcript AS t SET also_for = array_remove(t.also_for, %(purpose)s) FROM slice
WHERE t.id = slice.id AND t.held = slice.held AND t.expires_on = slice.expires_on;

-- Records that took something back of which something is left that may go: those of late, counted from the end of what
-- a law requires, and those of tenants of whom a legal hold has ended of late, or what a law requires has changed.
SELECT record.id
FROM compliance_consentrecord AS record JOIN compliance_subject AS subject ON subject.id = record.subject_id
LEFT JOIN compliance_contentpolicy AS policy ON policy.tenant_id = record.tenant_id
CROSS JOIN LATERAL (
    SELECT coalesce(max(floor_days), 0) AS days, max(changed_at) AS changed_at FROM compliance_retentionpolicy
    WHERE data_class = 'content' AND (tenant_id = record.tenant_id OR tenant_id IS NULL)
) AS floor
CROSS JOIN LATERAL (
    SELECT coalesce(min(later.created_at), 'infinity') AS at FROM compliance_consentrecord AS later
    WHERE later.subject_id = record.subject_id AND later.purpose = record.purpose AND later.id > record.id
      AND later.state IN ('given', 'reaffirmed')
) AS again
WHERE record.state = ANY (%(states)s)
  AND (record.created_at >= %(since)s - make_interval(days => CASE WHEN floor.days > 0 THEN floor.days + 1 ELSE 0 END)
       OR floor.changed_at >= %(since)s
       OR EXISTS (
           SELECT FROM compliance_legalhold AS hold
           WHERE hold.tenant_id = record.tenant_id AND hold.state = 'released' AND hold.released_at >= %(since)s)
       OR EXISTS (
           SELECT FROM compliance_auditevent AS event
           WHERE event.target_kind = 'retentionpolicy' AND event.action = 'retentionpolicy.deleted'
             AND event.tenant_id = record.tenant_id AND event.occurred_at >= %(since)s))
  AND EXISTS (
      SELECT FROM transcript AS t
      WHERE t.tenant_id = record.tenant_id AND t.surrogate = subject.surrogate AND t.created_at < again.at
        AND (record.purpose = ANY (t.also_for)
             OR t.purpose = record.purpose AND NOT t.held AND policy.on_withdrawal IS DISTINCT FROM 'keep'
             AND (floor.days = 0 OR (t.created_at AT TIME ZONE 'UTC')::date + floor.days
                                    < (statement_timestamp() AT TIME ZONE 'UTC')::date)))
ORDER BY record.id;
