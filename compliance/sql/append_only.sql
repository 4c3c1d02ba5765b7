-- The audit log only grows. A row trigger does not see TRUNCATE, hence the second one; both bind the owner too.
CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log only grows: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON compliance_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON compliance_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
ALTER TABLE compliance_auditevent ENABLE ALWAYS TRIGGER audit_no_change;
ALTER TABLE compliance_auditevent ENABLE ALWAYS TRIGGER audit_no_truncate;
