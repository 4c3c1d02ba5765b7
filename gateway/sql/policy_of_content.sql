-- Changes of what a tenant wants to happen with content reach the gateways as those of its other policy do. Retention is
-- not among them: the INSERT itself asks for it.
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON compliance_contentpolicy
    FOR EACH ROW EXECUTE FUNCTION policy_changed('tenant_id');
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON compliance_contentpolicy EXECUTE FUNCTION policy_truncated();
