-- Keys of machines. Only a digest of a key is stored; the prefix names it in lists and logs. A row decides on each
-- request, so whoever changes it by SQL ends or limits the key at once.

CREATE TABLE auth.service_keys (
    id                    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name                  text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    key_prefix            text NOT NULL UNIQUE,
    key_hash              bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    scopes                text[] NOT NULL CHECK (cardinality(scopes) > 0),
    enabled               boolean NOT NULL DEFAULT true,
    rate_limit_per_minute integer CHECK (rate_limit_per_minute > 0),
    rate_limit_per_hour   integer CHECK (rate_limit_per_hour > 0),
    last_used_at          timestamptz,
    expires_at            timestamptz,
    revoked_at            timestamptz,
    deprecated_at         timestamptz,
    grace_period_ends_at  timestamptz,
    replaced_by           uuid REFERENCES auth.service_keys ON DELETE SET NULL,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX service_keys_replaced_by_idx ON auth.service_keys (replaced_by);

-- What ended a key, or will. Goes with the key; auth.audit_log_entries stays.
CREATE TABLE auth.service_key_revocations (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_id               uuid NOT NULL REFERENCES auth.service_keys ON DELETE CASCADE,
    kind                 text NOT NULL CHECK (kind IN ('revoked', 'rotated', 'deprecated')),
    reason               text CHECK (length(reason) <= 1000),
    revoked_by           text NOT NULL,
    grace_period_ends_at timestamptz,
    created_at           timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX service_key_revocations_key_idx ON auth.service_key_revocations (key_id, id DESC);

-- Open sockets hold a key for longer than one request: whoever keeps them listens, and looks again.
CREATE FUNCTION auth.notify_service_key() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_notify('fluxbase_service_keys', OLD.id::text); RETURN NULL; END $$;
CREATE TRIGGER fluxbase_service_keys_changed
    AFTER DELETE OR UPDATE OF key_hash, scopes, enabled, expires_at, revoked_at, grace_period_ends_at
    ON auth.service_keys FOR EACH ROW EXECUTE FUNCTION auth.notify_service_key();

ALTER TABLE auth.service_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.service_key_revocations ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON auth.service_keys TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON auth.service_key_revocations TO service_role USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON auth.service_keys TO service_role;
GRANT SELECT, INSERT ON auth.service_key_revocations TO service_role;
