-- Adjustments only grow. Of one that is there nothing changes, but that the ledger has it.
CREATE FUNCTION adjustment_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changing CONSTANT text[] := ARRAY['state', 'applied_at', 'meters'];
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'pending' AND NEW.state = 'applied'
        AND to_jsonb(OLD) - changing = to_jsonb(NEW) - changing THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'adjustments only grow: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER adjustment_no_change BEFORE UPDATE OR DELETE ON billing_adjustment
    FOR EACH ROW EXECUTE FUNCTION adjustment_refuse_change();
CREATE TRIGGER adjustment_no_truncate BEFORE TRUNCATE ON billing_adjustment
    FOR EACH STATEMENT EXECUTE FUNCTION adjustment_refuse_change();
ALTER TABLE billing_adjustment ENABLE ALWAYS TRIGGER adjustment_no_change;
ALTER TABLE billing_adjustment ENABLE ALWAYS TRIGGER adjustment_no_truncate;
