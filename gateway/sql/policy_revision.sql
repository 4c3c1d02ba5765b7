-- Every change of a governed table raises its tenant's revision (0: what all tenants share) and notifies the gateways,
-- which drop what they know of it. Delivered at commit; true also for changes made by hand.
CREATE FUNCTION policy_raise(changed_scope bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO gateway_policyrevision (scope, revision) VALUES (changed_scope, 1)
    ON CONFLICT (scope) DO UPDATE SET revision = gateway_policyrevision.revision + 1;
    SELECT pg_notify('portcullis_policy', changed_scope::text);
$$;

-- Argument: the column that holds the tenant's id, or none for a table that all tenants share.
CREATE FUNCTION policy_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was bigint := 0;
    is_now bigint := 0;
BEGIN
    IF TG_NARGS = 1 THEN
        IF TG_OP <> 'INSERT' THEN was := (to_jsonb(OLD) ->> TG_ARGV[0])::bigint; END IF;
        IF TG_OP <> 'DELETE' THEN is_now := (to_jsonb(NEW) ->> TG_ARGV[0])::bigint; ELSE is_now := was; END IF;
        IF TG_OP = 'UPDATE' AND was <> is_now THEN PERFORM policy_raise(was); END IF;
    END IF;
    PERFORM policy_raise(is_now);
    RETURN NULL;
END $$;

-- A truncated table has no rows to name tenants by.
CREATE FUNCTION policy_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE gateway_policyrevision SET revision = revision + 1;
    PERFORM pg_notify('portcullis_policy', 'all');
    RETURN NULL;
END $$;

CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON accounts_tenant
    FOR EACH ROW EXECUTE FUNCTION policy_changed('id');
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON accounts_application
    FOR EACH ROW EXECUTE FUNCTION policy_changed('tenant_id');
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON accounts_apikey
    FOR EACH ROW EXECUTE FUNCTION policy_changed('tenant_id');
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON billing_subscription
    FOR EACH ROW EXECUTE FUNCTION policy_changed('tenant_id');
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON billing_budget
    FOR EACH ROW EXECUTE FUNCTION policy_changed('tenant_id');
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON billing_tier
    FOR EACH ROW EXECUTE FUNCTION policy_changed();
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON billing_price
    FOR EACH ROW EXECUTE FUNCTION policy_changed();
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON gateway_provider
    FOR EACH ROW EXECUTE FUNCTION policy_changed();
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON gateway_providercredential
    FOR EACH ROW EXECUTE FUNCTION policy_changed();
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON gateway_model
    FOR EACH ROW EXECUTE FUNCTION policy_changed();
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON gateway_deployment
    FOR EACH ROW EXECUTE FUNCTION policy_changed();

CREATE TRIGGER policy_truncate AFTER TRUNCATE ON accounts_tenant EXECUTE FUNCTION policy_truncated();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON accounts_application EXECUTE FUNCTION policy_truncated();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON accounts_apikey EXECUTE FUNCTION policy_truncated();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON billing_subscription EXECUTE FUNCTION policy_truncated();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON billing_budget EXECUTE FUNCTION policy_truncated();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON billing_tier EXECUTE FUNCTION policy_truncated();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON billing_price EXECUTE FUNCTION policy_truncated();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON gateway_provider EXECUTE FUNCTION policy_truncated();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON gateway_providercredential EXECUTE FUNCTION policy_truncated();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON gateway_model EXECUTE FUNCTION policy_truncated();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON gateway_deployment EXECUTE FUNCTION policy_truncated();
