-- Changes of what guards do reach the gateways as those of other policy do; a policy of no tenant is everybody's.
CREATE FUNCTION policy_of_guard_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed_policy bigint;
BEGIN
    IF TG_OP = 'DELETE' THEN changed_policy := OLD.policy_id; ELSE changed_policy := NEW.policy_id; END IF;
    -- Of a policy that goes with its rules, its own trigger tells.
    PERFORM policy_raise(coalesce(tenant_id, 0)) FROM gateway_guardpolicy WHERE id = changed_policy;
    RETURN NULL;
END $$;

CREATE FUNCTION policy_of_guards_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM policy_raise(coalesce(OLD.tenant_id, 0)); END IF;
    IF TG_OP <> 'DELETE' AND (TG_OP = 'INSERT' OR NEW.tenant_id IS DISTINCT FROM OLD.tenant_id) THEN
        PERFORM policy_raise(coalesce(NEW.tenant_id, 0));
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON gateway_guardpolicy
    FOR EACH ROW EXECUTE FUNCTION policy_of_guards_changed();
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON gateway_guardrule
    FOR EACH ROW EXECUTE FUNCTION policy_of_guard_changed();
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON gateway_guarddictionary
    FOR EACH ROW EXECUTE FUNCTION policy_changed('tenant_id');
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON gateway_guardpattern
    FOR EACH ROW EXECUTE FUNCTION policy_changed('tenant_id');
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON gateway_guardpolicy EXECUTE FUNCTION policy_truncated();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON gateway_guardrule EXECUTE FUNCTION policy_truncated();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON gateway_guarddictionary EXECUTE FUNCTION policy_truncated();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON gateway_guardpattern EXECUTE FUNCTION policy_truncated();
