-- Whether a person's consent allows `to_purpose` now; as in consent_in_force.sql by now. A live record that was given, has
-- not expired, and is for a notice at least as new as the last one that changed the terms. In PL/pgSQL, because that keeps
-- its plan from one row to the next.
--
-- Whoever stores something locks the subject's row FOR SHARE in a statement before; recording and withdrawing lock it
-- FOR NO KEY UPDATE. So a withdrawal either waits for the write, or the write sees the withdrawal. The clock is that of
-- the statement, not of the transaction, which may have begun while the consent still held.
CREATE FUNCTION consent_allows(of_tenant bigint, of_subject bigint, to_purpose text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM compliance_consentrecord AS record
        WHERE record.subject_id = of_subject
          AND record.purpose = to_purpose
          AND record.live
          AND record.tenant_id = of_tenant
          AND record.state IN ('given', 'reaffirmed')
          AND (record.expires_at IS NULL OR record.expires_at > statement_timestamp())
          AND record.notice_version >= coalesce((
              SELECT max(notice.version) FROM compliance_consentnotice AS notice
              WHERE notice.tenant_id = of_tenant
                AND notice.purpose = to_purpose
                AND notice.status = 'published'
                AND notice.material_change
          ), 0)
    );
END $$;

-- What people were told can be shown again as it was: a published notice is neither changed nor deleted.
CREATE FUNCTION consent_notice_is_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'notice % is published, so % is refused', OLD.id, TG_OP USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER notice_is_fixed BEFORE UPDATE OR DELETE ON compliance_consentnotice
    FOR EACH ROW WHEN (OLD.status = 'published') EXECUTE FUNCTION consent_notice_is_fixed();

-- A hash that is not the text's would show people something they never saw.
ALTER TABLE compliance_consentnotice ADD CONSTRAINT notice_hash_of_text
    CHECK (text_sha256 = encode(sha256(convert_to(text, 'UTF8')), 'hex'));

-- History is not rewritten: a record may only cease to be the live one, and get its receipt once.
CREATE FUNCTION consent_record_is_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.live AND NOT OLD.live OR OLD.receipt IS NOT NULL AND NEW.receipt IS DISTINCT FROM OLD.receipt
        OR to_jsonb(NEW) - 'live' - 'receipt' <> to_jsonb(OLD) - 'live' - 'receipt' THEN
        RAISE EXCEPTION 'consent record % is history', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER record_is_history BEFORE UPDATE ON compliance_consentrecord
    FOR EACH ROW EXECUTE FUNCTION consent_record_is_history();
