-- Why the content of each of `people` may not be stored now, '' where it may; and all purposes that they allow. They are as
-- in store_transcripts(): who has a reason already keeps it. What a tenant's policy says is read once for all of its own.
-- Why not is left to content_refusal().
CREATE FUNCTION content_refusals(people jsonb) RETURNS TABLE (number bigint, allowed text[], reason text)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY
    WITH told AS MATERIALIZED (
        SELECT * FROM ROWS FROM (jsonb_to_recordset(people) AS (
            tenant_id bigint, surrogate text, purpose text, redacted boolean, reason text)
        ) WITH ORDINALITY AS told (tenant_id, surrogate, purpose, redacted, reason, number)
    ), tenant AS MATERIALIZED (
        SELECT policy.tenant_id AS id, policy.store, policy.redaction
        FROM (SELECT DISTINCT told.tenant_id AS id FROM told) AS one
        JOIN compliance_contentpolicy AS policy ON policy.tenant_id = one.id
    )
    SELECT told.number, allowed.purposes,
        CASE WHEN told.reason <> '' THEN told.reason
             WHEN tenant.store AND (tenant.redaction = 'none' OR told.redacted) AND subject.state = 'active'
                 AND told.purpose = ANY (allowed.purposes) THEN ''
             ELSE coalesce(nullif(
                 content_refusal(told.tenant_id, told.surrogate, told.purpose, told.redacted), ''), 'no_consent')
        END
    FROM told
    LEFT JOIN tenant ON tenant.id = told.tenant_id
    LEFT JOIN LATERAL (
        SELECT one.id, one.tenant_id, one.state FROM compliance_subject AS one
        WHERE one.surrogate = told.surrogate LIMIT 1
    ) AS subject ON subject.tenant_id = told.tenant_id AND told.reason = ''
    LEFT JOIN LATERAL (
        SELECT array_agg(one.purpose::text) FILTER (WHERE one.tenant_id = subject.tenant_id) AS purposes
        FROM consent_in_force AS one WHERE one.subject_id = subject.id
    ) AS allowed ON true;
END $$;

-- Stores what may be stored of a batch, and puts on record for each of its requests whether that was done. The only place
-- where transcripts are inserted. What many requests have in common is told once: `people` are whose they are, why and
-- under which key they are stored, or with `reason` why not; `kinds` what they were. The arrays have an element for each
-- request: which of `people` and of `kinds` it belongs to, counted from 1, and where in `contents` its own sealed bytes
-- begin and how many they are. Returns how often each reason was given; '' for what was stored.
--
-- Planned once per connection, as planning took longer than storing ten requests. What is looked up is looked up row by row
-- and by one thing only, so that a plan from when the tables were small does for large ones: of a table with few rows, an
-- index on tenant or purpose is as good as that on the person.
--
-- Subjects are locked first, in one order for all, by a statement of their own: whoever erases, restricts or withdraws
-- waits for this batch, or is done before the INSERT looks. It waits for a lock for a second at most, as whoever it has
-- locked by then waits with it. A batch that is sent again stores nothing twice, as the decision about a request is made
-- once: the first time that is left to the unique index, which costs less than asking; only where it objects, `again`, what
-- was decided before is left out.
CREATE FUNCTION store_transcripts(
    people jsonb, kinds jsonb, request_ids uuid[], times timestamptz[], of_person integer[], of_kind integer[],
    places integer[], lengths integer[], sizes integer[], contents bytea, again boolean DEFAULT false
) RETURNS TABLE (reason text, requests bigint)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET lock_timeout = '1s' AS $$
BEGIN
    PERFORM FROM compliance_subject AS subject
    WHERE subject.id = ANY (ARRAY(
        SELECT one.id FROM jsonb_array_elements(people) AS item
        CROSS JOIN LATERAL (
            SELECT known.id FROM compliance_subject AS known WHERE known.surrogate = item ->> 'surrogate' LIMIT 1
        ) AS one
        WHERE item ->> 'reason' = ''))
    ORDER BY subject.id FOR SHARE;

    -- What holds for a person is asked once for all that they said, and what holds for a tenant once for all of its own.
    RETURN QUERY
    WITH told AS MATERIALIZED (
        SELECT * FROM ROWS FROM (jsonb_to_recordset(people) AS (
            tenant_id bigint, surrogate text, purpose text, redacted boolean, gpc boolean, key_id uuid, reason text)
        ) WITH ORDINALITY AS told (tenant_id, surrogate, purpose, redacted, gpc, key_id, reason, number)
    ), tenant AS MATERIALIZED (
        SELECT one.id, content_expires_on(one.id, 'epoch') - date 'epoch' AS kept_days,
            EXISTS (SELECT FROM compliance_legalhold AS hold
                    WHERE hold.tenant_id = one.id AND hold.state IN ('active', 'release_requested')) AS has_holds
        FROM (SELECT DISTINCT told.tenant_id AS id FROM told WHERE told.reason = '') AS one
    ), asked AS MATERIALIZED (
        SELECT told.*, tenant.kept_days, tenant.has_holds, decision.allowed, decision.reason AS refusal
        FROM told
        JOIN content_refusals(people) AS decision USING (number)
        LEFT JOIN tenant ON tenant.id = told.tenant_id
    ), person AS MATERIALIZED (
        -- What else the person allows. A browser's Sec-GPC takes out what it opts out of.
        SELECT asked.*, CASE WHEN asked.refusal = '' THEN ARRAY(
            SELECT other FROM unnest(asked.allowed) AS other
            WHERE other <> asked.purpose
                AND NOT (asked.gpc AND EXISTS (
                    SELECT FROM compliance_purpose AS purpose
                    WHERE purpose.slug = other AND purpose.honours_gpc
                        AND (purpose.tenant_id = asked.tenant_id OR purpose.tenant_id IS NULL)))
            ORDER BY other) END AS also_for
        FROM asked
    ), kind AS MATERIALIZED (
        SELECT * FROM ROWS FROM (jsonb_to_recordset(kinds) AS (
            application_id bigint, api_key_id bigint, environment text, model text, outcome text, streamed boolean)
        ) WITH ORDINALITY AS kind (application_id, api_key_id, environment, model, outcome, streamed, number)
    ), item AS MATERIALIZED (
        SELECT item.* FROM unnest(request_ids, times, of_person, of_kind, places, lengths, sizes)
            AS item (request_id, at, person, kind, place, length, plain_bytes)
        LEFT JOIN LATERAL (
            SELECT true AS decided FROM content_decision AS one
            WHERE again AND one.request_id = item.request_id AND one.at = item.at LIMIT 1
        ) AS before ON true
        WHERE before.decided IS NULL
    ), decided AS (
        INSERT INTO content_decision (request_id, tenant_id, surrogate, at, stored, reason)
        SELECT item.request_id, person.tenant_id, person.surrogate, item.at, person.refusal = '', person.refusal
        FROM item JOIN person ON person.number = item.person
        RETURNING content_decision.reason
    ), inserted AS (
        INSERT INTO transcript (id, tenant_id, surrogate, application_id, api_key_id, environment, model, outcome,
            streamed, created_at, expires_on, held, purpose, also_for, key_id, sealed, plain_bytes)
        SELECT item.request_id, person.tenant_id, person.surrogate, kind.application_id, kind.api_key_id,
            kind.environment, kind.model, kind.outcome, kind.streamed, item.at, (item.at AT TIME ZONE 'UTC')::date + person.kept_days,
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
        people, kinds, request_ids, times, of_person, of_kind, places, lengths, sizes, contents, true);
END $$;
