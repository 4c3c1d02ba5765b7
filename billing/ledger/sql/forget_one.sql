-- Deletes the separate meters of one value, for instance of a person who was erased, unless requests that were admitted
-- by them are still on their way; returns how many. Waits for no meter that is in use.
CREATE FUNCTION forget_meters_of(wanted_tenant bigint, wanted_value text) RETURNS integer LANGUAGE sql AS $$
    WITH idle AS (
        SELECT id FROM meter
        WHERE tenant_id = wanted_tenant AND held = 0 AND strpos(name, '#') > 0
            AND right(name, length(wanted_value) + 1) = '#' || wanted_value
        ORDER BY id FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM meter USING idle WHERE meter.id = idle.id RETURNING meter.id
    )
    SELECT count(*)::integer FROM gone
$$;
