-- Superseded by admission.sql; kept for the migration that made it.
-- Admits a batch of requests, in its order: each takes from all of its meters, or from none.
--
-- Meters come once each (m_*); cells say which request (1-based, ascending) takes from which meter (1-based).
-- Kinds: 1 budget (nano-dollars, m_limit per period), 2 requests and 3 tokens (GCRA: m_limit per m_window_ns),
-- 4 concurrency (m_limit at once). A soft budget counts but never refuses.
--
-- Answers one row of arrays. verdicts: 0 admitted, else the number of the meter that refuses, the one with the
-- longest wait. waits_ms: after how long the request would be admitted if nothing else came; -1: never.
-- remaining, resets_ms: per meter, after the batch; what is left of it, and when it will be as if unused.
--
-- GCRA: ITU-T I.371, Annex A: a burst of m_limit, refilled evenly over the window; its state is one number.
-- All locks on meters, here and in settle_claimed, are taken in the order of their ids.
CREATE FUNCTION admit(
    m_tenants bigint[], m_names text[], m_kinds smallint[], m_limits bigint[], m_windows_ns bigint[],
    m_periods text[], m_zones text[], m_soft boolean[],
    r_ids uuid[], r_tenants bigint[], r_costs_nano bigint[], r_tokens bigint[], r_leases_s bigint[], r_contexts jsonb,
    c_requests bigint[], c_meters bigint[],
    OUT verdicts bigint[], OUT waits_ms bigint[], OUT remaining bigint[], OUT resets_ms bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    never       CONSTANT timestamptz := '9999-12-31 00:00:00+00'; -- the end of a total
    at          timestamptz;
    at_ns       bigint;
    ids         bigint[];
    now_used    bigint[];
    now_held    bigint[];
    now_tats    bigint[];
    starts      timestamptz[];
    ends        timestamptz[];
    units       bigint[];     -- ns per request or token
    first_cell  integer := 1; -- of the request at hand
    next_cell   integer;
    cells       integer := coalesce(cardinality(c_requests), 0);
    cell        integer;
    m           integer;
    amount      bigint;
    wait        bigint;       -- ms, of the meter at hand; NULL: it does not refuse
    longest     bigint;
    h_meters    bigint[];
    h_kinds     smallint[];
    h_marks     bigint[];
BEGIN
    -- Meters appear with their first use. In the order of the unique index, before any lock is held.
    INSERT INTO meter (tenant_id, name)
    SELECT tenant, name FROM unnest(m_tenants, m_names) AS wanted (tenant, name)
    WHERE NOT EXISTS (SELECT FROM meter WHERE meter.tenant_id = tenant AND meter.name = wanted.name)
    ORDER BY tenant, name
    ON CONFLICT DO NOTHING;

    PERFORM FROM meter JOIN unnest(m_tenants, m_names) AS wanted (tenant, name)
        ON meter.tenant_id = wanted.tenant AND meter.name = wanted.name
    ORDER BY meter.id FOR UPDATE OF meter;

    at := clock_timestamp(); -- under the locks, so time never runs backwards between two batches on one meter
    at_ns := (extract(epoch FROM at) * 1000000)::bigint * 1000;

    -- Budgets whose period is over start anew; what is still held then belongs to the period that is over.
    UPDATE meter SET used = 0, held = 0, period_start = bounds.starts, period_end = bounds.ends
    FROM unnest(m_tenants, m_names, m_kinds, m_periods, m_zones) AS wanted (tenant, name, kind, period, zone),
        period_bounds(wanted.period, wanted.zone, at) AS bounds
    WHERE wanted.kind = 1 AND meter.tenant_id = wanted.tenant AND meter.name = wanted.name AND meter.period_end <= at;

    SELECT array_agg(meter.id ORDER BY ord), array_agg(meter.used ORDER BY ord), array_agg(meter.held ORDER BY ord),
        array_agg(meter.tat_ns ORDER BY ord), array_agg(meter.period_start ORDER BY ord),
        array_agg(meter.period_end ORDER BY ord),
        array_agg(CASE WHEN kind IN (2, 3) AND "limit" > 0 THEN "window" / "limit" ELSE 0 END ORDER BY ord)
    INTO ids, now_used, now_held, now_tats, starts, ends, units
    FROM unnest(m_tenants, m_names, m_kinds, m_limits, m_windows_ns)
        WITH ORDINALITY AS wanted (tenant, name, kind, "limit", "window", ord)
    JOIN meter ON meter.tenant_id = wanted.tenant AND meter.name = wanted.name;

    verdicts := array_fill(0::bigint, ARRAY[cardinality(r_ids)]);
    waits_ms := verdicts;

    FOR r IN 1 .. cardinality(r_ids) LOOP
        longest := NULL;
        next_cell := first_cell;
        WHILE next_cell <= cells AND c_requests[next_cell] = r LOOP
            m := c_meters[next_cell];
            wait := NULL;
            IF m_kinds[m] = 1 THEN
                IF NOT m_soft[m] AND now_used[m] + now_held[m] + r_costs_nano[r] > m_limits[m] THEN
                    -- What one period cannot hold, the next cannot either.
                    wait := CASE WHEN r_costs_nano[r] > m_limits[m] OR ends[m] >= never THEN -1
                        ELSE ceil(extract(epoch FROM ends[m] - at) * 1000) END;
                END IF;
            ELSIF m_kinds[m] = 4 THEN
                IF now_held[m] + 1 > m_limits[m] THEN
                    wait := CASE WHEN m_limits[m] = 0 THEN -1 ELSE 1000 END; -- a guess: somebody has to finish
                END IF;
            ELSE
                amount := CASE WHEN m_kinds[m] = 2 THEN 1 ELSE r_tokens[r] END;
                IF amount > m_limits[m] THEN
                    wait := -1;
                ELSIF greatest(now_tats[m], at_ns) + amount * units[m] - at_ns > m_windows_ns[m] THEN
                    wait := (greatest(now_tats[m], at_ns) + amount * units[m] - at_ns - m_windows_ns[m] + 999999) / 1000000;
                END IF;
            END IF;
            IF wait IS NOT NULL AND (longest IS NULL OR wait = -1 OR (longest <> -1 AND wait > longest)) THEN
                longest := wait;
                verdicts[r] := m;
                waits_ms[r] := wait;
            END IF;
            next_cell := next_cell + 1;
        END LOOP;

        IF longest IS NULL THEN
            h_meters := '{}';
            h_kinds := '{}';
            h_marks := '{}';
            FOR cell IN first_cell .. next_cell - 1 LOOP
                m := c_meters[cell];
                h_meters := h_meters || ids[m];
                h_kinds := h_kinds || m_kinds[m];
                IF m_kinds[m] = 1 THEN
                    now_held[m] := now_held[m] + r_costs_nano[r];
                    h_marks := h_marks || (extract(epoch FROM starts[m]) * 1000000)::bigint;
                ELSIF m_kinds[m] = 4 THEN
                    now_held[m] := now_held[m] + 1;
                    h_marks := h_marks || 0::bigint;
                ELSE
                    amount := CASE WHEN m_kinds[m] = 2 THEN 1 ELSE r_tokens[r] END;
                    now_tats[m] := greatest(now_tats[m], at_ns) + amount * units[m];
                    h_marks := h_marks || units[m];
                END IF;
            END LOOP;
            INSERT INTO hold (
                request_id, tenant_id, cost_nano, tokens, admitted_at, expires_at, meter_ids, kinds, marks, context
            ) VALUES (
                r_ids[r], r_tenants[r], r_costs_nano[r], r_tokens[r], at, at + make_interval(secs => r_leases_s[r]),
                h_meters, h_kinds, h_marks, r_contexts -> (r - 1)
            );
        END IF;
        first_cell := next_cell;
    END LOOP;

    UPDATE meter SET held = new.held, tat_ns = new.tat
    FROM unnest(ids, now_held, now_tats) AS new (id, held, tat)
    WHERE meter.id = new.id AND (meter.held, meter.tat_ns) IS DISTINCT FROM (new.held, new.tat);

    SELECT array_agg(CASE kind
            WHEN 1 THEN greatest("limit" - u - h, 0)
            WHEN 4 THEN greatest("limit" - h, 0)
            ELSE CASE WHEN unit = 0 THEN 0 ELSE greatest("window" - greatest(tat - at_ns, 0), 0) / unit END
        END ORDER BY ord),
        array_agg(CASE kind
            WHEN 1 THEN CASE WHEN "end" >= never THEN -1 ELSE ceil(extract(epoch FROM "end" - at) * 1000) END
            WHEN 4 THEN 0
            ELSE greatest(tat - at_ns, 0) / 1000000
        END ORDER BY ord)
    INTO remaining, resets_ms
    FROM unnest(m_kinds, m_limits, m_windows_ns, now_used, now_held, now_tats, ends, units)
        WITH ORDINALITY AS state (kind, "limit", "window", u, h, tat, "end", unit, ord);
END $$;
