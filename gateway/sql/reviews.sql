-- What was flagged is put up for review, and everything is counted by day, in the statement that stores decisions: so
-- exactly once, whoever stores them. Rows are taken in one order, so that two writers do not wait for each other in a ring.
CREATE FUNCTION guard_decisions_stored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO gateway_guardcount AS counted (tenant_id, day, guard, action, requests, findings, errors)
    SELECT tenant_id, (at AT TIME ZONE 'UTC')::date AS day, guard, action, count(DISTINCT request_id), sum(count),
           count(*) FILTER (WHERE error <> '')
    FROM stored GROUP BY tenant_id, day, guard, action ORDER BY day, tenant_id, guard, action
    ON CONFLICT (day, tenant_id, guard, action) DO UPDATE SET
        requests = counted.requests + excluded.requests,
        findings = counted.findings + excluded.findings,
        errors = counted.errors + excluded.errors;

    INSERT INTO gateway_reviewitem AS item
        (request_id, tenant_id, application_id, api_key_id, environment, model, at, guards, rules, score, state, decided_by,
         notes)
    SELECT request_id, min(tenant_id), min(application_id), min(api_key_id), min(environment), max(model), min(at),
           array_agg(DISTINCT guard), array_agg(DISTINCT concat_ws('.', guard, nullif(rule, ''))), max(score), 'open', '',
           '[]'
    FROM stored WHERE action = 2 GROUP BY request_id ORDER BY request_id
    ON CONFLICT (request_id) DO UPDATE SET
        guards = ARRAY(SELECT DISTINCT unnest(item.guards || excluded.guards) ORDER BY 1),
        rules = ARRAY(SELECT DISTINCT unnest(item.rules || excluded.rules) ORDER BY 1),
        score = greatest(item.score, excluded.score);
    RETURN NULL;
END $$;

CREATE TRIGGER stored AFTER INSERT ON guard_decision REFERENCING NEW TABLE AS stored
    FOR EACH STATEMENT EXECUTE FUNCTION guard_decisions_stored();
