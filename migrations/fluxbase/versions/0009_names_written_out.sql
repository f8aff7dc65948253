-- As before, with every name written out: format takes "any", so a function public.format(text, text, text[]) fits better,
-- and whoever may create one (everybody, in a database that is older than PostgreSQL 15) would be asked as the caller.
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
    ignored := pg_catalog.set_config('role', as_role, true);
    ignored := pg_catalog.set_config('request.jwt.claims', as_claims, true);
    IF as_session IS NOT NULL THEN
        ignored := auth.require_session(as_session);
    END IF;
    IF only_reads THEN
        ignored := pg_catalog.set_config('transaction_read_only', 'on', true);
    END IF;
    IF plan IS NULL THEN
        EXECUTE statement INTO body, row_count, total USING parameters;
    ELSE
        without_values := parameters OPERATOR(pg_catalog.=) '{}';
        -- PREPARE is not undone with a transaction that fails.
        IF statement IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_prepared_statements WHERE name OPERATOR(pg_catalog.=) plan
        ) THEN
            EXECUTE pg_catalog.format(
                CASE WHEN without_values THEN 'PREPARE %I AS %s' ELSE 'PREPARE %I(text[]) AS %s' END, plan, statement);
        END IF;
        IF without_values THEN
            EXECUTE pg_catalog.format('EXECUTE %I', plan) INTO body, row_count, total;
        ELSE
            EXECUTE pg_catalog.format('EXECUTE %I(%L)', plan, parameters) INTO body, row_count, total;
        END IF;
    END IF;
    IF pg_catalog.octet_length(body) OPERATOR(pg_catalog.>) most_bytes THEN
        RAISE EXCEPTION '%', pg_catalog.octet_length(body) USING ERRCODE = 'FBBIG';
    END IF;
END $$;
