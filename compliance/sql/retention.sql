-- For how many days a class of a tenant's data is kept: as its own policy says, else as everybody's; never less than
-- any law of the two requires. The one definition: what stores, what previews and what purges all ask it.
CREATE FUNCTION retention_days(of_tenant bigint, of_class text) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT greatest(
        coalesce(max(days) FILTER (WHERE tenant_id IS NOT NULL), max(days) FILTER (WHERE tenant_id IS NULL)),
        max(floor_days))
    FROM compliance_retentionpolicy
    WHERE data_class = of_class AND (tenant_id = of_tenant OR tenant_id IS NULL)
$$;

-- The day (UTC) on which content that was written at that time is due: it is kept for so many whole days after its own.
CREATE FUNCTION content_expires_on(of_tenant bigint, written_at timestamptz) RETURNS date LANGUAGE sql STABLE AS $$
    SELECT (written_at AT TIME ZONE 'UTC')::date + retention_days(of_tenant, 'content') + 1
$$;

-- Whether a hold covers a row of its tenant: whether the row matches all of its conditions that say something. What is
-- not known of a row (NULL) might match, so it does. The one definition: the INSERT, the marking and every purge ask it.
CREATE FUNCTION hold_covers(
    hold compliance_legalhold, of_surrogate text, of_api_key bigint, of_model text, of_application bigint,
    of_environment text, written_at timestamptz, of_outcome text
) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(
        (hold.surrogate = '' OR hold.surrogate = of_surrogate)
        AND (hold.api_key_id IS NULL OR hold.api_key_id = of_api_key)
        AND (hold.model = '' OR hold.model = of_model)
        AND (hold.application_id IS NULL OR hold.application_id = of_application)
        AND (hold.environment = '' OR hold.environment = of_environment)
        AND (hold.outcome = '' OR hold.outcome = of_outcome)
        AND (hold.since IS NULL OR hold.since <= written_at)
        AND (hold.until IS NULL OR hold.until > written_at), true)
$$;

-- Whether any hold in force covers such a row.
CREATE FUNCTION is_held(
    of_tenant bigint, of_surrogate text, of_api_key bigint, of_model text, of_application bigint,
    of_environment text, written_at timestamptz, of_outcome text DEFAULT NULL
) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM compliance_legalhold hold
        WHERE hold.tenant_id = of_tenant AND hold.state IN ('active', 'release_requested')
        AND hold_covers(
            hold, of_surrogate, of_api_key, of_model, of_application, of_environment, written_at, of_outcome))
$$;

-- A hold is never deleted, never covers anything else than what two people agreed on, and ends only by its own states.
CREATE FUNCTION hold_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'legal holds are never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.tenant_id, OLD.scope, OLD.surrogate, OLD.api_key_id, OLD.application_id, OLD.environment, OLD.model,
        OLD.outcome, OLD.since, OLD.until, OLD.requested_by)
       IS DISTINCT FROM
       (NEW.tenant_id, NEW.scope, NEW.surrogate, NEW.api_key_id, NEW.application_id, NEW.environment, NEW.model,
        NEW.outcome, NEW.since, NEW.until, NEW.requested_by)
    THEN
        RAISE EXCEPTION 'what a legal hold covers never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state <> NEW.state AND NOT (OLD.state, NEW.state) IN (
        ('requested', 'active'), ('requested', 'refused'),
        ('active', 'release_requested'), ('release_requested', 'active'), ('release_requested', 'released'))
    THEN
        RAISE EXCEPTION 'a legal hold that is % cannot become %', OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hold_guard BEFORE UPDATE OR DELETE ON compliance_legalhold
    FOR EACH ROW EXECUTE FUNCTION hold_guard();
