-- End users who were known by keyed hashes of their names: the hash is their surrogate from now on, and it is what they
-- are looked up by, as the hash of the name still is. What they are called is filled in when they are seen again.
INSERT INTO compliance_subject (tenant_id, surrogate, lookup, state, created_at, state_since)
SELECT tenant_id, end_user, end_user, 'active', statement_timestamp(), statement_timestamp()
FROM (
    SELECT tenant_id, end_user FROM billing_budget
    UNION
    SELECT tenant_id, end_user FROM billing_adjustment
    UNION
    SELECT tenant_id, end_user FROM billing_usagerecord
    UNION
    SELECT tenant_id, value FROM billing_usagevalue WHERE kind = 'end_user' -- also of months that are gone
) AS named
WHERE end_user ~ '^eu_[a-z2-7]{24}$'
  AND EXISTS (SELECT FROM accounts_tenant WHERE id = named.tenant_id) -- usage outlives what it names
ON CONFLICT DO NOTHING;
