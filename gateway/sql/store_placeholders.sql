-- Keeps what placeholders stand for, of those people who allow it now: they are active, and their consent covers what
-- they write (compliance/sql/consent.sql). The only place where such rows are inserted. Returns how many were kept.
--
-- Subjects are locked first, in one order for all, by a statement of their own: whoever erases, restricts or withdraws
-- waits for this batch, or is done before the INSERT looks. What is kept again is kept until the later of the two times.
CREATE FUNCTION store_placeholders(
    tenants bigint[], surrogates text[], codes text[], keys uuid[], contents bytea[], seconds integer[], for_purpose text
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    kept bigint;
BEGIN
    PERFORM FROM compliance_subject AS subject WHERE subject.surrogate = ANY (surrogates) ORDER BY subject.id FOR SHARE;

    WITH item AS MATERIALIZED (
        SELECT * FROM unnest(tenants, surrogates, codes, keys, contents, seconds)
            AS sent (tenant_id, surrogate, code, key_id, sealed, seconds)
    ), person AS MATERIALIZED (
        SELECT subject.tenant_id, subject.surrogate
        FROM (SELECT DISTINCT item.tenant_id, item.surrogate FROM item) AS named
        JOIN compliance_subject AS subject
            ON subject.surrogate = named.surrogate AND subject.tenant_id = named.tenant_id
        WHERE subject.state = 'active' AND consent_allows(subject.tenant_id, subject.id, for_purpose)
    )
    INSERT INTO gateway_guardplaceholder AS there (tenant_id, surrogate, code, key_id, sealed, created_at, expires_at)
    SELECT item.tenant_id, item.surrogate, item.code, item.key_id, item.sealed, statement_timestamp(),
        statement_timestamp() + make_interval(secs => item.seconds)
    FROM item JOIN person ON person.surrogate = item.surrogate AND person.tenant_id = item.tenant_id
    ORDER BY item.tenant_id, item.surrogate, item.code
    ON CONFLICT (tenant_id, surrogate, code) DO UPDATE
        SET expires_at = greatest(there.expires_at, excluded.expires_at), sealed = excluded.sealed,
            key_id = excluded.key_id;
    GET DIAGNOSTICS kept = ROW_COUNT;
    RETURN kept;
END $$;
