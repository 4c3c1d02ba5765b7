-- The consents that allow their purpose now: live records that were given, have not expired, and are for a notice at least as
-- new as the last one that changed the terms. The only place where this is decided: what asks for many people at once, as the
-- INSERT that stores content, looks here, everything else asks consent_allows() (consent.sql says when who must look).
CREATE VIEW consent_in_force AS
SELECT record.tenant_id, record.subject_id, record.purpose
FROM compliance_consentrecord AS record
WHERE record.live
  AND coalesce(record.state, '') IN ('given', 'reaffirmed')  -- so that no plan looks for all that were given
  AND (record.expires_at IS NULL OR record.expires_at > statement_timestamp())
  AND record.notice_version >= coalesce((
      SELECT max(notice.version) FROM compliance_consentnotice AS notice
      WHERE notice.tenant_id = record.tenant_id
        AND notice.purpose = record.purpose
        AND notice.status = 'published'
        AND notice.material_change
  ), 0);

-- In PL/pgSQL, because that keeps its plan from one row to the next. Looks the person up and nothing else, so that no plan
-- reads what all of a tenant's people have decided, as one from when they were few may.
CREATE OR REPLACE FUNCTION consent_allows(of_tenant bigint, of_subject bigint, to_purpose text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM (
            SELECT one.tenant_id, one.purpose FROM consent_in_force AS one WHERE one.subject_id = of_subject OFFSET 0
        ) AS consent
        WHERE consent.purpose = to_purpose AND consent.tenant_id = of_tenant
    );
END $$;
