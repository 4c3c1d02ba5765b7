-- The period of `period` that `at` lies in, by the clocks of `zone`: a calendar period ('day', 'week', 'month'), 'total',
-- or fixed dates ('dates/2026-01-01/2026-04-01', the end exclusive), which are the same whatever `at` is.
-- Weeks are ISO weeks: they begin on Monday. A day lasts 23 or 25 hours when the clocks change; where midnight comes twice,
-- it begins with the second one.
CREATE OR REPLACE FUNCTION period_bounds(period text, zone text, at timestamptz, OUT starts timestamptz, OUT ends timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    local_start timestamp;
BEGIN
    IF period = 'total' THEN
        starts := 'epoch';
        ends := '9999-12-31 00:00:00+00';
        RETURN;
    END IF;
    IF period LIKE 'dates/%' THEN
        starts := split_part(period, '/', 2)::timestamp AT TIME ZONE zone;
        ends := split_part(period, '/', 3)::timestamp AT TIME ZONE zone;
        RETURN;
    END IF;
    local_start := date_trunc(period, at AT TIME ZONE zone);
    starts := local_start AT TIME ZONE zone;
    ends := (local_start + ('1 ' || period)::interval) AT TIME ZONE zone;
    IF starts > at THEN
        ends := starts;
        starts := (local_start - ('1 ' || period)::interval) AT TIME ZONE zone;
    END IF;
END $$;
