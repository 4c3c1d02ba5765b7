-- Superseded by store_in_parts.sql; kept for the migration that made it, and for the one that takes content_also_for() away.

-- What else the person allows than what the content is stored for, as before (store_transcripts.sql). In PL/pgSQL, because
-- that keeps its plan from one person to the next: it takes a fifth of the time.
CREATE OR REPLACE FUNCTION content_also_for(of_tenant bigint, of_subject bigint, for_purpose text, gpc boolean)
RETURNS text[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT coalesce(array_agg(consent.purpose ORDER BY consent.purpose), '{}')
        FROM compliance_consentrecord AS consent
        WHERE consent.subject_id = of_subject AND consent.live AND consent.purpose <> for_purpose
          AND consent.state IN ('given', 'reaffirmed')
          AND NOT (gpc AND EXISTS (
              SELECT FROM compliance_purpose AS purpose
              WHERE purpose.slug = consent.purpose AND purpose.honours_gpc
                AND (purpose.tenant_id = of_tenant OR purpose.tenant_id IS NULL)))
          AND consent_allows(of_tenant, of_subject, consent.purpose));
END $$;

-- Stores what may be stored of a batch, and puts on record for each of its requests whether that was done. The only place
-- where transcripts are inserted. What many requests have in common is told once: `people` are whose they are, why and
-- under which key they are stored, or with `reason` why not; `kinds` what they were. The arrays have an element for each
-- request: which of `people` and of `kinds` it belongs to, counted from 1, and where in `contents` its own sealed bytes
-- begin and how many they are. Returns how often each reason was given; '' for what was stored.
--
-- Subjects are locked first, in one order for all, by a statement of their own: whoever erases, restricts or withdraws
-- waits for this batch, or is done before the INSERT looks. A batch that is sent again stores nothing twice, as the
-- decision about a request is made once: the first time that is left to the unique index, which costs less than asking;
-- only where it objects, `again`, what was decided before is left out.
CREATE FUNCTION store_transcripts(
    people jsonb, kinds jsonb, request_ids uuid[], times timestamptz[], of_person integer[], of_kind integer[],
    places integer[], lengths integer[], sizes integer[], contents bytea, again boolean DEFAULT false
) RETURNS TABLE (reason text, requests bigint)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM compliance_subject AS subject
    WHERE subject.surrogate IN (SELECT item ->> 'surrogate' FROM jsonb_array_elements(people) AS item
                                WHERE item ->> 'reason' = '')
    ORDER BY subject.id FOR SHARE;

    -- What holds for a person is asked once for all that they said, and what holds for a tenant once for all of its own.
    RETURN QUERY
    WITH told AS MATERIALIZED (
        SELECT * FROM ROWS FROM (jsonb_to_recordset(people) AS (
            tenant_id bigint, surrogate text, purpose text, redacted boolean, gpc boolean, key_id uuid, reason text)
        ) WITH ORDINALITY AS told (tenant_id, surrogate, purpose, redacted, gpc, key_id, reason, number)
    ), tenant AS MATERIALIZED (
        SELECT one.id, policy.store, policy.redaction,
            content_expires_on(one.id, 'epoch') - date 'epoch' AS kept_days,
            EXISTS (SELECT FROM compliance_legalhold AS hold
                    WHERE hold.tenant_id = one.id AND hold.state IN ('active', 'release_requested')) AS has_holds
        FROM (SELECT DISTINCT told.tenant_id AS id FROM told WHERE told.reason = '') AS one
        LEFT JOIN compliance_contentpolicy AS policy ON policy.tenant_id = one.id
    ), asked AS MATERIALIZED (
        SELECT told.*, tenant.kept_days, tenant.has_holds, subject.id AS subject_id,
            CASE WHEN told.reason <> '' THEN told.reason
                 WHEN tenant.store AND (tenant.redaction = 'none' OR told.redacted) AND subject.state = 'active'
                     AND consent_allows(told.tenant_id, subject.id, told.purpose) THEN ''
                 ELSE coalesce(nullif(
                     content_refusal(told.tenant_id, told.surrogate, told.purpose, told.redacted), ''), 'no_consent')
            END AS refusal
        FROM told
        LEFT JOIN tenant ON tenant.id = told.tenant_id AND told.reason = ''
        LEFT JOIN compliance_subject AS subject
            ON subject.surrogate = told.surrogate AND subject.tenant_id = told.tenant_id AND told.reason = ''
    ), person AS MATERIALIZED (
        SELECT asked.*, CASE WHEN asked.refusal = ''
            THEN content_also_for(asked.tenant_id, asked.subject_id, asked.purpose, asked.gpc) END AS also_for
        FROM asked
    ), kind AS MATERIALIZED (
        SELECT * FROM ROWS FROM (jsonb_to_recordset(kinds) AS (
            application_id bigint, api_key_id bigint, environment text, model text, outcome text, streamed boolean)
        ) WITH ORDINALITY AS kind (application_id, api_key_id, environment, model, outcome, streamed, number)
    ), item AS MATERIALIZED (
        SELECT * FROM unnest(request_ids, times, of_person, of_kind, places, lengths, sizes)
            AS item (request_id, at, person, kind, place, length, plain_bytes)
        WHERE NOT (again AND EXISTS (
            SELECT FROM content_decision AS before WHERE before.request_id = item.request_id AND before.at = item.at))
    ), decided AS (
        INSERT INTO content_decision (request_id, tenant_id, surrogate, at, stored, reason)
        SELECT item.request_id, person.tenant_id, person.surrogate, item.at, person.refusal = '', person.refusal
        FROM item JOIN person ON person.number = item.person
        RETURNING content_decision.reason
    ), inserted AS (
        INSERT INTO transcript (id, tenant_id, surrogate, application_id, api_key_id, environment, model, outcome,
            streamed, created_at, expires_on, held, purpose, also_for, key_id, sealed, plain_bytes)
        SELECT item.request_id, person.tenant_id, person.surrogate, kind.application_id, kind.api_key_id,
            kind.environment, kind.model, kind.outcome, kind.streamed, item.at,
            (item.at AT TIME ZONE 'UTC')::date + person.kept_days,
            CASE WHEN person.has_holds
                 THEN is_held(person.tenant_id, person.surrogate, kind.api_key_id, kind.model, kind.application_id,
                              kind.environment, item.at, kind.outcome)
                 ELSE false END,
            person.purpose, person.also_for, person.key_id, substring(contents FROM item.place + 1 FOR item.length),
            item.plain_bytes
        FROM item
        JOIN person ON person.number = item.person AND person.refusal = ''
        JOIN kind ON kind.number = item.kind
    )
    SELECT decided.reason, count(*) FROM decided GROUP BY decided.reason;
EXCEPTION WHEN unique_violation THEN
    IF again THEN RAISE; END IF;
    RETURN QUERY SELECT * FROM store_transcripts(
        people, kinds, request_ids, times, of_person, of_kind, places, lengths, sizes, contents, again => true);
END $$;

-- The same of a batch in which each request says everything by itself; for whoever has few of them.
CREATE OR REPLACE FUNCTION store_transcripts(batch jsonb, contents bytea) RETURNS TABLE (reason text, requests bigint)
LANGUAGE sql AS $$
    SELECT stored.reason, stored.requests
    FROM (
        SELECT array_agg(item.request_id ORDER BY item.number) AS request_ids,
            array_agg(item.at ORDER BY item.number) AS times,
            array_agg(item.number::integer ORDER BY item.number) AS numbers,
            array_agg(item.place ORDER BY item.number) AS places,
            array_agg(item.length ORDER BY item.number) AS lengths,
            array_agg(item.plain_bytes ORDER BY item.number) AS sizes
        FROM ROWS FROM (jsonb_to_recordset(batch) AS (
            request_id uuid, at timestamptz, place integer, length integer, plain_bytes integer)
        ) WITH ORDINALITY AS item (request_id, at, place, length, plain_bytes, number)
    ) AS sent
    CROSS JOIN LATERAL store_transcripts(
        batch, batch, sent.request_ids, sent.times, sent.numbers, sent.numbers, sent.places, sent.lengths, sent.sizes,
        contents) AS stored
$$;
