-- name: lock_first_account
SELECT pg_advisory_xact_lock(hashtext('fluxbase first account'));

-- name: any_user
SELECT EXISTS (SELECT FROM auth.users);

-- name: insert_user
INSERT INTO auth.users (email, encrypted_password, user_metadata)
VALUES ($1, $2, $3)
ON CONFLICT ((lower(email))) DO NOTHING
RETURNING id, email, user_metadata, app_metadata, created_at, last_sign_in_at;

-- name: find_credentials
SELECT id, encrypted_password FROM auth.users WHERE lower(email) = lower($1);

-- name: find_password
SELECT encrypted_password FROM auth.users WHERE id = $1;

-- name: mark_signed_in
UPDATE auth.users SET last_sign_in_at = $2 WHERE id = $1 AND encrypted_password = $3
RETURNING id, email, user_metadata, app_metadata, created_at, last_sign_in_at;

-- name: set_password
UPDATE auth.users SET encrypted_password = $2, updated_at = $3 WHERE id = $1;

-- name: set_metadata
UPDATE auth.users SET user_metadata = $2, updated_at = $3 WHERE id = $1
RETURNING id, email, user_metadata, app_metadata, created_at, last_sign_in_at;

-- name: replace_hash
UPDATE auth.users SET encrypted_password = $2 WHERE id = $1;

-- name: delete_user
DELETE FROM auth.users WHERE id = $1;

-- name: insert_session
INSERT INTO auth.sessions (user_id, token_hash, user_agent, ip, created_at, last_used_at, expires_at)
VALUES ($1, $2, $3, $4::text::inet, $5, $5, $6)
RETURNING id;

-- name: find_session
SELECT u.id, u.email, u.user_metadata, u.app_metadata, u.created_at, u.last_sign_in_at,
       s.id AS session_id, s.last_used_at
FROM auth.sessions s
JOIN auth.users u ON u.id = s.user_id
WHERE s.token_hash = $1 AND s.expires_at > $2;

-- name: find_session_by_id
SELECT u.id, u.email, u.user_metadata, u.app_metadata, u.created_at, u.last_sign_in_at,
       s.id AS session_id, s.last_used_at
FROM auth.sessions s
JOIN auth.users u ON u.id = s.user_id
WHERE s.id = $1 AND s.expires_at > $2;

-- name: touch_session
UPDATE auth.sessions SET last_used_at = $2 WHERE id = $1;

-- name: delete_session
DELETE FROM auth.sessions WHERE token_hash = $1 RETURNING user_id;

-- name: delete_session_by_id
DELETE FROM auth.sessions WHERE id = $1 RETURNING user_id;

-- name: delete_other_sessions
DELETE FROM auth.sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2;

-- name: delete_expired_sessions
DELETE FROM auth.sessions WHERE user_id = $1 AND expires_at <= $2;

-- name: insert_audit
INSERT INTO auth.audit_log_entries (actor_id, action, metadata, ip) VALUES ($1, $2, $3, $4::text::inet);
