-- Begins a budget's meter with what its current period has used elsewhere. A meter that counts already stays as it is.
CREATE FUNCTION opening_balance(b_tenant bigint, b_name text, b_used bigint, b_period text, b_zone text)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO meter (tenant_id, name, used, period_start, period_end)
    SELECT b_tenant, b_name, b_used, starts, ends FROM period_bounds(b_period, b_zone, clock_timestamp())
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;
