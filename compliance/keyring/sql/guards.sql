-- A destroyed key stays destroyed, whatever writes: code with a fault, somebody at the console, or rows out of a backup.

CREATE FUNCTION keys_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'keys are destroyed, never deleted or forgotten: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

-- The fingerprint of a destroyed key is refused for ever.
CREATE FUNCTION keys_refuse_dead(wanted bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM keys_deadkey WHERE fingerprint = wanted) THEN
        RAISE EXCEPTION 'this key was destroyed and cannot come back' USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;

-- A process that was not restarted since must not go on wrapping under a root key that is to be thrown away.
CREATE FUNCTION keys_refuse_retired_root(wanted bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM keys_retiredroot WHERE version = wanted) THEN
        RAISE EXCEPTION 'root key % is retired: restart what still uses it', wanted
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;

CREATE FUNCTION tenant_key_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.destroyed_at IS NOT NULL AND NEW IS DISTINCT FROM OLD THEN
            RAISE EXCEPTION 'a destroyed key stays as it is' USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF (NEW.id, NEW.tenant_id, NEW.version, NEW.fingerprint)
            IS DISTINCT FROM (OLD.id, OLD.tenant_id, OLD.version, OLD.fingerprint) THEN
            RAISE EXCEPTION 'a key can be wrapped anew, not exchanged' USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF OLD.wrapped IS NOT NULL AND NEW.wrapped IS NULL THEN
            INSERT INTO keys_deadkey (fingerprint, destroyed_at) VALUES (OLD.fingerprint, now()) ON CONFLICT DO NOTHING;
        END IF;
    END IF;
    IF NEW.wrapped IS NOT NULL THEN
        PERFORM keys_refuse_dead(NEW.fingerprint);
        IF TG_OP = 'INSERT' OR NEW.wrapped IS DISTINCT FROM OLD.wrapped THEN
            PERFORM keys_refuse_retired_root(NEW.root_version);
        END IF;
    END IF;
    RETURN NEW;
END $$;

-- The lock on the tenant's key keeps it from being retired or destroyed until what it wraps is there to be counted.
CREATE FUNCTION subject_key_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.destroyed_at IS NOT NULL AND NEW IS DISTINCT FROM OLD THEN
            RAISE EXCEPTION 'a destroyed key stays as it is' USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF (NEW.id, NEW.tenant_id, NEW.surrogate, NEW.fingerprint)
            IS DISTINCT FROM (OLD.id, OLD.tenant_id, OLD.surrogate, OLD.fingerprint) THEN
            RAISE EXCEPTION 'a key can be wrapped anew, not exchanged' USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF OLD.wrapped IS NOT NULL AND NEW.wrapped IS NULL THEN
            INSERT INTO keys_deadkey (fingerprint, destroyed_at) VALUES (OLD.fingerprint, now()) ON CONFLICT DO NOTHING;
        END IF;
    END IF;
    IF NEW.wrapped IS NOT NULL THEN
        PERFORM keys_refuse_dead(NEW.fingerprint);
        PERFORM FROM keys_tenantkey
            WHERE tenant_id = NEW.tenant_id AND version = NEW.tenant_key_version
                AND wrapped IS NOT NULL AND retired_at IS NULL
            FOR SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'key % of tenant % wraps nothing new: it is retired, destroyed or unknown',
                NEW.tenant_key_version, NEW.tenant_id USING ERRCODE = 'insufficient_privilege';
        END IF;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION signing_key_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.id, NEW.public) IS DISTINCT FROM (OLD.id, OLD.public) THEN
        RAISE EXCEPTION 'a key can be wrapped anew, not exchanged' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM keys_refuse_retired_root(NEW.root_version);
    RETURN NEW;
END $$;

CREATE TRIGGER tenant_key_guard BEFORE INSERT OR UPDATE ON keys_tenantkey
    FOR EACH ROW EXECUTE FUNCTION tenant_key_guard();
CREATE TRIGGER subject_key_guard BEFORE INSERT OR UPDATE ON keys_subjectkey
    FOR EACH ROW EXECUTE FUNCTION subject_key_guard();
CREATE TRIGGER signing_key_guard BEFORE INSERT OR UPDATE ON keys_signingkey
    FOR EACH ROW EXECUTE FUNCTION signing_key_guard();

CREATE TRIGGER tenant_key_stays BEFORE DELETE ON keys_tenantkey
    FOR EACH ROW EXECUTE FUNCTION keys_refuse_change();
CREATE TRIGGER subject_key_stays BEFORE DELETE ON keys_subjectkey
    FOR EACH ROW EXECUTE FUNCTION keys_refuse_change();
CREATE TRIGGER signing_key_stays BEFORE DELETE ON keys_signingkey
    FOR EACH ROW EXECUTE FUNCTION keys_refuse_change();
CREATE TRIGGER dead_key_stays BEFORE UPDATE OR DELETE ON keys_deadkey
    FOR EACH ROW EXECUTE FUNCTION keys_refuse_change();
CREATE TRIGGER retired_root_stays BEFORE UPDATE OR DELETE ON keys_retiredroot
    FOR EACH ROW EXECUTE FUNCTION keys_refuse_change();

CREATE TRIGGER tenant_key_no_truncate BEFORE TRUNCATE ON keys_tenantkey
    FOR EACH STATEMENT EXECUTE FUNCTION keys_refuse_change();
CREATE TRIGGER subject_key_no_truncate BEFORE TRUNCATE ON keys_subjectkey
    FOR EACH STATEMENT EXECUTE FUNCTION keys_refuse_change();
CREATE TRIGGER signing_key_no_truncate BEFORE TRUNCATE ON keys_signingkey
    FOR EACH STATEMENT EXECUTE FUNCTION keys_refuse_change();
CREATE TRIGGER dead_key_no_truncate BEFORE TRUNCATE ON keys_deadkey
    FOR EACH STATEMENT EXECUTE FUNCTION keys_refuse_change();
CREATE TRIGGER retired_root_no_truncate BEFORE TRUNCATE ON keys_retiredroot
    FOR EACH STATEMENT EXECUTE FUNCTION keys_refuse_change();

ALTER TABLE keys_tenantkey ENABLE ALWAYS TRIGGER tenant_key_guard;
ALTER TABLE keys_subjectkey ENABLE ALWAYS TRIGGER subject_key_guard;
ALTER TABLE keys_signingkey ENABLE ALWAYS TRIGGER signing_key_guard;
ALTER TABLE keys_tenantkey ENABLE ALWAYS TRIGGER tenant_key_stays;
ALTER TABLE keys_subjectkey ENABLE ALWAYS TRIGGER subject_key_stays;
ALTER TABLE keys_signingkey ENABLE ALWAYS TRIGGER signing_key_stays;
ALTER TABLE keys_deadkey ENABLE ALWAYS TRIGGER dead_key_stays;
ALTER TABLE keys_retiredroot ENABLE ALWAYS TRIGGER retired_root_stays;
ALTER TABLE keys_tenantkey ENABLE ALWAYS TRIGGER tenant_key_no_truncate;
ALTER TABLE keys_subjectkey ENABLE ALWAYS TRIGGER subject_key_no_truncate;
ALTER TABLE keys_signingkey ENABLE ALWAYS TRIGGER signing_key_no_truncate;
ALTER TABLE keys_deadkey ENABLE ALWAYS TRIGGER dead_key_no_truncate;
ALTER TABLE keys_retiredroot ENABLE ALWAYS TRIGGER retired_root_no_truncate;
