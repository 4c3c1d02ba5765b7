-- A revoked key and a closed tenant stay so, whoever changes the row.
CREATE FUNCTION accounts_final_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = TG_ARGV[0] AND NEW.status <> TG_ARGV[0] THEN
        RAISE EXCEPTION '% % is % for good', TG_TABLE_NAME, OLD.id, TG_ARGV[0] USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER final_state BEFORE UPDATE ON accounts_apikey
    FOR EACH ROW EXECUTE FUNCTION accounts_final_state('revoked');
CREATE TRIGGER final_state BEFORE UPDATE ON accounts_tenant
    FOR EACH ROW EXECUTE FUNCTION accounts_final_state('closed');
