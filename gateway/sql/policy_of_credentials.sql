-- Gateways read the version of a credential that is in use, and no other: what happens to those that wait for their test,
-- or are retired, must not make every gateway forget all policy.
DROP TRIGGER policy ON gateway_providercredential;

CREATE TRIGGER policy AFTER UPDATE ON gateway_providercredential
    FOR EACH ROW WHEN (OLD.state = 'current' OR NEW.state = 'current') EXECUTE FUNCTION policy_changed();
CREATE TRIGGER policy_insert AFTER INSERT ON gateway_providercredential
    FOR EACH ROW WHEN (NEW.state = 'current') EXECUTE FUNCTION policy_changed();
CREATE TRIGGER policy_delete AFTER DELETE ON gateway_providercredential
    FOR EACH ROW WHEN (OLD.state = 'current') EXECUTE FUNCTION policy_changed();
