-- What a request is attributed to beyond its key, and which budgets it was charged to.
ALTER TABLE billing_usagerecord
    ADD COLUMN served_model varchar(200) NOT NULL DEFAULT '',
    ADD COLUMN end_user     varchar(27)  NOT NULL DEFAULT '',
    ADD COLUMN tags         jsonb        NOT NULL DEFAULT '{}',
    ADD COLUMN service_tier varchar(20)  NOT NULL DEFAULT '',
    ADD COLUMN over_budget  boolean      NOT NULL DEFAULT false,
    ADD COLUMN charged      bigint[]     NOT NULL DEFAULT '{}'; -- ids in the ledger's meter table, of budgets only
