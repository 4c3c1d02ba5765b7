-- What stores batches is as in store_in_parts.sql by now; that of whoever has few requests is the one of here.

-- Hands `value` back; of each 32 rows, numbered from 1, that of the last one after a rest.
CREATE FUNCTION rested(value anyelement, number bigint, rest_ms integer) RETURNS anyelement
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF number % 32 = 0 AND rest_ms > 0 THEN PERFORM pg_sleep(rest_ms / 1000.0); END IF;
    RETURN value;
END $$;

-- Stores what may be stored of a batch, and puts on record for each of its requests whether that was done. The only place
-- where transcripts are inserted. What many requests have in common is told once: `people` are whose they are, why and
-- under which key they are stored, or with `reason` why not; `kinds` what they were. The arrays have an element for each
-- request: which of `people` and of `kinds` it belongs to, counted from 1, and where in `contents` its own sealed bytes
-- begin and how many they are. Returns how often each reason was given; '' for what was stored.
--
-- Whoever is in no hurry has it rest for `rest_ms` after each 32 rows: where processors are few, what is served meanwhile
-- waits for 32 rows and not for a thousand. `rested` stands where a row is made and counts those that are: conditions may all
-- be looked at before the first row is made, and a join may bring them in another order than they were told in.
--
-- Planned once per connection, as planning took longer than storing ten requests.
--
-- Subjects are locked first, in one order for all, by a statement of their own: whoever erases, restricts or withdraws
-- waits for this batch, or is done before the INSERT looks. A batch that is sent again stores nothing twice, as the
-- decision about a request is made once: the first time that is left to the unique index, which costs less than asking;
-- only where it objects, `again`, what was decided before is left out.
CREATE FUNCTION store_transcripts(
    people jsonb, kinds jsonb, request_ids uuid[], times timestamptz[], of_person integer[], of_kind integer[],
    places integer[], lengths integer[], sizes integer[], contents bytea, rest_ms integer DEFAULT 0,
    again boolean DEFAULT false
) RETURNS TABLE (reason text, requests bigint)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    PERFORM FROM compliance_subject AS subject
    WHERE subject.surrogate = ANY (ARRAY(SELECT item ->> 'surrogate' FROM jsonb_array_elements(people) AS item
                                         WHERE item ->> 'reason' = ''))
    ORDER BY subject.id FOR SHARE;
    IF rest_ms > 0 THEN PERFORM pg_sleep(rest_ms / 1000.0); END IF;

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
        SELECT told.*, rested(tenant.kept_days, told.number, rest_ms) AS kept_days, tenant.has_holds,
            subject.id AS subject_id,
            CASE WHEN told.reason <> '' THEN told.reason
                 WHEN tenant.store AND (tenant.redaction = 'none' OR told.redacted) AND subject.state = 'active'
                     AND consent_allows(told.tenant_id, subject.id, told.purpose) THEN ''
                 ELSE coalesce(nullif(
                     content_refusal(told.tenant_id, told.surrogate, told.purpose, told.redacted), ''), 'no_consent')
            END AS refusal
        FROM told
        LEFT JOIN tenant ON tenant.id = told.tenant_id AND told.reason = ''
        LEFT JOIN LATERAL (
            SELECT one.id, one.tenant_id, one.state FROM compliance_subject AS one
            WHERE one.surrogate = told.surrogate LIMIT 1
        ) AS subject ON subject.tenant_id = told.tenant_id AND told.reason = ''
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
        SELECT rested(item.request_id, row_number() OVER (), rest_ms), person.tenant_id, person.surrogate, item.at,
            person.refusal = '', person.refusal
        FROM item JOIN person ON person.number = item.person
        RETURNING content_decision.reason
    ), inserted AS (
        INSERT INTO transcript (id, tenant_id, surrogate, application_id, api_key_id, environment, model, outcome,
            streamed, created_at, expires_on, held, purpose, also_for, key_id, sealed, plain_bytes)
        SELECT rested(item.request_id, row_number() OVER (), rest_ms), person.tenant_id, person.surrogate,
            kind.application_id, kind.api_key_id, kind.environment, kind.model, kind.outcome,
            kind.streamed, item.at, (item.at AT TIME ZONE 'UTC')::date + person.kept_days,
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
        people, kinds, request_ids, times, of_person, of_kind, places, lengths, sizes, contents, rest_ms, true);
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
