-- Ends holds that the caller has deleted, in the caller's transaction: held becomes used, token rates are charged with
-- what was really taken, leases end, and the usage records go to the outbox. All arrays are parallel.
CREATE FUNCTION settle_claimed(
    claimed hold[], costs_nano bigint[], inputs bigint[], outputs bigint[], records jsonb
) RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    at_ns bigint;
BEGIN
    PERFORM FROM meter WHERE id IN (SELECT unnest(h.meter_ids) FROM unnest(claimed) AS h) ORDER BY id FOR UPDATE;
    at_ns := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000;

    WITH change AS (
        SELECT cell.meter_id,
            -- A hold of a period that is over: its meter has let go of it already.
            sum(CASE WHEN cell.kind = 1 THEN h.cost_nano * current.here WHEN cell.kind = 4 THEN 1
                WHEN cell.kind IN (3, 5, 6) AND cell.window_ns IS NOT NULL THEN tokens.held ELSE 0 END) AS released,
            sum(CASE cell.kind WHEN 1 THEN s.cost * current.here ELSE 0 END) AS spent,
            -- At most a whole window's worth: whatever an upstream reports, it must not lock a tenant out for good.
            sum(CASE WHEN cell.kind IN (3, 5, 6) AND cell.window_ns IS NOT NULL
                THEN least(tokens.taken::numeric * cell.mark, cell.window_ns)::bigint ELSE 0 END) AS taken_ns
        FROM unnest(claimed) WITH ORDINALITY AS h
        JOIN unnest(costs_nano, inputs, outputs) WITH ORDINALITY AS s (cost, input, output, ordinality) USING (ordinality)
        CROSS JOIN LATERAL unnest(h.meter_ids, h.kinds, h.marks, h.windows_ns) AS cell (meter_id, kind, mark, window_ns)
        JOIN meter ON meter.id = cell.meter_id
        CROSS JOIN LATERAL (
            SELECT (cell.kind <> 1 OR cell.mark = (extract(epoch FROM meter.period_start) * 1000000)::bigint)::int
        ) AS current (here)
        CROSS JOIN LATERAL (
            SELECT CASE cell.kind WHEN 3 THEN h.tokens WHEN 5 THEN h.tokens - h.output_tokens ELSE h.output_tokens END,
                CASE cell.kind WHEN 3 THEN s.input + s.output WHEN 5 THEN s.input ELSE s.output END
        ) AS tokens (held, taken)
        GROUP BY cell.meter_id
    )
    UPDATE meter SET held = held - released, used = used + spent,
        tat_ns = CASE WHEN taken_ns > 0 THEN greatest(tat_ns, at_ns) + taken_ns ELSE tat_ns END
    FROM change WHERE meter.id = change.meter_id AND (released, spent, taken_ns) <> (0, 0, 0);

    INSERT INTO usage_outbox (record)
    SELECT record.value || jsonb_build_object(
        'request_id', h.request_id, 'tenant_id', h.tenant_id, 'at', h.admitted_at, 'cost_nano', s.cost,
        'charged', coalesce((
            SELECT jsonb_agg(cell.meter_id)
            FROM unnest(h.meter_ids, h.kinds) AS cell (meter_id, kind) WHERE cell.kind = 1
        ), '[]'))
    FROM unnest(claimed) WITH ORDINALITY AS h
    JOIN unnest(costs_nano) WITH ORDINALITY AS s (cost, ordinality) USING (ordinality)
    JOIN jsonb_array_elements(records) WITH ORDINALITY AS record (value, ordinality) USING (ordinality)
    WHERE record.value <> 'null'; -- what was given back unused, and is on record as refused
END $$;

-- Settles requests at what they really cost. A hold is settled once: of a repeated call nothing counts twice, nor of a
-- request that comes twice in one call.
-- Returns the ids that this call settled; the others had been settled, or swept, before.
CREATE FUNCTION settle(s_ids uuid[], s_costs_nano bigint[], s_input bigint[], s_output bigint[], s_records jsonb)
RETURNS uuid[] LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    claimed hold[];
    costs   bigint[];
    inputs  bigint[];
    outputs bigint[];
    records jsonb;
BEGIN
    PERFORM FROM hold WHERE request_id = ANY (s_ids) ORDER BY request_id FOR UPDATE;
    WITH gone AS (DELETE FROM hold WHERE request_id = ANY (s_ids) RETURNING hold)
    SELECT array_agg(gone.hold ORDER BY s.ord), array_agg(s.cost ORDER BY s.ord), array_agg(s.input ORDER BY s.ord),
        array_agg(s.output ORDER BY s.ord), jsonb_agg(record.value ORDER BY s.ord)
    INTO claimed, costs, inputs, outputs, records
    FROM gone
    JOIN (
        SELECT DISTINCT ON (id) *
        FROM unnest(s_ids, s_costs_nano, s_input, s_output) WITH ORDINALITY AS each (id, cost, input, output, ord)
        ORDER BY id, ord
    ) AS s ON s.id = (gone.hold).request_id
    JOIN jsonb_array_elements(s_records) WITH ORDINALITY AS record (value, ord) ON record.ord = s.ord;
    IF claimed IS NULL THEN
        RETURN '{}';
    END IF;
    PERFORM settle_claimed(claimed, costs, inputs, outputs, records);
    RETURN (SELECT array_agg(h.request_id) FROM unnest(claimed) AS h);
END $$;

-- Charges holds whose process never came back, at what was held: nothing that was sent goes uncounted.
-- At most `most` at a time; returns how many. Two sweeps at once share the work.
CREATE FUNCTION sweep(most integer) RETURNS integer LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    claimed hold[];
    costs   bigint[];
    inputs  bigint[];
    outputs bigint[];
    records jsonb;
BEGIN
    WITH expired AS (
        SELECT request_id FROM hold WHERE expires_at < clock_timestamp()
        ORDER BY expires_at LIMIT most FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM hold USING expired WHERE hold.request_id = expired.request_id RETURNING hold, hold.request_id AS id
    )
    SELECT array_agg(gone.hold ORDER BY id), array_agg((gone.hold).cost_nano ORDER BY id),
        array_agg((gone.hold).tokens - (gone.hold).output_tokens ORDER BY id),
        array_agg((gone.hold).output_tokens ORDER BY id),
        jsonb_agg((gone.hold).context || '{"outcome": "swept", "estimated": true}' ORDER BY id)
    INTO claimed, costs, inputs, outputs, records FROM gone;
    IF claimed IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM settle_claimed(claimed, costs, inputs, outputs, records);
    RETURN cardinality(claimed);
END $$;

-- Usage records of requests that no hold was made for: refusals, counted per key, reason and second.
CREATE FUNCTION note(records jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO usage_outbox (record) SELECT value FROM jsonb_array_elements(records);
$$;
