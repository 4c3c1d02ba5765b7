-- The audit log's tables only grow. What has to change all the same is changed under a setting of the transaction,
-- `portcullis.audit`, and then these columns only:
--   sequence  events get their places: rows of AuditPending go, AuditLog.size and AuditTile.hashes grow
--   deliver   AuditCheckpoint.delivered_at, delivered_to
--   redact    of AuditEvent what may tell of a person, with its salts and what is kept in their place
--   prune     events that are due go, with their places; AuditLog.pruned_to grows. Hashes stay
--   count     AuditTally: counts and what was seen grow, and rows go as they become events
-- The triggers bind the owner too, and fire under session_replication_role = replica. A row trigger does not see
-- TRUNCATE, hence the other one.
CREATE FUNCTION audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    purpose text := coalesce(current_setting('portcullis.audit', true), '');
    free text[];  -- columns that may change
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF (TG_TABLE_NAME = 'compliance_auditpending' AND purpose = 'sequence')
            OR (TG_TABLE_NAME IN ('compliance_auditevent', 'compliance_auditleaf') AND purpose = 'prune')
            OR (TG_TABLE_NAME = 'compliance_audittally' AND purpose = 'count') THEN
            RETURN OLD;
        END IF;
    ELSIF TG_OP = 'UPDATE' THEN
        free := CASE
            WHEN TG_TABLE_NAME = 'compliance_auditevent' AND purpose = 'redact'
                THEN '{target_id,actor_id,reason,before,after,request_id,ip,user_agent,salts,redacted,subjects}'
            WHEN TG_TABLE_NAME = 'compliance_auditlog' AND purpose = 'sequence' THEN '{size}'
            WHEN TG_TABLE_NAME = 'compliance_auditlog' AND purpose = 'prune' THEN '{pruned_to}'
            WHEN TG_TABLE_NAME = 'compliance_audittile' AND purpose = 'sequence' THEN '{hashes}'
            WHEN TG_TABLE_NAME = 'compliance_auditcheckpoint' AND purpose = 'deliver' THEN '{delivered_at,delivered_to}'
            WHEN TG_TABLE_NAME = 'compliance_audittally' AND purpose = 'count' THEN '{count,seen}'
        END;
        IF free IS NOT NULL AND to_jsonb(NEW) - free = to_jsonb(OLD) - free THEN
            IF TG_TABLE_NAME = 'compliance_auditlog' THEN
                IF NEW.size >= OLD.size AND NEW.pruned_to >= OLD.pruned_to THEN
                    RETURN NEW;
                END IF;
            ELSIF TG_TABLE_NAME = 'compliance_audittile' THEN
                IF substring(NEW.hashes FOR length(OLD.hashes)) = OLD.hashes THEN
                    RETURN NEW;
                END IF;
            ELSIF TG_TABLE_NAME = 'compliance_audittally' THEN
                IF NEW.count >= OLD.count AND NEW.seen @> OLD.seen THEN
                    RETURN NEW;
                END IF;
            ELSE
                RETURN NEW;
            END IF;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit log only grows: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

DO $$
DECLARE
    guarded text;
BEGIN
    DROP TRIGGER audit_no_change ON compliance_auditevent;
    DROP TRIGGER audit_no_truncate ON compliance_auditevent;
    FOREACH guarded IN ARRAY ARRAY['compliance_auditevent', 'compliance_auditpending', 'compliance_auditlog',
                                   'compliance_auditleaf', 'compliance_audittile', 'compliance_auditcheckpoint',
                                   'compliance_audittally'] LOOP
        EXECUTE format('CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON %I'
                       ' FOR EACH ROW EXECUTE FUNCTION audit_guard()', guarded);
        EXECUTE format('CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON %I'
                       ' FOR EACH STATEMENT EXECUTE FUNCTION audit_guard()', guarded);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER audit_no_change', guarded);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER audit_no_truncate', guarded);
    END LOOP;
END $$;

-- Every event waits for its place, whoever inserted it.
CREATE FUNCTION audit_await_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO compliance_auditpending (event_id) VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER audit_awaits_place AFTER INSERT ON compliance_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_await_place();
ALTER TABLE compliance_auditevent ENABLE ALWAYS TRIGGER audit_awaits_place;
INSERT INTO compliance_auditpending (event_id) SELECT id FROM compliance_auditevent;
