-- What the REST interface needs of the database: word of changed tables, and a way to expose one's own.

CREATE SCHEMA IF NOT EXISTS rest;
REVOKE ALL ON SCHEMA rest FROM PUBLIC;
GRANT USAGE ON SCHEMA rest TO service_role;

-- Like auth.session_is_live, but an error where there is none: it fits into the message that begins a transaction,
-- and costs no round trip of its own. FBSES is ours (fluxbase.db.database makes SessionEndedError of it).
CREATE FUNCTION auth.require_session(session uuid) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
BEGIN
    PERFORM FROM auth.sessions WHERE id = session AND expires_at > now();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'FBSES';
    END IF;
END $$;
REVOKE ALL ON FUNCTION auth.require_session FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.require_session TO anon, authenticated, service_role;

-- A whole request in one round trip: become the role, make sure that the session lives, run one statement, and commit
-- by ending. It runs with the rights of whoever calls it and can do nothing that they could not do step by step; only
-- a login that may become the roles gets anywhere with it. Without a `plan` EXECUTE plans with the values at hand, so that
-- no tenant gets the plan of another. With one, `statement` is prepared under that name; when it is NULL, it was before.
-- FBBIG is ours: an answer of more than `most_bytes` goes nowhere, and what the statement changed is undone.
CREATE FUNCTION rest.run(
    as_role text, as_claims text, as_session uuid, only_reads boolean, statement text, parameters text[],
    most_bytes integer, plan text,
    OUT body text, OUT row_count bigint, OUT total bigint
) LANGUAGE plpgsql AS
$$
DECLARE
    ignored text;  -- assignments of simple expressions cost a fraction of PERFORM
BEGIN
    ignored := set_config('role', as_role, true);
    ignored := set_config('request.jwt.claims', as_claims, true);
    IF as_session IS NOT NULL THEN
        ignored := auth.require_session(as_session);
    END IF;
    IF only_reads THEN
        ignored := set_config('transaction_read_only', 'on', true);
    END IF;
    IF plan IS NULL THEN
        EXECUTE statement INTO body, row_count, total USING parameters;
    ELSE
        -- PREPARE is not undone with a transaction that fails.
        IF statement IS NOT NULL AND NOT EXISTS (SELECT FROM pg_prepared_statements WHERE name = plan) THEN
            EXECUTE format('PREPARE %I(text[]) AS %s', plan, statement);
        END IF;
        EXECUTE format('EXECUTE %I(%L)', plan, parameters) INTO body, row_count, total;
    END IF;
    IF octet_length(body) > most_bytes THEN
        RAISE EXCEPTION '%', octet_length(body) USING ERRCODE = 'FBBIG';
    END IF;
END $$;
GRANT USAGE ON SCHEMA rest TO PUBLIC;

-- Event triggers belong to superusers. Where there is none, the server looks at the catalog every few seconds instead.
CREATE FUNCTION rest.announce_change() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS
$$ BEGIN PERFORM pg_notify('fluxbase_catalog', ''); END $$;
DO $$
BEGIN
    CREATE EVENT TRIGGER fluxbase_catalog_changed ON ddl_command_end EXECUTE FUNCTION rest.announce_change();
    CREATE EVENT TRIGGER fluxbase_catalog_dropped ON sql_drop EXECUTE FUNCTION rest.announce_change();
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'no event trigger without a superuser: the server looks for changed tables itself';
END $$;

-- Opens a table or view of the operator's own: row-level security on, privileges granted, and, when owner_column is
-- named, the policy that each user has their own rows. It runs with the rights of whoever calls it.
CREATE FUNCTION rest.expose(target regclass, owner_column name DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS
$$
DECLARE
    kind "char" := (SELECT relkind FROM pg_class WHERE oid = target);
    home name := (SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = target);
    sequence regclass;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO anon, authenticated, service_role', home);
    EXECUTE format('GRANT SELECT ON %s TO anon', target);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO authenticated, service_role', target);
    IF kind = 'v' THEN
        EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', target);
        RETURN;
    ELSIF kind NOT IN ('r', 'p') THEN
        RAISE EXCEPTION '% is neither a table nor a view', target USING ERRCODE = 'wrong_object_type';
    END IF;
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    FOR sequence IN
        SELECT objid::regclass FROM pg_depend
        WHERE refobjid = target AND refobjsubid > 0 AND classid = 'pg_class'::regclass
          AND deptype IN ('a', 'i') AND (SELECT relkind FROM pg_class WHERE oid = objid) = 'S'
    LOOP
        EXECUTE format('GRANT USAGE ON SEQUENCE %s TO authenticated, service_role', sequence);
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = target AND polname = 'service') THEN
        EXECUTE format('CREATE POLICY service ON %s TO service_role USING (true) WITH CHECK (true)', target);
    END IF;
    IF owner_column IS NOT NULL THEN
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT auth.uid()', target, owner_column);
        EXECUTE format(
            'CREATE POLICY owner ON %s TO authenticated USING (%I = auth.uid()) WITH CHECK (%I = auth.uid())',
            target, owner_column, owner_column);
    END IF;
END $$;
REVOKE ALL ON FUNCTION rest.expose, rest.announce_change FROM PUBLIC;
