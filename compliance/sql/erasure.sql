-- A surrogate whose name was erased is nobody's for ever: nothing may give it a name, a lookup or a life again. Only the
-- row that keeps the lookup can be enrolled again.
CREATE FUNCTION subject_stays_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the subject % was erased for good', OLD.surrogate USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER subject_stays_erased BEFORE UPDATE ON compliance_subject FOR EACH ROW
    WHEN (OLD.state = 'erased' AND OLD.lookup IS NULL
          AND (NEW.state <> 'erased' OR NEW.lookup IS NOT NULL OR NEW.surrogate <> OLD.surrogate))
    EXECUTE FUNCTION subject_stays_erased();
