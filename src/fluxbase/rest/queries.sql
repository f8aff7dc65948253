-- name: tables
WITH RECURSIVE exposed AS (
    SELECT c.oid, c.relname, c.relkind, n.nspname, c.relacl
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                      WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
),
-- What each relation reads: itself, and for a view everything under it.
under (root, oid) AS (
    SELECT oid, oid FROM exposed
    UNION
    SELECT u.root, d.refobjid
    FROM under u
    JOIN pg_catalog.pg_rewrite w ON w.ev_class = u.oid
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
                               AND d.refclassid = 'pg_catalog.pg_class'::regclass
),
-- What each domain is of in the end: one may stand on another.
bases (oid, base) AS (
    SELECT d.oid, d.typbasetype
    FROM pg_catalog.pg_type d JOIN pg_catalog.pg_type b ON b.oid = d.typbasetype
    WHERE d.typtype = 'd' AND b.typtype <> 'd'
    UNION ALL
    SELECT d.oid, s.base FROM bases s JOIN pg_catalog.pg_type d ON d.typbasetype = s.oid
),
-- Functions of the operator's that planning may look into: it computes what is said to be IMMUTABLE, and puts the text of
-- an SQL function in the place of its call. One that is said to be IMMUTABLE and reads the claims would answer one caller
-- for another, if a policy, view, default or constraint anywhere has it, or an operator that stands for it.
foldable AS (
    SELECT p.oid
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'auth')
      AND (p.provolatile = 'i' OR l.lanname = 'sql' AND NOT p.prosecdef AND p.proconfig IS NULL)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x
                      WHERE x.classid = 'pg_catalog.pg_proc'::regclass AND x.objid = p.oid AND x.deptype = 'e')
)
SELECT NOT EXISTS (
           SELECT FROM pg_catalog.pg_depend d
           LEFT JOIN pg_catalog.pg_operator o
                  ON d.refclassid = 'pg_catalog.pg_operator'::regclass AND o.oid = d.refobjid
           JOIN foldable f
             ON f.oid = CASE WHEN d.refclassid = 'pg_catalog.pg_proc'::regclass THEN d.refobjid ELSE o.oprcode::oid END
           WHERE d.classid IN ('pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_rewrite'::regclass,
                               'pg_catalog.pg_attrdef'::regclass, 'pg_catalog.pg_constraint'::regclass)
             AND d.refclassid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)) AS plan_keeps,
       e.nspname AS schema, e.relname AS name, e.relkind::text AS kind,
       pg_catalog.obj_description(e.oid, 'pg_class') AS comment,
       (SELECT bool_and(CASE
            WHEN c.relkind IN ('r', 'p') THEN
                c.relrowsecurity
                AND (c.relforcerowsecurity OR pg_catalog.pg_get_userbyid(c.relowner) NOT IN ('anon', 'authenticated'))
                AND EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid)
            WHEN c.relkind = 'v' THEN coalesce(
                (SELECT o.option_value::boolean FROM pg_catalog.pg_options_to_table(c.reloptions) o
                 WHERE o.option_name = 'security_invoker'), false)
            ELSE false END)
        FROM under u JOIN pg_catalog.pg_class c ON c.oid = u.oid WHERE u.root = e.oid) AS guarded,
       (SELECT json_object_agg(role, privileges) FROM (
            SELECT role, array_agg(lower(privilege)) AS privileges
            FROM unnest(ARRAY['anon', 'authenticated', 'service_role']) role,
                 unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) privilege
            WHERE pg_catalog.has_schema_privilege(role, e.nspname, 'USAGE')
              AND CASE WHEN privilege = 'DELETE' THEN pg_catalog.has_table_privilege(role, e.oid, privilege)
                       ELSE pg_catalog.has_any_column_privilege(role, e.oid, privilege) END
            GROUP BY role) g) AS grants,
       (SELECT json_agg(json_build_object(
            'name', a.attname, 'type', pg_catalog.format_type(a.atttypid, -1), 'category', t.typcategory,
            'is_json', b.oid IN ('json'::regtype, 'jsonb'::regtype),
            'built_in', b.typnamespace = 'pg_catalog'::regnamespace OR b.typcategory = 'A' OR b.typtype IN ('c', 'e', 'm', 'r'),
            'nullable', NOT (a.attnotnull OR t.typnotnull),
            'has_default', a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL,
            'generated', a.attgenerated <> '' OR a.attidentity = 'a',
            'values', (SELECT array_agg(v.enumlabel ORDER BY v.enumsortorder)
                       FROM pg_catalog.pg_enum v WHERE v.enumtypid = t.oid),
            'comment', pg_catalog.col_description(e.oid, a.attnum)) ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        LEFT JOIN bases s ON s.oid = t.oid
        JOIN pg_catalog.pg_type b ON b.oid = coalesce(s.base, t.oid)
        WHERE a.attrelid = e.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       (SELECT json_agg(json_build_object('primary', i.indisprimary, 'columns',
            (SELECT array_agg(a.attname ORDER BY k.place)
             FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = e.oid AND a.attnum = k.attnum
             WHERE k.place <= i.indnkeyatts)))
        FROM pg_catalog.pg_index i
        WHERE i.indrelid = e.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
          AND i.indpred IS NULL AND i.indexprs IS NULL) AS keys,
       (SELECT json_agg(json_build_object(
            'name', k.conname, 'target', ARRAY[n.nspname, c.relname],
            'columns', (SELECT array_agg(a.attname ORDER BY x.place)
                        FROM unnest(k.conkey) WITH ORDINALITY x (attnum, place)
                        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.attnum),
            'target_columns', (SELECT array_agg(a.attname ORDER BY x.place)
                               FROM unnest(k.confkey) WITH ORDINALITY x (attnum, place)
                               JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = x.attnum)))
        FROM pg_catalog.pg_constraint k
        JOIN pg_catalog.pg_class c ON c.oid = k.confrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE k.conrelid = e.oid AND k.contype = 'f' AND k.conparentid = 0) AS foreign_keys
FROM exposed e
ORDER BY e.nspname, e.relname

-- name: functions
SELECT n.nspname AS schema, p.proname AS name, p.proretset AS returns_set,
       (r.typtype = 'c' OR p.prorettype = 'record'::regtype OR 't' = ANY (p.proargmodes::text[])) AS returns_row,
       p.prorettype = 'void'::regtype AS returns_void,
       p.provolatile <> 'v' AS read_only,
       pg_catalog.obj_description(p.oid, 'pg_proc') AS comment,
       (SELECT array_agg(role) FROM unnest(ARRAY['anon', 'authenticated', 'service_role']) role
        WHERE pg_catalog.has_function_privilege(role, p.oid, 'EXECUTE')
          AND pg_catalog.has_schema_privilege(role, n.nspname, 'USAGE')) AS roles,
       (SELECT json_agg(json_build_object(
            'name', p.proargnames[a.place], 'type', pg_catalog.format_type(a.type, -1),
            'required', a.input <= p.pronargs - p.pronargdefaults,
            'variadic', a.mode = 'v') ORDER BY a.place)
        FROM (SELECT x.type, x.place, coalesce(p.proargmodes[x.place]::text, 'i') AS mode,
                     row_number() OVER (ORDER BY x.place) AS input
              FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY x (type, place)
              WHERE coalesce(p.proargmodes[x.place]::text, 'i') IN ('i', 'b', 'v')) a) AS arguments
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_type r ON r.oid = p.prorettype
WHERE n.nspname = ANY ($1::text[]) AND p.prokind = 'f'
  -- Pseudo-types (internal, cstring, anyelement, trigger) are nothing that JSON could be; a row of unknown columns neither.
  AND (r.typtype <> 'p' OR p.prorettype = 'void'::regtype
       OR p.prorettype = 'record'::regtype AND p.proargmodes && ARRAY['o', 'b', 't']::"char"[])
  AND NOT EXISTS (SELECT FROM unnest(p.proargtypes::oid[]) i JOIN pg_catalog.pg_type t ON t.oid = i WHERE t.typtype = 'p')
  AND (p.pronargs = 0 OR p.proargnames IS NOT NULL AND NOT '' = ANY (p.proargnames[1:p.pronargs]))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                  WHERE e.classid = 'pg_catalog.pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')
ORDER BY n.nspname, p.proname

-- name: announces_changes
SELECT count(*) = 2 FROM pg_catalog.pg_event_trigger
WHERE evtname IN ('fluxbase_catalog_changed', 'fluxbase_catalog_dropped') AND evtenabled <> 'D'

-- name: fingerprint
SELECT md5(concat_ws(',',
    (SELECT concat(count(*), ':', max(xmin::text::bigint)) FROM pg_catalog.pg_class),
    (SELECT concat(count(*), ':', max(xmin::text::bigint)) FROM pg_catalog.pg_attribute),
    (SELECT concat(count(*), ':', max(xmin::text::bigint)) FROM pg_catalog.pg_proc),
    (SELECT concat(count(*), ':', max(xmin::text::bigint)) FROM pg_catalog.pg_policy),
    (SELECT concat(count(*), ':', max(xmin::text::bigint)) FROM pg_catalog.pg_constraint),
    (SELECT concat(count(*), ':', max(xmin::text::bigint)) FROM pg_catalog.pg_type),
    (SELECT concat(count(*), ':', max(xmin::text::bigint)) FROM pg_catalog.pg_namespace)))
