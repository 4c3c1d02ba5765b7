-- A person who is erased, restricted or enrolled again is known to the gateways by another row, or as something else:
-- they are told by lookup, and ask anew. Those that cannot listen keep nothing for long (gateway/subjects.py).
CREATE FUNCTION subject_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('portcullis_subjects', OLD.tenant_id || '/' || OLD.lookup);
    RETURN NULL;
END $$;

CREATE FUNCTION subjects_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('portcullis_subjects', 'all');
    RETURN NULL;
END $$;

CREATE TRIGGER notice_of_change AFTER UPDATE ON compliance_subject FOR EACH ROW
    WHEN (OLD.lookup IS NOT NULL
          AND (NEW.lookup IS DISTINCT FROM OLD.lookup OR NEW.state <> OLD.state OR NEW.surrogate <> OLD.surrogate))
    EXECUTE FUNCTION subject_changed();
CREATE TRIGGER notice_of_deletion AFTER DELETE ON compliance_subject FOR EACH ROW
    WHEN (OLD.lookup IS NOT NULL) EXECUTE FUNCTION subject_changed();
CREATE TRIGGER notice_of_truncation AFTER TRUNCATE ON compliance_subject EXECUTE FUNCTION subjects_truncated();
