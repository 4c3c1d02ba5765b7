-- Admits a batch of requests, in its order: each takes from all of its meters, or from none.
--
-- Meters come once each (m_*). Sets of meters come once each too: s_meters says which meters are in s_sets (1-based,
-- ascending); a negative number stands for a meter that counts a request and does not refuse it. Each request names its
-- set, and each set has a request.
-- Kinds: 1 budget (nano-dollars, m_limits per period), 2 requests, 3 tokens, 5 input tokens and 6 output tokens (GCRA:
-- m_limits per m_windows_ns), 4 concurrency (m_limits at once). Requests are taken at once; tokens are held until it is
-- known how many they were, and taken then. m_most: how many separate meters, those with a '#' in
-- their name, the tenant may have; one whose name ends with the '#' is for all beyond that, and is always made.
--
-- Answers one row of arrays. verdicts: 0 admitted; m: refused by meter m, the one with the longest wait; -m: meter m is
-- not there, because it would be one too many. waits_ms: after how long the request would be admitted if nothing else
-- came; -1: never. remaining, resets_ms: per meter, after the batch; what is left of it (of a budget also less than
-- nothing), and when it will be as if unused.
--
-- GCRA: ITU-T I.371, Annex A: a burst of m_limit, refilled evenly over the window; its state is one number.
-- Planned once per connection: planning anew would cost more than running. So that it is planned for tables that are
-- full, also while they are empty, sequential scans are out of the question, here and in the other functions.
--
-- All locks on meters, here, in extend and in settle_claimed, are taken in the order of their ids, after those on holds.
CREATE FUNCTION admit(
    m_tenants bigint[], m_names text[], m_kinds smallint[], m_limits bigint[], m_windows_ns bigint[],
    m_periods text[], m_zones text[], m_most integer[],
    s_sets integer[], s_meters integer[],
    r_ids uuid[], r_sets integer[], r_tenants bigint[], r_costs_nano bigint[], r_input bigint[], r_output bigint[],
    r_leases_s integer[], r_contexts jsonb,
    OUT verdicts integer[], OUT waits_ms bigint[], OUT remaining bigint[], OUT resets_ms bigint[]
) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    never     CONSTANT timestamptz := '9999-12-31 00:00:00+00'; -- the end of a total
    at        timestamptz;
    at_ns     bigint;
    ids       bigint[];
    now_used  bigint[];
    now_held  bigint[];
    now_tats  bigint[];
    starts    timestamptz[];
    ends      timestamptz[];
    units     bigint[];         -- of a rate: ns per request or token; else 1
    room      bigint[];         -- what is left before the batch, in units
    drains    bigint[];         -- of a rate: what of it is taken and drains with time, in ns
    marks     bigint[];         -- as hold.marks
    taken     bigint[];         -- by the batch: nano-dollars, requests, tokens
    totals    bigint[];         -- what the batch takes if all of it is admitted
    fits      boolean;
    requests  bigint[];         -- per set, as the next three
    costs     bigint[];
    inputs    bigint[];
    outputs   bigint[];
    lasts     integer[];        -- per set: its last place in s_meters
    anew      meter;            -- the meter at hand, in its new period
    m         integer;
    cell      integer;
    amount    bigint;
    missing   bigint;           -- in units, of the meter at hand
    wait      bigint;           -- ms, of the meter at hand; NULL: it does not refuse
    longest   bigint;
    verdict   integer;
BEGIN
    -- Meters appear with their first use. In the order of the unique index, before any lock is held.
    -- How many separate ones there are is counted once per tenant, and only as far as it matters.
    IF EXISTS (
        SELECT FROM unnest(m_tenants, m_names) AS wanted (tenant, name)
        WHERE NOT EXISTS (SELECT FROM meter WHERE meter.tenant_id = tenant AND meter.name = wanted.name)
    ) THEN
        WITH missing AS MATERIALIZED (
            SELECT tenant, name, most, bounded, row_number() OVER (PARTITION BY tenant, bounded ORDER BY name) AS nth
            FROM unnest(m_tenants, m_names, m_most) AS wanted (tenant, name, most)
            CROSS JOIN LATERAL (SELECT strpos(name, '#') NOT IN (0, length(name))) AS separate (bounded)
            WHERE NOT EXISTS (SELECT FROM meter WHERE meter.tenant_id = tenant AND meter.name = wanted.name)
        ), there AS MATERIALIZED (
            SELECT tenant, (
                SELECT count(*) FROM (
                    SELECT FROM meter AS other WHERE other.tenant_id = tenant AND strpos(other.name, '#') > 0 LIMIT max(most)
                ) AS counted
            ) AS separate
            FROM missing WHERE bounded GROUP BY tenant
        )
        INSERT INTO meter (tenant_id, name)
        SELECT tenant, name FROM missing LEFT JOIN there USING (tenant)
        WHERE NOT bounded OR most >= nth + separate
        ORDER BY tenant, name
        ON CONFLICT DO NOTHING;
    END IF;

    WITH locked AS MATERIALIZED (
        SELECT ord, meter.* FROM unnest(m_tenants, m_names) WITH ORDINALITY AS wanted (tenant, name, ord)
        JOIN meter ON meter.tenant_id = wanted.tenant AND meter.name = wanted.name
        ORDER BY meter.id FOR UPDATE OF meter
    )
    SELECT array_agg(id ORDER BY n), array_agg(used ORDER BY n), array_agg(held ORDER BY n), array_agg(tat_ns ORDER BY n),
        array_agg(period_start ORDER BY n), array_agg(period_end ORDER BY n)
    INTO ids, now_used, now_held, now_tats, starts, ends
    FROM generate_subscripts(m_names, 1) AS n LEFT JOIN locked ON locked.ord = n;

    at := clock_timestamp(); -- under the locks, so time never runs backwards between two batches on one meter
    at_ns := (extract(epoch FROM at) * 1000000)::bigint * 1000;

    FOR m IN 1 .. cardinality(m_names) LOOP
        -- A budget whose period is over starts anew; what is still held then belongs to the period that is over.
        -- A period of fixed dates that was prolonged goes on.
        IF m_kinds[m] = 1 AND ends[m] <= at THEN
            UPDATE meter SET period_start = bounds.starts, period_end = bounds.ends,
                used = CASE WHEN bounds.starts = meter.period_start THEN meter.used ELSE 0 END,
                held = CASE WHEN bounds.starts = meter.period_start THEN meter.held ELSE 0 END
            FROM period_bounds(m_periods[m], m_zones[m], at) AS bounds
            WHERE meter.id = ids[m]
            RETURNING meter.* INTO STRICT anew;
            now_used[m] := anew.used;
            now_held[m] := anew.held;
            starts[m] := anew.period_start;
            ends[m] := anew.period_end;
        END IF;
    END LOOP;

    SELECT array_agg(unit ORDER BY ord),
        array_agg(CASE kind WHEN 1 THEN "limit" - u - h WHEN 4 THEN "limit" - h
            ELSE "window" - greatest(tat - at_ns, 0) - least(h::numeric * unit, 4e18)::bigint END ORDER BY ord),
        array_agg(greatest(tat - at_ns, 0) ORDER BY ord),
        array_agg(CASE kind WHEN 1 THEN (extract(epoch FROM "start") * 1000000)::bigint WHEN 4 THEN 0 ELSE unit END
            ORDER BY ord),
        array_agg(0::bigint)
    INTO units, room, drains, marks, taken
    FROM unnest(m_kinds, m_limits, m_windows_ns, now_used, now_held, now_tats, starts)
        WITH ORDINALITY AS state (kind, "limit", "window", u, h, tat, "start", ord)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN kind IN (1, 4) THEN 1 WHEN "limit" > 0 THEN "window" / "limit" ELSE 0 END
    ) AS per (unit);

    verdicts := array_fill(0, ARRAY[cardinality(r_ids)]);
    waits_ms := array_fill(0::bigint, ARRAY[cardinality(r_ids)]);

    -- Mostly everything fits, and then nobody has to be asked one by one.
    SELECT array_agg(n ORDER BY set), array_agg(cost ORDER BY set), array_agg(input ORDER BY set),
        array_agg(output ORDER BY set)
    INTO requests, costs, inputs, outputs
    FROM (
        SELECT set, count(*) AS n, sum(cost)::bigint AS cost, sum(input)::bigint AS input, sum(output)::bigint AS output
        FROM unnest(r_sets, r_costs_nano, r_input, r_output) AS request (set, cost, input, output) GROUP BY set
    ) AS wanted;

    SELECT array_agg(coalesce(total, 0) ORDER BY m_number), bool_and(
        CASE WHEN ids[m_number] IS NULL THEN false
            WHEN refuses IS NOT TRUE THEN true
            WHEN m_limits[m_number] = 0 AND m_kinds[m_number] NOT IN (1, 4) THEN false
            ELSE total::numeric * units[m_number] <= room[m_number] END)
    INTO totals, fits
    FROM generate_subscripts(m_names, 1) AS m_number
    LEFT JOIN (
        SELECT abs(s_meters[c]) AS m_number, bool_or(s_meters[c] > 0) AS refuses,
            sum(CASE m_kinds[abs(s_meters[c])] WHEN 1 THEN costs[s_sets[c]] WHEN 3 THEN inputs[s_sets[c]] + outputs[s_sets[c]]
                WHEN 5 THEN inputs[s_sets[c]] WHEN 6 THEN outputs[s_sets[c]] ELSE requests[s_sets[c]] END)::bigint AS total
        FROM generate_subscripts(s_meters, 1) AS c GROUP BY 1
    ) AS demand USING (m_number);

    IF fits THEN
        taken := totals;
    ELSE
        SELECT array_agg(last ORDER BY set) INTO lasts
        FROM (SELECT s_sets[c] AS set, max(c) AS last FROM generate_subscripts(s_sets, 1) AS c GROUP BY 1) AS sets;

        FOR r IN 1 .. cardinality(r_ids) LOOP
            longest := NULL;
            verdict := 0;
            FOR cell IN coalesce(lasts[r_sets[r] - 1], 0) + 1 .. lasts[r_sets[r]] LOOP
                m := abs(s_meters[cell]);
                IF ids[m] IS NULL THEN
                    verdict := -m;
                    EXIT;
                END IF;
                CONTINUE WHEN s_meters[cell] < 0;
                amount := CASE m_kinds[m] WHEN 1 THEN r_costs_nano[r] WHEN 3 THEN r_input[r] + r_output[r]
                    WHEN 5 THEN r_input[r] WHEN 6 THEN r_output[r] ELSE 1 END;
                wait := NULL;
                IF m_kinds[m] = 1 THEN
                    IF taken[m] + amount > room[m] THEN
                        -- What one period cannot hold, the next cannot either.
                        wait := CASE WHEN amount > m_limits[m] OR ends[m] >= never THEN -1
                            ELSE ceil(extract(epoch FROM ends[m] - at) * 1000) END;
                    END IF;
                ELSIF m_kinds[m] = 4 THEN
                    IF taken[m] + 1 > room[m] THEN
                        wait := CASE WHEN m_limits[m] = 0 THEN -1 ELSE 1000 END; -- a guess: somebody has to finish
                    END IF;
                ELSIF m_limits[m] = 0 OR (units[m] > 0 AND amount > m_windows_ns[m] / units[m]) THEN
                    wait := -1;
                ELSE
                    missing := (taken[m] + amount) * units[m] - room[m];
                    IF missing > 0 AND (m_kinds[m] = 2 OR missing <= drains[m]) THEN
                        wait := (missing + 999999) / 1000000;
                    ELSIF missing > 0 THEN
                        wait := greatest((drains[m] + 999999) / 1000000, 1000); -- a guess, as above
                    END IF;
                END IF;
                IF wait IS NOT NULL AND (longest IS NULL OR wait = -1 OR (longest <> -1 AND wait > longest)) THEN
                    longest := wait;
                    verdict := m;
                END IF;
            END LOOP;

            IF verdict <> 0 THEN
                verdicts[r] := verdict;
                waits_ms[r] := coalesce(longest, 0);
                CONTINUE;
            END IF;
            FOR cell IN coalesce(lasts[r_sets[r] - 1], 0) + 1 .. lasts[r_sets[r]] LOOP
                m := abs(s_meters[cell]);
                taken[m] := taken[m] + CASE m_kinds[m] WHEN 1 THEN r_costs_nano[r] WHEN 3 THEN r_input[r] + r_output[r]
                    WHEN 5 THEN r_input[r] WHEN 6 THEN r_output[r] ELSE 1 END;
            END LOOP;
        END LOOP;
    END IF;

    INSERT INTO hold (
        request_id, tenant_id, cost_nano, tokens, output_tokens, admitted_at, expires_at, meter_ids, kinds, marks, windows_ns,
        context
    )
    SELECT id, tenant, cost, input + output, output, at, at + make_interval(secs => lease_s),
        sets.meter_ids, sets.kinds, sets.marks, sets.windows_ns, context.value
    FROM unnest(r_ids, r_sets, r_tenants, r_costs_nano, r_input, r_output, r_leases_s, verdicts)
        WITH ORDINALITY AS request (id, set, tenant, cost, input, output, lease_s, verdict, ord)
    JOIN (
        SELECT s_sets[c] AS set, array_agg(ids[abs(s_meters[c])]) AS meter_ids,
            array_agg(m_kinds[abs(s_meters[c])]) AS kinds, array_agg(marks[abs(s_meters[c])]) AS marks,
            array_agg(m_windows_ns[abs(s_meters[c])]) AS windows_ns
        FROM generate_subscripts(s_meters, 1) AS c GROUP BY 1
    ) AS sets USING (set)
    JOIN jsonb_array_elements(r_contexts) WITH ORDINALITY AS context (value, ord) USING (ord)
    WHERE request.verdict = 0;

    UPDATE meter SET held = meter.held + CASE WHEN kind = 2 THEN 0 ELSE new.taken END,
        tat_ns = CASE WHEN kind = 2 THEN greatest(tat_ns, at_ns) + new.taken * unit ELSE tat_ns END
    FROM unnest(ids, m_kinds, units, taken) AS new (id, kind, unit, taken)
    WHERE meter.id = new.id AND new.taken > 0;

    SELECT array_agg(CASE kind
            WHEN 1 THEN "left" - new.taken
            WHEN 4 THEN greatest("left" - new.taken, 0)
            ELSE CASE WHEN unit = 0 THEN 0 ELSE greatest("left" - new.taken * unit, 0) / unit END
        END ORDER BY ord),
        array_agg(CASE kind
            WHEN 1 THEN CASE WHEN "end" >= never THEN -1 ELSE ceil(extract(epoch FROM "end" - at) * 1000) END
            WHEN 4 THEN 0
            ELSE ("window" - "left" + new.taken * unit) / 1000000
        END ORDER BY ord)
    INTO remaining, resets_ms
    FROM unnest(m_kinds, m_windows_ns, room, taken, ends, units)
        WITH ORDINALITY AS new (kind, "window", "left", taken, "end", unit, ord);
END $$;
