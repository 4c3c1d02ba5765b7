-- Adds to holds of requests that go on: r_costs_nano more, for r_output more tokens, each in all of its budgets or in none.
-- x_*: the budgets that may refuse it, by name, with their limits; x_requests says whose (1-based).
-- Answers per request whether it was granted; never for one that is settled or swept already.
--
-- Token rates hold more, too, but are not asked: a stream is not ended for its speed. A budget whose period is over since
-- the admission has let go of the hold, and has nothing to say any more.
CREATE FUNCTION extend(
    r_ids uuid[], r_costs_nano bigint[], r_output bigint[], x_requests integer[], x_names text[], x_limits bigint[]
) RETURNS boolean[] LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    granted boolean[] := array_fill(false, ARRAY[cardinality(r_ids)]);
    h       hold;
BEGIN
    PERFORM FROM hold WHERE request_id = ANY (r_ids) ORDER BY request_id FOR UPDATE;
    PERFORM FROM meter
    WHERE id IN (SELECT unnest(meter_ids) FROM hold WHERE request_id = ANY (r_ids)) ORDER BY id FOR UPDATE;

    FOR r IN 1 .. cardinality(r_ids) LOOP
        SELECT * INTO h FROM hold WHERE request_id = r_ids[r];
        CONTINUE WHEN NOT FOUND;
        CONTINUE WHEN EXISTS (
            SELECT FROM unnest(x_requests, x_names, x_limits) AS budget (request, name, "limit")
            JOIN meter ON meter.tenant_id = h.tenant_id AND meter.name = budget.name
            JOIN unnest(h.meter_ids, h.marks) AS cell (id, mark) ON cell.id = meter.id
            WHERE budget.request = r AND cell.mark = (extract(epoch FROM meter.period_start) * 1000000)::bigint
                AND meter.used + meter.held + r_costs_nano[r] > budget."limit"
        );
        UPDATE meter SET held = held + CASE cell.kind WHEN 1 THEN r_costs_nano[r] ELSE r_output[r] END
        FROM unnest(h.meter_ids, h.kinds, h.marks, h.windows_ns) AS cell (id, kind, mark, window_ns)
        WHERE meter.id = cell.id AND (
            (cell.kind = 1 AND cell.mark = (extract(epoch FROM meter.period_start) * 1000000)::bigint)
            OR (cell.kind IN (3, 6) AND cell.window_ns IS NOT NULL)
        );
        UPDATE hold SET cost_nano = cost_nano + r_costs_nano[r],
            tokens = tokens + r_output[r], output_tokens = output_tokens + r_output[r],
            context = context || jsonb_build_object(
                'output_tokens', coalesce((context ->> 'output_tokens')::bigint, 0) + r_output[r])
        WHERE request_id = r_ids[r];
        granted[r] := true;
    END LOOP;
    RETURN granted;
END $$;
