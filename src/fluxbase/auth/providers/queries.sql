-- name: insert_state
INSERT INTO auth.oauth_states (state_hash, browser_hash, provider, sealed, redirect_to, link_user_id, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: delete_expired_states
DELETE FROM auth.oauth_states WHERE expires_at <= $1;

-- name: spend_state
DELETE FROM auth.oauth_states WHERE state_hash = $1 AND browser_hash = $2 AND provider = $3 AND expires_at > $4
RETURNING sealed, redirect_to, link_user_id;

-- name: hold_session
SELECT id FROM auth.sessions WHERE user_id = $1 AND id = $2 AND expires_at > $3 FOR KEY SHARE;

-- name: find_identity
SELECT id, user_id FROM auth.identities WHERE provider = $1 AND provider_id = $2;

-- name: insert_identity
INSERT INTO auth.identities (user_id, provider, provider_id, email, identity_data, created_at)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING id;

-- name: update_identity
UPDATE auth.identities SET email = $2, identity_data = $3, last_sign_in_at = $4 WHERE id = $1;

-- name: list_identities
SELECT id, provider, email, created_at, last_sign_in_at FROM auth.identities WHERE user_id = $1 ORDER BY created_at, id;

-- name: lock_identities
SELECT u.encrypted_password IS NOT NULL AS has_password, (SELECT count(*) FROM auth.identities WHERE user_id = u.id)
FROM auth.users u WHERE u.id = $1 FOR UPDATE;

-- name: delete_identity
DELETE FROM auth.identities WHERE user_id = $1 AND id = $2 RETURNING provider;

-- name: is_revoked
SELECT EXISTS (SELECT FROM auth.revoked_identities WHERE provider = $1 AND provider_id = $2);

-- name: forget_revocation
DELETE FROM auth.revoked_identities WHERE provider = $1 AND provider_id = $2;
