-- name: current_snapshot
SELECT pg_current_snapshot()::text

-- name: changes_since
SELECT snapshot, id, topic, type, at, record, old_record, details, more
FROM realtime.changes_since($1::text::pg_snapshot, $2::text::pg_snapshot, $3, $4::text[], $5, $6)

-- name: delete_changes
DELETE FROM realtime.changes WHERE id IN (
    SELECT id FROM realtime.changes
    WHERE transaction < pg_snapshot_xmax($1::text::pg_snapshot)
      AND pg_visible_in_snapshot(transaction, $1::text::pg_snapshot)
    LIMIT $2
)

-- name: lock_cleaning
SELECT pg_try_advisory_xact_lock(hashtext('fluxbase realtime cleaning'))

-- name: live_tables
SELECT n.nspname AS schema, c.relname AS name,
       array_agg(upper(substr(t.tgname, length('fluxbase_realtime_') + 1))::text ORDER BY t.tgname) AS events
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE t.tgname LIKE 'fluxbase\_realtime\_%' AND NOT t.tgisinternal
  AND ($1::text IS NULL OR n.nspname = $1) AND ($2::text IS NULL OR c.relname = $2)
GROUP BY n.nspname, c.relname
ORDER BY n.nspname, c.relname

-- name: find_table
SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1::text AND c.relname = $2::text AND c.relkind IN ('r', 'p')

-- name: set_events
SELECT realtime.set_events($1::oid::regclass, $2::text[])

-- name: describe
WITH relevant AS (
    SELECT p.oid, p.polqual::text AS tree
    FROM pg_policy p
    WHERE p.polrelid = (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                        WHERE n.nspname = $1 AND c.relname = $2)
      AND p.polcmd IN ('r', '*')
)
SELECT c.oid,
       'table:' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS topic,
       realtime.select_condition(c.oid::regclass) AS condition,
       ARRAY(SELECT upper(substr(t.tgname, length('fluxbase_realtime_') + 1))::text FROM pg_trigger t
             WHERE t.tgrelid = c.oid AND t.tgname LIKE 'fluxbase\_realtime\_%' AND t.tgenabled <> 'D') AS events,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       (SELECT jsonb_object_agg(a.attname, ty.typname) FROM pg_attribute a JOIN pg_type ty ON ty.oid = a.atttypid
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND has_column_privilege(c.oid, a.attnum, 'SELECT')) AS readable,
       has_table_privilege(c.oid, 'SELECT') AS whole,
       -- What the policies read of the row: their answer is the same for rows that agree in these.
       ARRAY(SELECT DISTINCT a.attname::text FROM pg_depend d
             JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
             WHERE d.classid = 'pg_policy'::regclass AND d.objid IN (SELECT oid FROM relevant)
               AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid > 0
             ORDER BY 1) AS policy_columns,
       -- Whether they may read more than that: by a function of the user's, the table itself, the row as a whole, or a
       -- value that readers of JSON may write differently (fractions, documents, arrays). A domain may refuse the NULL
       -- of a column that is left out.
       EXISTS (SELECT FROM pg_depend d LEFT JOIN pg_proc f ON d.refclassid = 'pg_proc'::regclass AND f.oid = d.refobjid
               WHERE d.classid = 'pg_policy'::regclass AND d.objid IN (SELECT oid FROM relevant)
                 AND (d.refclassid = 'pg_operator'::regclass
                      OR d.refclassid = 'pg_proc'::regclass AND NOT (
                          f.pronamespace = 'auth'::regnamespace AND f.proname IN ('uid', 'role', 'jwt'))))
       OR EXISTS (SELECT FROM relevant r WHERE r.tree ~ ':varattno (0|-)'
                  OR r.tree LIKE '%:relid ' || c.oid || ' %')
       OR EXISTS (SELECT FROM pg_depend d
                  JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                  JOIN pg_type ty ON ty.oid = a.atttypid
                  WHERE d.classid = 'pg_policy'::regclass AND d.objid IN (SELECT oid FROM relevant)
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid > 0
                    AND NOT (ty.typcategory IN ('B', 'D', 'E', 'S') OR ty.typname IN ('int2', 'int4', 'int8', 'uuid'))
       )
       OR EXISTS (SELECT FROM pg_attribute a JOIN pg_type ty ON ty.oid = a.atttypid
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND ty.typtype = 'd') AS opaque,
       -- Whether one plan may serve all claims. Planning computes what is said to be IMMUTABLE; a function of the
       -- operator's that is not, and reads the claims, would answer one for another. So there must be none, and no operator,
       -- in any policy of the database, and no view (which may hide some).
       NOT EXISTS (SELECT FROM pg_depend d LEFT JOIN pg_proc f ON d.refclassid = 'pg_proc'::regclass AND f.oid = d.refobjid
                   WHERE d.classid = 'pg_policy'::regclass
                     AND (d.refclassid = 'pg_operator'::regclass
                          OR d.refclassid = 'pg_proc'::regclass AND NOT (
                              f.pronamespace = 'auth'::regnamespace AND f.proname IN ('uid', 'role', 'jwt'))))
       AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_class r ON r.oid = d.refobjid AND r.relkind NOT IN ('r', 'p')
                       WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_class'::regclass) AS plan_keeps
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p') AND has_schema_privilege(n.oid, 'USAGE')

-- name: begin_check
SELECT set_config('realtime.checking', 'on', true), set_config('statement_timeout', $1, true)

-- name: visible_records
SELECT request, place
FROM realtime.visible_records($1::oid::regclass, $2::text::jsonb, $3::text::jsonb, $4)

-- name: condition
SELECT realtime.select_condition($1::oid::regclass)

-- name: memberships
SELECT m.channel, m.user_id, m.may_send
FROM realtime.channel_members m
JOIN unnest($1::text[], $2::uuid[]) AS asked (channel, user_id) USING (channel, user_id)

-- name: ended_sessions
SELECT id FROM unnest($1::uuid[]) AS asked (id) WHERE NOT auth.session_is_live(id)
