-- The history of a request only grows. It goes when the request goes, which the law forbids for 24 months after it was
-- closed (11 CCR § 7101); TRUNCATE is refused always, and all of it for the owner too.
CREATE FUNCTION request_history_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM FROM compliance_subjectrequest
            WHERE id = OLD.request_id AND closed_at < now() - interval '24 months';
        IF FOUND THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'the history of subject requests only grows: % is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER request_history_no_change BEFORE UPDATE OR DELETE ON compliance_subjectrequestevent
    FOR EACH ROW EXECUTE FUNCTION request_history_refuse();
CREATE TRIGGER request_history_no_truncate BEFORE TRUNCATE ON compliance_subjectrequestevent
    FOR EACH STATEMENT EXECUTE FUNCTION request_history_refuse();
ALTER TABLE compliance_subjectrequestevent ENABLE ALWAYS TRIGGER request_history_no_change;
ALTER TABLE compliance_subjectrequestevent ENABLE ALWAYS TRIGGER request_history_no_truncate;
