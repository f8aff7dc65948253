-- name: find_by_prefix
SELECT * FROM auth.service_keys WHERE key_prefix = $1;

-- name: find
SELECT * FROM auth.service_keys WHERE id = $1;

-- name: lock
SELECT * FROM auth.service_keys WHERE id = $1 FOR UPDATE;

-- name: list_keys
SELECT * FROM auth.service_keys ORDER BY created_at DESC, id;

-- name: insert
INSERT INTO auth.service_keys
    (name, key_prefix, key_hash, scopes, rate_limit_per_minute, rate_limit_per_hour, expires_at, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
RETURNING *;

-- name: change
UPDATE auth.service_keys
SET name = $2, scopes = $3, rate_limit_per_minute = $4, rate_limit_per_hour = $5, expires_at = $6, updated_at = $7
WHERE id = $1
RETURNING *;

-- name: set_enabled
UPDATE auth.service_keys SET enabled = $2, updated_at = $3 WHERE id = $1 RETURNING *;

-- name: revoke
UPDATE auth.service_keys SET revoked_at = $2, updated_at = $2 WHERE id = $1 RETURNING *;

-- name: deprecate
-- An end that was set before is never put off: least() passes over a null.
UPDATE auth.service_keys
SET deprecated_at = coalesce(deprecated_at, $2), grace_period_ends_at = least(grace_period_ends_at, $3),
    replaced_by = coalesce($4, replaced_by), updated_at = $2
WHERE id = $1
RETURNING *;

-- name: delete
DELETE FROM auth.service_keys WHERE id = $1;

-- name: touch
UPDATE auth.service_keys SET last_used_at = $2
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3);

-- name: insert_revocation
INSERT INTO auth.service_key_revocations (key_id, kind, reason, revoked_by, grace_period_ends_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: list_revocations
SELECT * FROM auth.service_key_revocations WHERE key_id = $1 ORDER BY id DESC;
