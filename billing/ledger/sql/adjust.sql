-- What the meters' `used` holds beyond usage records: what a budget began with, and what people have adjusted since.
-- A credit may leave a budget with less than nothing used.
ALTER TABLE meter DROP CONSTRAINT meter_used_check;

CREATE TABLE meter_entry (
    id           uuid        NOT NULL, -- of the adjustment
    meter_id     bigint      NOT NULL,
    period_start timestamptz NOT NULL, -- as in the meter when it was entered; with another period it no longer counts
    amount_nano  bigint      NOT NULL,
    kind         text        NOT NULL CHECK (kind IN ('opening', 'adjustment')),
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (id, meter_id)
);
CREATE INDEX meter_entry_meter ON meter_entry (meter_id);

-- Which adjustments have been made here; also those that found no meter to change.
CREATE TABLE adjusted (
    id uuid        PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Usage from before records named the meters that they were charged to.
INSERT INTO meter_entry (id, meter_id, period_start, amount_nano, kind)
SELECT gen_random_uuid(), id, period_start, used, 'opening' FROM meter WHERE period_end > 'epoch' AND used <> 0;

-- From when on a meter's current period counts, where that is not its start: a tenant whose time zone was changed begins
-- a period inside of the one before. No request of the old period was admitted at its end or later, and none of the new
-- one earlier.
ALTER TABLE meter ADD COLUMN counts_from timestamptz;

CREATE FUNCTION meter_counts_from() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.counts_from := CASE WHEN OLD.period_end > NEW.period_start THEN OLD.period_end END;
    RETURN NEW;
END $$;
CREATE TRIGGER meter_counts_from BEFORE UPDATE OF period_start ON meter
    FOR EACH ROW WHEN (OLD.period_start <> NEW.period_start) EXECUTE FUNCTION meter_counts_from();

-- Begins a budget's meter with what its current period has used elsewhere. A meter that counts already stays as it is.
CREATE OR REPLACE FUNCTION opening_balance(b_tenant bigint, b_name text, b_used bigint, b_period text, b_zone text)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    WITH opened AS (
        INSERT INTO meter (tenant_id, name, used, period_start, period_end)
        SELECT b_tenant, b_name, b_used, starts, ends FROM period_bounds(b_period, b_zone, clock_timestamp())
        ON CONFLICT DO NOTHING
        RETURNING id, period_start, used
    )
    INSERT INTO meter_entry (id, meter_id, period_start, amount_nano, kind)
    SELECT gen_random_uuid(), id, period_start, used, 'opening' FROM opened;
    RETURN FOUND;
END $$;

-- Adds `amount_nano` to what is used of budgets, once however often it is called with the same id. Changed are the meters
-- in a_meters (by id), and those of the budgets b_* (by name; made where they are missing), as far as `a_at` lies in the
-- period that they are in now: what belongs to a period that is over changes nothing of this one.
-- Returns the names of the meters that this adjustment has changed.
CREATE FUNCTION adjust(
    a_id uuid, a_tenant bigint, a_nano bigint, a_at timestamptz,
    a_meters bigint[], b_names text[], b_periods text[], b_zone text
) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO adjusted (id) VALUES (a_id) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        INSERT INTO meter (tenant_id, name) SELECT a_tenant, name FROM unnest(b_names) AS name ORDER BY name
        ON CONFLICT DO NOTHING;
        PERFORM FROM meter WHERE tenant_id = a_tenant AND (id = ANY (a_meters) OR name = ANY (b_names))
        ORDER BY id FOR UPDATE;

        -- As in admit: a budget whose period is over starts anew.
        UPDATE meter SET period_start = bounds.starts, period_end = bounds.ends,
            used = CASE WHEN bounds.starts = meter.period_start THEN meter.used ELSE 0 END,
            held = CASE WHEN bounds.starts = meter.period_start THEN meter.held ELSE 0 END
        FROM unnest(b_names, b_periods) AS budget (name, period)
        CROSS JOIN LATERAL period_bounds(budget.period, b_zone, clock_timestamp()) AS bounds
        WHERE meter.tenant_id = a_tenant AND meter.name = budget.name AND meter.period_end <= clock_timestamp();

        WITH changed AS (
            UPDATE meter SET used = used + a_nano
            WHERE tenant_id = a_tenant AND (id = ANY (a_meters) OR name = ANY (b_names))
                AND a_at >= coalesce(counts_from, period_start)
                -- Fixed dates may have been prolonged, and then go on.
                AND (period_end > clock_timestamp() OR strpos(name, '/dates/') > 0)
            RETURNING id, period_start
        )
        INSERT INTO meter_entry (id, meter_id, period_start, amount_nano, kind)
        SELECT a_id, id, period_start, a_nano, 'adjustment' FROM changed;
    END IF;
    RETURN (
        SELECT coalesce(array_agg(meter.name ORDER BY meter.id), '{}') FROM meter_entry AS entry
        JOIN meter ON meter.id = entry.meter_id WHERE entry.id = a_id
    );
END $$;
