-- The change table, its triggers and who may listen.
--
-- A statement writes its rows here with the transaction that it belongs to, and NOTIFY only wakes readers that
-- sleep (fluxbase.realtime.reader). They ask for what their last snapshot did not see: a row that commits late is not skipped.

CREATE SCHEMA realtime;
GRANT USAGE ON SCHEMA realtime TO anon, authenticated, service_role;

CREATE TABLE realtime.changes (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction  xid8 NOT NULL DEFAULT pg_current_xact_id(),
    topic        text NOT NULL,
    type         text NOT NULL CHECK (type IN ('INSERT', 'UPDATE', 'DELETE', 'BULK', 'TRUNCATE', 'BROADCAST')),
    record       jsonb,
    old_record   jsonb,
    details      jsonb,
    at           timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX changes_transaction_idx ON realtime.changes (transaction);
-- Rows live for minutes and are deleted in the order they came.
ALTER TABLE realtime.changes SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000);

-- Who may enter the channels named private:…
CREATE TABLE realtime.channel_members (
    channel    text NOT NULL CHECK (channel LIKE 'private:%' AND length(channel) <= 200),
    user_id    uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    may_send   boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (channel, user_id)
);
CREATE INDEX channel_members_user_idx ON realtime.channel_members (user_id);

ALTER TABLE realtime.changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE realtime.channel_members ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON realtime.changes TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON realtime.channel_members TO service_role USING (true) WITH CHECK (true);
CREATE POLICY own ON realtime.channel_members FOR SELECT TO authenticated USING (user_id = auth.uid());
GRANT SELECT, DELETE ON realtime.changes TO service_role;
GRANT SELECT, INSERT, UPDATE, DELETE ON realtime.channel_members TO service_role;
GRANT SELECT ON realtime.channel_members TO authenticated;

-- Wake the readers that sleep: these hold the lock (fluxbase.realtime.doorbell). Commits with a NOTIFY wait for each other,
-- so there is none while all readers are awake. To be called after the changes were written, never before.
CREATE FUNCTION realtime.wake() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF pg_try_advisory_lock(1718383992, 1) THEN
        PERFORM pg_advisory_unlock(1718383992, 1);
    ELSE
        PERFORM pg_notify('fluxbase_changes', '');
    END IF;
END $$;
REVOKE ALL ON FUNCTION realtime.wake FROM PUBLIC;

-- What the statement triggers run. Aliases are spelled n.* because a table may have a column called n. Above the limit one row says that there were more: whoever listens reads again,
-- which is cheaper for all than thousands of messages.
CREATE FUNCTION realtime.record_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
#variable_conflict use_variable
DECLARE
    row_limit CONSTANT integer := 1000;
    affected bigint := 0;
    topic CONSTANT text := 'table:' || quote_ident(tg_table_schema) || '.' || quote_ident(tg_table_name);
BEGIN
    IF tg_op = 'TRUNCATE' THEN
        INSERT INTO realtime.changes (topic, type) VALUES (topic, 'TRUNCATE');
        PERFORM realtime.wake();
        RETURN NULL;
    ELSIF tg_op = 'DELETE' THEN
        SELECT count(*) INTO affected FROM (SELECT FROM old_rows LIMIT row_limit + 1) AS first_rows;
    ELSE
        SELECT count(*) INTO affected FROM (SELECT FROM new_rows LIMIT row_limit + 1) AS first_rows;
    END IF;
    IF affected = 0 THEN
        RETURN NULL;
    ELSIF affected > row_limit THEN
        INSERT INTO realtime.changes (topic, type, details)
        VALUES (topic, 'BULK', jsonb_build_object('operation', tg_op));
    ELSIF tg_op = 'INSERT' THEN
        INSERT INTO realtime.changes (topic, type, record) SELECT topic, 'INSERT', to_jsonb(n.*) FROM new_rows AS n;
    ELSIF tg_op = 'DELETE' THEN
        INSERT INTO realtime.changes (topic, type, old_record) SELECT topic, 'DELETE', to_jsonb(o.*) FROM old_rows AS o;
    ELSE
        -- Both are filled row by row, so positions pair them, whatever the statement did to the keys.
        INSERT INTO realtime.changes (topic, type, record, old_record)
        SELECT topic, 'UPDATE', n.row, o.row
        FROM (SELECT row_number() OVER () AS place, to_jsonb(r.*) AS row FROM new_rows AS r) AS n
        JOIN (SELECT row_number() OVER () AS place, to_jsonb(r.*) AS row FROM old_rows AS r) AS o USING (place)
        ORDER BY place;
    END IF;
    PERFORM realtime.wake();
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION realtime.record_changes FROM PUBLIC;

-- The runtime's role owns no table, so it cannot make triggers; this does it for the service role alone.
CREATE FUNCTION realtime.set_events(relation regclass, events text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = '5s' AS $$
DECLARE
    place text;
    kind "char";
    event text;
    referencing text;
BEGIN
    SELECT n.nspname, c.relkind INTO place, kind
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation;
    IF place IN ('auth', 'realtime', 'information_schema') OR place LIKE 'pg\_%' THEN
        RAISE insufficient_privilege USING MESSAGE = format('tables of the schema %s do not go live', place);
    ELSIF kind NOT IN ('r', 'p') THEN
        RAISE wrong_object_type USING MESSAGE = format('%s is no table', relation);
    END IF;
    FOREACH event IN ARRAY ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', 'fluxbase_realtime_' || lower(event), relation);
        CONTINUE WHEN NOT (event = ANY (events) OR (event = 'TRUNCATE' AND 'DELETE' = ANY (events)));
        referencing := CASE event
            WHEN 'INSERT' THEN 'REFERENCING NEW TABLE AS new_rows'
            WHEN 'UPDATE' THEN 'REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows'
            WHEN 'DELETE' THEN 'REFERENCING OLD TABLE AS old_rows'
            ELSE '' END;
        EXECUTE format('CREATE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION realtime.record_changes()',
                       'fluxbase_realtime_' || lower(event), event, relation, referencing);
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION realtime.set_events FROM PUBLIC;
GRANT EXECUTE ON FUNCTION realtime.set_events TO service_role;

-- Send to a channel when this transaction commits, and not before; every server process hears it.
CREATE FUNCTION realtime.send(channel text, event text, payload jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    INSERT INTO realtime.changes (topic, type, details)
    VALUES ('channel:' || channel, 'BROADCAST', jsonb_build_object('event', event, 'payload', payload));
    SELECT realtime.wake();
$$;
REVOKE ALL ON FUNCTION realtime.send FROM PUBLIC;
GRANT EXECUTE ON FUNCTION realtime.send TO service_role;

-- What row-level security lets the current role SELECT of a table, as one expression: any permissive policy, and every
-- restrictive one. The empty search path makes PostgreSQL write out every name, as for pg_dump.
CREATE FUNCTION realtime.select_condition(relation regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT CASE
        WHEN r.rolbypassrls OR r.rolsuper THEN 'true'
        WHEN NOT c.relrowsecurity THEN CASE WHEN current_user = 'service_role' THEN 'true' ELSE 'false' END
        ELSE coalesce('(' || p.permissive || ')', 'false') || coalesce(' AND ' || p.restrictive, '')
    END
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_roles r ON r.rolname = current_user
    CROSS JOIN LATERAL (
        SELECT string_agg('(' || pg_get_expr(polqual, polrelid) || ')', ' OR ' ORDER BY oid)
                   FILTER (WHERE polpermissive) AS permissive,
               string_agg('(' || pg_get_expr(polqual, polrelid) || ')', ' AND ' ORDER BY oid)
                   FILTER (WHERE NOT polpermissive) AS restrictive
        FROM pg_catalog.pg_policy
        WHERE polrelid = c.oid AND polcmd IN ('r', '*')
          AND EXISTS (SELECT FROM unnest(polroles) AS who WHERE who = 0 OR pg_has_role(current_user, who, 'USAGE'))
    ) AS p
    WHERE c.oid = relation
$$;

-- Which of `records` each of `requests` ({"claims": "…", "records": [positions from 0]}) may see, judged by the policies
-- on the rows as they were recorded: what a row has become since, or that it is gone, says nothing of who might see it.
-- Runs as the role that listens, whose rights the policies' own queries have. One call serves any number of claims.
CREATE FUNCTION realtime.visible_records(relation regclass, records jsonb, requests jsonb)
RETURNS TABLE (request integer, place integer) LANGUAGE plpgsql AS $$
DECLARE
    probe text;
BEGIN
    -- Policies must not be asked under made-up claims by whoever reaches this function by SQL.
    IF pg_catalog.current_setting('realtime.checking', true) IS DISTINCT FROM 'on' THEN
        RAISE insufficient_privilege USING MESSAGE = 'only the realtime server asks this';
    END IF;
    SELECT pg_catalog.format(
               'SELECT c.place::integer FROM pg_catalog.jsonb_array_elements_text($1) AS c (place) WHERE EXISTS ('
               'SELECT FROM pg_catalog.jsonb_populate_record(NULL::%1$I.%2$I, $2 -> c.place::integer) AS %2$I WHERE %3$s)',
               n.nspname, t.relname, realtime.select_condition(relation))
    INTO probe
    FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace WHERE t.oid = relation;
    FOR number IN 0 .. pg_catalog.jsonb_array_length(requests) - 1 LOOP
        request := number;
        PERFORM pg_catalog.set_config('request.jwt.claims', requests -> request ->> 'claims', true);
        FOR place IN EXECUTE probe USING requests -> request -> 'records', records LOOP
            RETURN NEXT;
        END LOOP;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION realtime.visible_records FROM PUBLIC;
GRANT EXECUTE ON FUNCTION realtime.visible_records TO anon, authenticated, service_role;
REVOKE ALL ON FUNCTION realtime.select_condition FROM PUBLIC;
GRANT EXECUTE ON FUNCTION realtime.select_condition TO anon, authenticated, service_role;
