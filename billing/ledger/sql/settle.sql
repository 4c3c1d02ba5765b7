-- Superseded by settlement.sql; kept for the migration that made it.
-- Ends holds that the caller has deleted, in the caller's transaction: held becomes used, token rates are corrected
-- to what was really taken, leases end, and the usage records go to the outbox. All arrays are parallel.
CREATE FUNCTION settle_claimed(claimed hold[], costs_nano bigint[], tokens_taken bigint[], records jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    at_ns bigint;
BEGIN
    PERFORM FROM meter WHERE id IN (SELECT unnest(h.meter_ids) FROM unnest(claimed) AS h) ORDER BY id FOR UPDATE;
    at_ns := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000;

    WITH change AS (
        SELECT cell.meter_id,
            -- A hold of a period that is over: its meter has let go of it already.
            sum(CASE cell.kind WHEN 1 THEN h.cost_nano * current.here WHEN 4 THEN 1 ELSE 0 END) AS released,
            sum(CASE cell.kind WHEN 1 THEN s.cost * current.here ELSE 0 END) AS spent,
            -- At most ten minutes' worth: whatever an upstream reports, it must not lock a tenant out for good.
            sum(CASE cell.kind WHEN 3 THEN least(
                greatest(s.tokens - h.tokens, 0)::numeric * cell.mark, 600000000000
            )::bigint ELSE 0 END) AS surcharge_ns,
            -- What of a hold has drained with time was used up by waiting; only the rest can be given back.
            sum(CASE cell.kind WHEN 3 THEN least(
                greatest(h.tokens - s.tokens, 0) * cell.mark,
                greatest(h.tokens * cell.mark - (at_ns - (extract(epoch FROM h.admitted_at) * 1000000)::bigint * 1000), 0)
            ) ELSE 0 END) AS refund_ns
        FROM unnest(claimed) WITH ORDINALITY AS h
        JOIN unnest(costs_nano, tokens_taken) WITH ORDINALITY AS s (cost, tokens, ordinality) USING (ordinality)
        CROSS JOIN LATERAL unnest(h.meter_ids, h.kinds, h.marks) AS cell (meter_id, kind, mark)
        JOIN meter ON meter.id = cell.meter_id
        CROSS JOIN LATERAL (
            SELECT (cell.kind <> 1 OR cell.mark = (extract(epoch FROM meter.period_start) * 1000000)::bigint)::int
        ) AS current (here)
        GROUP BY cell.meter_id
    )
    UPDATE meter SET held = held - released, used = used + spent,
        tat_ns = CASE WHEN surcharge_ns > 0 THEN greatest(tat_ns, at_ns) ELSE tat_ns END + surcharge_ns - refund_ns
    FROM change WHERE meter.id = change.meter_id AND (released, spent, surcharge_ns, refund_ns) <> (0, 0, 0, 0);

    INSERT INTO usage_outbox (record)
    SELECT record.value || jsonb_build_object(
        'request_id', h.request_id, 'tenant_id', h.tenant_id, 'at', h.admitted_at, 'cost_nano', s.cost)
    FROM unnest(claimed) WITH ORDINALITY AS h
    JOIN unnest(costs_nano) WITH ORDINALITY AS s (cost, ordinality) USING (ordinality)
    JOIN jsonb_array_elements(records) WITH ORDINALITY AS record (value, ordinality) USING (ordinality);
END $$;

-- Settles requests at what they really cost. A hold is settled once: of a repeated call nothing counts twice.
-- Returns the ids that this call settled; the others had been settled, or swept, before.
CREATE FUNCTION settle(s_ids uuid[], s_costs_nano bigint[], s_tokens bigint[], s_records jsonb)
RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
    claimed hold[];
    costs   bigint[];
    tokens  bigint[];
    records jsonb;
BEGIN
    PERFORM FROM hold WHERE request_id = ANY (s_ids) ORDER BY request_id FOR UPDATE;
    WITH gone AS (DELETE FROM hold WHERE request_id = ANY (s_ids) RETURNING hold)
    SELECT array_agg(gone.hold ORDER BY s.ord), array_agg(s.cost ORDER BY s.ord), array_agg(s.tokens ORDER BY s.ord),
        jsonb_agg(s_records -> (s.ord - 1)::int ORDER BY s.ord)
    INTO claimed, costs, tokens, records
    FROM gone JOIN unnest(s_ids, s_costs_nano, s_tokens) WITH ORDINALITY AS s (id, cost, tokens, ord)
        ON s.id = (gone.hold).request_id;
    IF claimed IS NULL THEN
        RETURN '{}';
    END IF;
    PERFORM settle_claimed(claimed, costs, tokens, records);
    RETURN (SELECT array_agg(h.request_id) FROM unnest(claimed) AS h);
END $$;

-- Charges holds whose process never came back, at what was held: nothing that was sent goes uncounted.
-- At most `most` at a time; returns how many. Two sweeps at once share the work.
CREATE FUNCTION sweep(most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    claimed hold[];
    costs   bigint[];
    tokens  bigint[];
    records jsonb;
BEGIN
    WITH expired AS (
        SELECT request_id FROM hold WHERE expires_at < clock_timestamp()
        ORDER BY expires_at LIMIT most FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM hold USING expired WHERE hold.request_id = expired.request_id RETURNING hold, hold.request_id AS id
    )
    SELECT array_agg(gone.hold ORDER BY id), array_agg((gone.hold).cost_nano ORDER BY id),
        array_agg((gone.hold).tokens ORDER BY id),
        jsonb_agg((gone.hold).context || '{"outcome": "swept", "estimated": true}' ORDER BY id)
    INTO claimed, costs, tokens, records FROM gone;
    IF claimed IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM settle_claimed(claimed, costs, tokens, records);
    RETURN cardinality(claimed);
END $$;

-- Usage records of requests that no hold was made for: refusals, counted per key, reason and second.
CREATE FUNCTION note(records jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO usage_outbox (record) SELECT value FROM jsonb_array_elements(records);
$$;
