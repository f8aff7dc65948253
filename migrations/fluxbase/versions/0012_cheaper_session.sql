-- Every request of somebody signed in asks this. `SET search_path` costs as much as the question; names that are written out
-- need none, and leave nothing for a caller's own search_path to lead astray.
CREATE OR REPLACE FUNCTION auth.require_session(session uuid) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER AS
$$
BEGIN
    PERFORM FROM auth.sessions
    WHERE sessions.id OPERATOR(pg_catalog.=) session AND sessions.expires_at OPERATOR(pg_catalog.>) pg_catalog.now();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'FBSES';
    END IF;
END $$;
ALTER FUNCTION auth.require_session(uuid) RESET search_path;
