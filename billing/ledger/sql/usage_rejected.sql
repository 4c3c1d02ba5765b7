-- Usage records that the main database refuses, with the reason. An operator mends them and puts them back into
-- usage_outbox; meanwhile they do not hold up the rest.
CREATE TABLE usage_rejected (
    seq         bigint      PRIMARY KEY, -- as it was in usage_outbox
    record      jsonb       NOT NULL,
    error       text        NOT NULL,
    rejected_at timestamptz NOT NULL DEFAULT now()
);
