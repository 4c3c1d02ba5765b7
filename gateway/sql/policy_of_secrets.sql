-- An overlap of secrets that is closed early, prolonged, or about to count as nobody waits for the new secret any more,
-- reaches the gateways as changes of keys do.
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON accounts_retiringsecret
    FOR EACH ROW EXECUTE FUNCTION policy_changed('tenant_id');
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON accounts_secretclaim
    FOR EACH ROW EXECUTE FUNCTION policy_changed('tenant_id');
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON accounts_retiringsecret EXECUTE FUNCTION policy_truncated();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON accounts_secretclaim EXECUTE FUNCTION policy_truncated();
