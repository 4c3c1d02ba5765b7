-- The ledger of erasures only grows. A row trigger does not see TRUNCATE, hence the second one; both bind the owner too,
-- and fire in replication roles as well.
CREATE FUNCTION erasure_ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger of erasures only grows: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER erasure_ledger_no_change BEFORE UPDATE OR DELETE ON keys_erasureentry
    FOR EACH ROW EXECUTE FUNCTION erasure_ledger_refuse_change();
CREATE TRIGGER erasure_ledger_no_truncate BEFORE TRUNCATE ON keys_erasureentry
    FOR EACH STATEMENT EXECUTE FUNCTION erasure_ledger_refuse_change();
ALTER TABLE keys_erasureentry ENABLE ALWAYS TRIGGER erasure_ledger_no_change;
ALTER TABLE keys_erasureentry ENABLE ALWAYS TRIGGER erasure_ledger_no_truncate;
