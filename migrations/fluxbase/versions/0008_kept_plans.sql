-- Each request asks this. A function with a search_path of its own costs as much again as the look itself; here every
-- operator and function says where it is from instead.
CREATE OR REPLACE FUNCTION auth.require_session(session uuid) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER AS
$$
BEGIN
    PERFORM FROM auth.sessions
    WHERE id OPERATOR(pg_catalog.=) session AND expires_at OPERATOR(pg_catalog.>) pg_catalog.now();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'FBSES';
    END IF;
END $$;

-- As before; and a statement without values is prepared without a parameter, for then PostgreSQL keeps its plan from the
-- first time on.
CREATE OR REPLACE FUNCTION rest.run(
    as_role text, as_claims text, as_session uuid, only_reads boolean, statement text, parameters text[],
    most_bytes integer, plan text,
    OUT body text, OUT row_count bigint, OUT total bigint
) LANGUAGE plpgsql AS
$$
DECLARE
    ignored text;  -- assignments of simple expressions cost a fraction of PERFORM
    without_values boolean;
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
        without_values := parameters = '{}';
        -- PREPARE is not undone with a transaction that fails.
        IF statement IS NOT NULL AND NOT EXISTS (SELECT FROM pg_prepared_statements WHERE name = plan) THEN
            EXECUTE format(CASE WHEN without_values THEN 'PREPARE %I AS %s' ELSE 'PREPARE %I(text[]) AS %s' END,
                           plan, statement);
        END IF;
        IF without_values THEN
            EXECUTE 'EXECUTE ' || quote_ident(plan) INTO body, row_count, total;
        ELSE
            EXECUTE format('EXECUTE %I(%L)', plan, parameters) INTO body, row_count, total;
        END IF;
    END IF;
    IF octet_length(body) > most_bytes THEN
        RAISE EXCEPTION '%', octet_length(body) USING ERRCODE = 'FBBIG';
    END IF;
END $$;
