-- As in subject_notices.sql, and of whoever is blocked or not any more.
DROP TRIGGER notice_of_change ON compliance_subject;
CREATE TRIGGER notice_of_change AFTER UPDATE ON compliance_subject FOR EACH ROW
    WHEN (OLD.lookup IS NOT NULL
          AND (NEW.lookup IS DISTINCT FROM OLD.lookup OR NEW.state <> OLD.state OR NEW.surrogate <> OLD.surrogate
               OR NEW.blocked_at IS DISTINCT FROM OLD.blocked_at))
    EXECUTE FUNCTION subject_changed();
