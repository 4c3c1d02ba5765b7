-- Superseded by fixed_dates.sql; kept for the migration that made it.
-- The calendar period of `period` ('day', 'week', 'month', 'total') that `at` lies in, by the clocks of `zone`.
-- Weeks are ISO weeks: they begin on Monday. A day lasts 23 or 25 hours when the clocks change.
CREATE FUNCTION period_bounds(period text, zone text, at timestamptz, OUT starts timestamptz, OUT ends timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    local_start timestamp;
BEGIN
    IF period = 'total' THEN
        starts := 'epoch';
        ends := '9999-12-31 00:00:00+00';
        RETURN;
    END IF;
    local_start := date_trunc(period, at AT TIME ZONE zone);
    starts := local_start AT TIME ZONE zone;
    ends := (local_start + ('1 ' || period)::interval) AT TIME ZONE zone;
END $$;
