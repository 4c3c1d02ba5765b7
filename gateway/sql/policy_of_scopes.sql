-- Changes of the tables that narrow and widen limits reach the gateways as those of the others do.
CREATE FUNCTION policy_of_budget_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed_budget bigint;
BEGIN
    IF TG_OP = 'DELETE' THEN changed_budget := OLD.budget_id; ELSE changed_budget := NEW.budget_id; END IF;
    -- Of a budget that goes with its overrides, its own trigger tells.
    PERFORM policy_raise(tenant_id) FROM billing_budget WHERE id = changed_budget;
    RETURN NULL;
END $$;

CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON billing_attributiontag
    FOR EACH ROW EXECUTE FUNCTION policy_changed('tenant_id');
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON billing_tierlimit
    FOR EACH ROW EXECUTE FUNCTION policy_changed();
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON billing_budgetoverride
    FOR EACH ROW EXECUTE FUNCTION policy_of_budget_changed();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON billing_attributiontag EXECUTE FUNCTION policy_truncated();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON billing_tierlimit EXECUTE FUNCTION policy_truncated();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON billing_budgetoverride EXECUTE FUNCTION policy_truncated();
