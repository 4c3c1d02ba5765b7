-- What keeps the ledger's server from pruning old row versions, oldest first. Run it in the ledger's database.
--
-- A transaction pins the ledger when it has a snapshot there, or when it has written, in whatever database of the server:
-- the snapshots of all others, the ledger's too, then reach back to it. What has no time of its own (a slot, a standby)
-- is measured in transactions. Of other roles' sessions one sees the times only as a member of pg_read_all_stats.
SELECT 'session' AS kind, a.pid::text AS name, a.datname, a.application_name, a.usename, a.state, a.query,
       a.backend_start, a.xact_start AS since,
       age(COALESCE(a.backend_xid, a.backend_xmin)) AS transactions,
       a.backend_xid IS NOT NULL AS wrote
FROM pg_stat_activity a
WHERE a.pid <> pg_backend_pid()
  AND a.backend_type NOT IN ('walsender', 'autovacuum worker')
  AND (a.backend_xid IS NOT NULL OR (a.backend_xmin IS NOT NULL AND a.datname = current_database()))
  AND a.pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum) -- VACUUM itself holds nothing back
UNION ALL
SELECT 'prepared transaction', p.gid, p.database, '', p.owner, 'prepared', '', NULL, p.prepared, age(p.transaction), true
FROM pg_prepared_xacts p
UNION ALL
SELECT 'replication slot', s.slot_name, s.database, '', '', CASE WHEN s.active THEN 'active' ELSE 'inactive' END, '',
       NULL, NULL, age(s.xmin), false
FROM pg_replication_slots s
WHERE age(s.xmin) > %(lagging)s
UNION ALL
SELECT 'standby', r.pid::text, NULL, r.application_name, r.usename, r.state, '', r.backend_start, NULL,
       age(r.backend_xmin), false
FROM pg_stat_replication r
WHERE age(r.backend_xmin) > %(lagging)s
ORDER BY transactions DESC
