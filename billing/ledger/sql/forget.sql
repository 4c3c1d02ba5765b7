-- Deletes meters that say nothing any more: rates that are as if unused and hold nothing, and separate budget meters whose period has been
-- over for a day. At most `most` at a time, without waiting for any that is in use; returns how many.
-- An admission that wanted one just then answers as if there were no room for it, and is asked again.
CREATE FUNCTION forget_meters(most integer) RETURNS integer LANGUAGE sql AS $$
    WITH idle AS (
        SELECT id FROM meter
        WHERE held = 0 AND (
            (period_end = 'epoch' AND tat_ns <= (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000)
            OR (period_end > 'epoch' AND period_end < clock_timestamp() - interval '1 day' AND strpos(name, '#') > 0)
        )
        ORDER BY id LIMIT most FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM meter USING idle WHERE meter.id = idle.id RETURNING meter.id
    )
    SELECT count(*)::integer FROM gone
$$;
