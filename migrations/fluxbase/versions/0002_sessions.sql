-- A session is one sign-in: a browser holds its opaque token, other clients a short JWT that names it and a refresh
-- token that is used once. Whatever they hold, the row decides.

ALTER TABLE auth.sessions ALTER COLUMN token_hash DROP NOT NULL;

-- Called by every transaction of a signed-in caller, before it does anything else (fluxbase.db.database).
CREATE FUNCTION auth.session_is_live(session uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$ SELECT EXISTS (SELECT FROM auth.sessions WHERE id = session AND expires_at > now()) $$;
REVOKE ALL ON FUNCTION auth.session_is_live FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.session_is_live TO anon, authenticated, service_role;
