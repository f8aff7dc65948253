-- A session is one sign-in: a browser holds its opaque token, other clients a short JWT that names it and a refresh
-- token that is used once. Whatever they hold, the row decides (docs/adr/0010-one-session-row.md).

ALTER TABLE auth.sessions
    ALTER COLUMN token_hash DROP NOT NULL,
    -- How it was opened, as the claims aal and amr tell it.
    ADD COLUMN aal text NOT NULL DEFAULT 'aal1' CHECK (aal IN ('aal1', 'aal2')),
    ADD COLUMN amr text[] NOT NULL DEFAULT '{password}',
    -- Of its refresh tokens only those of this generation are good; each use begins the next one.
    ADD COLUMN refresh_generation integer NOT NULL DEFAULT 0,
    ADD COLUMN refreshed_at timestamptz;

-- Called by every transaction of a signed-in caller, before it does anything else (fluxbase.db.database).
CREATE FUNCTION auth.session_is_live(session uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$ SELECT EXISTS (SELECT FROM auth.sessions WHERE id = session AND expires_at > now()) $$;
REVOKE ALL ON FUNCTION auth.session_is_live FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.session_is_live TO anon, authenticated, service_role;

-- Open sockets learn from this that sessions ended: `fluxbase_sessions` carries their ids, separated by commas. An empty
-- payload says that they were too many for a notification (8,000 bytes): look for yourselves.
CREATE FUNCTION auth.tell_ended_sessions() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    most CONSTANT integer := 200;
    ended integer;
BEGIN
    SELECT count(*) INTO ended FROM gone;
    IF ended > most THEN
        PERFORM pg_notify('fluxbase_sessions', '');
    ELSIF ended > 0 THEN
        PERFORM pg_notify('fluxbase_sessions', (SELECT string_agg(id::text, ',') FROM gone));
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION auth.tell_all_sessions_ended() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify('fluxbase_sessions', '');
    RETURN NULL;
END $$;
CREATE TRIGGER fluxbase_sessions_ended AFTER DELETE ON auth.sessions
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION auth.tell_ended_sessions();
CREATE TRIGGER fluxbase_sessions_truncated AFTER TRUNCATE ON auth.sessions
    FOR EACH STATEMENT EXECUTE FUNCTION auth.tell_all_sessions_ended();

CREATE TABLE auth.refresh_tokens (
    token_hash bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES auth.sessions ON DELETE CASCADE,
    generation integer NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX refresh_tokens_session_idx ON auth.refresh_tokens (session_id);

-- By the address that was typed, whether or not it has an account: a lock must not tell that one exists.
CREATE TABLE auth.lockouts (
    email          text PRIMARY KEY CHECK (email = lower(email) AND length(email) <= 320),
    failures       integer NOT NULL,
    last_failed_at timestamptz NOT NULL,
    locked_until   timestamptz
);
CREATE INDEX lockouts_last_failed_idx ON auth.lockouts (last_failed_at);

-- What proves an address or a first step: links, codes, and the ticket between password and second factor.
CREATE TABLE auth.one_time_tokens (
    token_hash bytea PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    purpose    text NOT NULL
        CHECK (purpose IN ('confirmation', 'recovery', 'magiclink', 'otp', 'second_factor', 'exchange')),
    email      text NOT NULL,
    method     text,
    attempts   integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX one_time_tokens_user_idx ON auth.one_time_tokens (user_id, purpose);

-- A new password, whoever sets it, makes worthless what was handed out under the one before.
CREATE FUNCTION auth.spend_one_time_tokens() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    DELETE FROM auth.one_time_tokens WHERE user_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER fluxbase_password_changed AFTER UPDATE OF encrypted_password ON auth.users
    FOR EACH ROW WHEN (OLD.encrypted_password IS DISTINCT FROM NEW.encrypted_password)
    EXECUTE FUNCTION auth.spend_one_time_tokens();

-- Mail that was asked for. Whether the address has an account is looked at when it is sent, not when it is asked for:
-- the answer, and the time it takes, are the same either way. Holds no secret; a token is made for each attempt.
CREATE TABLE auth.mail_requests (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    purpose         text NOT NULL CHECK (purpose IN ('confirmation', 'recovery', 'magiclink', 'otp', 'exists')),
    email           text NOT NULL CHECK (length(email) <= 320),
    redirect_to     text,
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    created_at      timestamptz NOT NULL
);
CREATE INDEX mail_requests_due_idx ON auth.mail_requests (next_attempt_at);

-- The authenticator of a user; its secret is sealed with a key that the database does not have.
CREATE TABLE auth.totp_factors (
    user_id       uuid PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE,
    sealed_secret text NOT NULL,
    last_step     bigint NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL,
    enabled_at    timestamptz
);
CREATE TABLE auth.recovery_codes (
    user_id   uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    code_hash bytea NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);

CREATE TABLE auth.identities (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id         uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    provider        text NOT NULL,
    provider_id     text NOT NULL,
    email           text,
    identity_data   jsonb NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_sign_in_at timestamptz,
    UNIQUE (provider, provider_id)
);
CREATE INDEX identities_user_idx ON auth.identities (user_id);
-- A session ends with the identity that opened it.
ALTER TABLE auth.sessions ADD COLUMN identity_id uuid REFERENCES auth.identities ON DELETE CASCADE;
CREATE INDEX sessions_identity_idx ON auth.sessions (identity_id) WHERE identity_id IS NOT NULL;

-- An identity that was taken away must not come back by itself because its address fits: the runbook deletes identities
-- of accounts that were compromised. Only its user, signed in otherwise, links it again.
CREATE TABLE auth.revoked_identities (
    provider    text NOT NULL,
    provider_id text NOT NULL,
    user_id     uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    revoked_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, provider_id)
);
CREATE FUNCTION auth.remember_revoked_identities() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO auth.revoked_identities (provider, provider_id, user_id)
    SELECT gone.provider, gone.provider_id, gone.user_id
    FROM gone JOIN auth.users u ON u.id = gone.user_id  -- not those that go with their user
    ON CONFLICT (provider, provider_id) DO UPDATE SET user_id = excluded.user_id, revoked_at = now();
    RETURN NULL;
END $$;
CREATE TRIGGER fluxbase_identities_revoked AFTER DELETE ON auth.identities
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION auth.remember_revoked_identities();

-- Between leaving for a provider and coming back. `browser_hash` is of a cookie: who comes back must be who left.
CREATE TABLE auth.oauth_states (
    state_hash    bytea PRIMARY KEY,
    browser_hash  bytea NOT NULL,
    provider      text NOT NULL,
    sealed        text NOT NULL,
    redirect_to   text,
    link_user_id  uuid REFERENCES auth.users ON DELETE CASCADE,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX oauth_states_expires_idx ON auth.oauth_states (expires_at);

DO $$
DECLARE
    closed text;
BEGIN
    FOREACH closed IN ARRAY ARRAY['refresh_tokens', 'lockouts', 'one_time_tokens', 'mail_requests', 'totp_factors',
                                  'recovery_codes', 'identities', 'revoked_identities', 'oauth_states'] LOOP
        EXECUTE format('ALTER TABLE auth.%I ENABLE ROW LEVEL SECURITY', closed);
        EXECUTE format('CREATE POLICY service ON auth.%I TO service_role USING (true) WITH CHECK (true)', closed);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON auth.%I TO service_role', closed);
    END LOOP;
END $$;
