-- What stores is as in store_in_parts.sql by now; content_refusal() is the one of here.

-- Why a person's content may not be stored now; '' when it may. Beside the tenant's policy: consent_allows()
-- (consent_in_force.sql) decides, this only finds a word for what it has decided.
CREATE FUNCTION content_refusal(of_tenant bigint, of_surrogate text, for_purpose text, redacted boolean) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    policy  compliance_contentpolicy;
    subject compliance_subject;
    consent compliance_consentrecord;
BEGIN
    SELECT * INTO policy FROM compliance_contentpolicy WHERE tenant_id = of_tenant;
    IF policy.store IS NOT TRUE THEN RETURN 'not_wanted'; END IF;
    IF policy.redaction <> 'none' AND NOT redacted THEN RETURN 'redaction_unavailable'; END IF;
    SELECT * INTO subject FROM compliance_subject WHERE surrogate = of_surrogate AND tenant_id = of_tenant;
    IF NOT FOUND THEN RETURN 'no_subject'; END IF;
    IF subject.state = 'erased' THEN RETURN 'subject_erased'; END IF;
    IF subject.state <> 'active' THEN RETURN 'restricted'; END IF;
    IF consent_allows(of_tenant, subject.id, for_purpose) THEN RETURN ''; END IF;
    SELECT * INTO consent FROM compliance_consentrecord
    WHERE subject_id = subject.id AND purpose = for_purpose AND live;
    RETURN CASE
        WHEN consent.state IN ('refused', 'withdrawn', 'expired') THEN consent.state
        WHEN consent.expires_at <= statement_timestamp() THEN 'expired'
        WHEN consent.state IN ('given', 'reaffirmed') THEN 'notice_changed'
        ELSE 'no_consent' END;
END $$;

-- What else the person allows than what the content is stored for. A browser's Sec-GPC takes out what it opts out of.
CREATE FUNCTION content_also_for(of_tenant bigint, of_subject bigint, for_purpose text, gpc boolean) RETURNS text[]
LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(consent.purpose ORDER BY consent.purpose), '{}')
    FROM compliance_consentrecord AS consent
    WHERE consent.subject_id = of_subject AND consent.live AND consent.purpose <> for_purpose
      AND consent.state IN ('given', 'reaffirmed')
      AND NOT (gpc AND EXISTS (
          SELECT FROM compliance_purpose AS purpose
          WHERE purpose.slug = consent.purpose AND purpose.honours_gpc
            AND (purpose.tenant_id = of_tenant OR purpose.tenant_id IS NULL)))
      AND consent_allows(of_tenant, of_subject, consent.purpose)
$$;

-- Stores what may be stored of a batch, and puts on record for each of its requests whether that was done. The only place
-- where transcripts are inserted. Each item of `batch` says where in `contents` its own sealed bytes begin and how many
-- they are, or with `reason` why there are none. Returns how often each reason was given; '' for what was stored.
--
-- Subjects are locked first, in one order for all, by a statement of their own: whoever erases, restricts or withdraws
-- waits for this batch, or is done before the INSERT looks. A batch that is sent again stores nothing twice, as the
-- decision about a request is made once.
CREATE FUNCTION store_transcripts(batch jsonb, contents bytea) RETURNS TABLE (reason text, requests bigint)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM compliance_subject AS subject
    WHERE subject.surrogate IN (SELECT item ->> 'surrogate' FROM jsonb_array_elements(batch) AS item
                                WHERE item ->> 'reason' = '')
    ORDER BY subject.id FOR SHARE;

    -- What holds for a person is asked once for all that they said, and what holds for a day once for all of that day.
    RETURN QUERY
    WITH item AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(batch) AS sent (
            request_id uuid, tenant_id bigint, surrogate text, at timestamptz, reason text, application_id bigint,
            api_key_id bigint, environment text, model text, outcome text, streamed boolean, purpose text, gpc boolean,
            redacted boolean, key_id uuid, place integer, length integer, plain_bytes integer)
    ), person AS MATERIALIZED (
        SELECT sent.*, subject.id AS subject_id,
            CASE WHEN policy.store AND (policy.redaction = 'none' OR sent.redacted) AND subject.state = 'active'
                     AND consent_allows(sent.tenant_id, subject.id, sent.purpose) THEN ''
                 ELSE coalesce(nullif(
                     content_refusal(sent.tenant_id, sent.surrogate, sent.purpose, sent.redacted), ''), 'no_consent')
            END AS refusal
        FROM (SELECT DISTINCT item.tenant_id, item.surrogate, item.purpose, item.redacted, item.gpc
              FROM item WHERE item.reason = '') AS sent
        LEFT JOIN compliance_subject AS subject
            ON subject.surrogate = sent.surrogate AND subject.tenant_id = sent.tenant_id
        LEFT JOIN compliance_contentpolicy AS policy ON policy.tenant_id = sent.tenant_id
    ), allowed AS MATERIALIZED (
        SELECT person.*, content_also_for(person.tenant_id, person.subject_id, person.purpose, person.gpc) AS also_for
        FROM person WHERE person.refusal = ''
    ), due AS MATERIALIZED (
        SELECT day.*, content_expires_on(day.tenant_id, day.began) AS expires_on
        FROM (SELECT DISTINCT item.tenant_id, date_trunc('day', item.at, 'UTC') AS began
              FROM item WHERE item.reason = '') AS day
    ), decided AS (
        INSERT INTO content_decision (request_id, tenant_id, surrogate, at, stored, reason)
        SELECT item.request_id, item.tenant_id, item.surrogate, item.at, person.refusal IS NOT DISTINCT FROM '',
            coalesce(person.refusal, item.reason)
        FROM item LEFT JOIN person
            ON item.reason = '' AND (person.tenant_id, person.surrogate, person.purpose, person.redacted, person.gpc)
                                  = (item.tenant_id, item.surrogate, item.purpose, item.redacted, item.gpc)
        ON CONFLICT DO NOTHING
        RETURNING content_decision.request_id, content_decision.stored, content_decision.reason
    ), inserted AS (
        INSERT INTO transcript (id, tenant_id, surrogate, application_id, api_key_id, environment, model, outcome,
            streamed, created_at, expires_on, held, purpose, also_for, key_id, sealed, plain_bytes)
        SELECT item.request_id, item.tenant_id, item.surrogate, item.application_id, item.api_key_id, item.environment,
            item.model, item.outcome, item.streamed, item.at, due.expires_on,
            is_held(item.tenant_id, item.surrogate, item.api_key_id, item.model, item.application_id, item.environment,
                    item.at, item.outcome),
            item.purpose, allowed.also_for, item.key_id,
            substring(contents FROM item.place + 1 FOR item.length), item.plain_bytes
        FROM item
        JOIN decided ON decided.request_id = item.request_id AND decided.stored
        JOIN allowed ON (allowed.tenant_id, allowed.surrogate, allowed.purpose, allowed.redacted, allowed.gpc)
                      = (item.tenant_id, item.surrogate, item.purpose, item.redacted, item.gpc)
        JOIN due ON due.tenant_id = item.tenant_id AND due.began = date_trunc('day', item.at, 'UTC')
    )
    SELECT decided.reason, count(*) FROM decided GROUP BY decided.reason;
END $$;
