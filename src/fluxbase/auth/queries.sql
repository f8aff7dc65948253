-- name: lock_first_account
SELECT pg_advisory_xact_lock(hashtext('fluxbase first account'));

-- name: any_user
SELECT EXISTS (SELECT FROM auth.users);

-- name: insert_user
INSERT INTO auth.users (email, encrypted_password, user_metadata, email_confirmed_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT ((lower(email))) DO NOTHING
RETURNING id, email, user_metadata, app_metadata, created_at, last_sign_in_at, email_confirmed_at;

-- name: find_credentials
SELECT id, encrypted_password FROM auth.users WHERE lower(email) = lower($1);

-- name: find_user
SELECT id, email, user_metadata, app_metadata, created_at, last_sign_in_at, email_confirmed_at
FROM auth.users WHERE id = $1 FOR UPDATE;

-- name: find_user_by_email
SELECT id, email, user_metadata, app_metadata, created_at, last_sign_in_at, email_confirmed_at
FROM auth.users WHERE lower(email) = lower($1) FOR UPDATE;

-- name: find_password
SELECT encrypted_password FROM auth.users WHERE id = $1;

-- name: hold_credentials
SELECT id, email, user_metadata, app_metadata, created_at, last_sign_in_at, email_confirmed_at
FROM auth.users WHERE id = $1 AND encrypted_password = $2 FOR UPDATE;

-- name: mark_signed_in
UPDATE auth.users SET last_sign_in_at = $2 WHERE id = $1
RETURNING id, email, user_metadata, app_metadata, created_at, last_sign_in_at, email_confirmed_at;

-- name: confirm_email
UPDATE auth.users SET email_confirmed_at = $2, updated_at = $2 WHERE id = $1 AND email_confirmed_at IS NULL
RETURNING id;

-- name: set_password
UPDATE auth.users SET encrypted_password = $2, updated_at = $3 WHERE id = $1;

-- name: set_metadata
UPDATE auth.users SET user_metadata = $2, updated_at = $3 WHERE id = $1
RETURNING id, email, user_metadata, app_metadata, created_at, last_sign_in_at, email_confirmed_at;

-- name: replace_hash
UPDATE auth.users SET encrypted_password = $2 WHERE id = $1;

-- name: delete_user
DELETE FROM auth.users WHERE id = $1;

-- name: insert_session
INSERT INTO auth.sessions (user_id, token_hash, user_agent, ip, created_at, last_used_at, expires_at,
                           aal, amr, identity_id)
VALUES ($1, $2, $3, $4::text::inet, $5, $5, $6, $7, $8, $9)
RETURNING id;

-- name: insert_refresh_token
INSERT INTO auth.refresh_tokens (token_hash, session_id, generation, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5);

-- name: find_refresh_token
SELECT t.generation, t.expires_at < $2 OR s.expires_at <= $2 AS expired, s.id AS session_id, s.user_id,
       s.refresh_generation, s.refreshed_at, s.expires_at
FROM auth.refresh_tokens t
JOIN auth.sessions s ON s.id = t.session_id
WHERE t.token_hash = $1
FOR UPDATE OF s;

-- name: begin_refresh_generation
UPDATE auth.sessions SET refresh_generation = refresh_generation + 1, refreshed_at = $2, last_used_at = $2
WHERE id = $1;

-- name: delete_expired_refresh_tokens
DELETE FROM auth.refresh_tokens WHERE session_id = $1 AND expires_at < $2;

-- name: raise_session
UPDATE auth.sessions SET aal = 'aal2', amr = CASE WHEN $2 = ANY(amr) THEN amr ELSE amr || $2::text END WHERE id = $1;

-- name: lower_sessions
UPDATE auth.sessions SET aal = 'aal1', amr = array_remove(array_remove(amr, 'totp'), 'recovery_code')
WHERE user_id = $1;

-- name: list_sessions
SELECT id, user_agent, host(ip) AS ip, aal, amr, created_at, last_used_at, expires_at
FROM auth.sessions WHERE user_id = $1 AND expires_at > $2
ORDER BY last_used_at DESC, id;

-- name: find_session
SELECT u.id, u.email, u.user_metadata, u.app_metadata, u.created_at, u.last_sign_in_at, u.email_confirmed_at,
       s.id AS session_id, s.last_used_at, s.aal, s.amr, s.created_at AS session_opened_at
FROM auth.sessions s
JOIN auth.users u ON u.id = s.user_id
WHERE s.token_hash = $1 AND s.expires_at > $2;

-- name: find_session_by_id
SELECT u.id, u.email, u.user_metadata, u.app_metadata, u.created_at, u.last_sign_in_at, u.email_confirmed_at,
       s.id AS session_id, s.last_used_at, s.aal, s.amr, s.created_at AS session_opened_at
FROM auth.sessions s
JOIN auth.users u ON u.id = s.user_id
WHERE s.id = $1 AND s.expires_at > $2;

-- name: touch_session
UPDATE auth.sessions SET last_used_at = $2 WHERE id = $1;

-- name: delete_session
DELETE FROM auth.sessions WHERE token_hash = $1 RETURNING user_id;

-- name: delete_session_by_id
DELETE FROM auth.sessions WHERE id = $1 RETURNING user_id;

-- name: delete_session_of
DELETE FROM auth.sessions WHERE user_id = $1 AND id = $2 RETURNING id;

-- name: delete_other_sessions
DELETE FROM auth.sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2;

-- name: delete_expired_sessions
DELETE FROM auth.sessions WHERE user_id = $1 AND expires_at <= $2;

-- name: locked_until
SELECT locked_until FROM auth.lockouts WHERE email = lower($1) AND locked_until > $2;

-- name: note_failure
INSERT INTO auth.lockouts AS l (email, failures, last_failed_at, locked_until)
VALUES (lower($1), 1, $2::timestamptz, CASE WHEN $4::integer <= 1 THEN $2::timestamptz + $3::interval END)
ON CONFLICT (email) DO UPDATE SET
    failures = CASE WHEN l.last_failed_at < $2::timestamptz - $3::interval THEN 1 ELSE l.failures + 1 END,
    last_failed_at = $2::timestamptz,
    locked_until = CASE
        WHEN l.locked_until > $2::timestamptz THEN l.locked_until
        WHEN $4::integer <= 1 OR (l.last_failed_at >= $2::timestamptz - $3::interval AND l.failures + 1 >= $4::integer)
            THEN $2::timestamptz + $3::interval
    END;

-- name: forget_failures
DELETE FROM auth.lockouts WHERE email = lower($1);

-- name: forget_old_failures
DELETE FROM auth.lockouts WHERE email IN (SELECT email FROM auth.lockouts WHERE last_failed_at < $1 LIMIT 100);

-- name: insert_one_time_token
INSERT INTO auth.one_time_tokens (token_hash, user_id, purpose, email, method, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: spend_one_time_token
DELETE FROM auth.one_time_tokens t USING auth.users u
WHERE t.token_hash = $1 AND t.purpose = $2 AND u.id = t.user_id AND t.email = u.email
RETURNING u.id, u.email, t.method, t.expires_at > $3 AS fresh;

-- name: peek_one_time_token
SELECT u.id, u.email, t.method, t.expires_at > $3 AS fresh
FROM auth.one_time_tokens t JOIN auth.users u ON u.id = t.user_id AND t.email = u.email
WHERE t.token_hash = $1 AND t.purpose = $2;

-- name: delete_one_time_tokens
DELETE FROM auth.one_time_tokens WHERE user_id = $1 AND purpose = $2;

-- name: delete_expired_one_time_tokens
DELETE FROM auth.one_time_tokens WHERE user_id = $1 AND expires_at <= $2;

-- name: note_wrong_code
UPDATE auth.one_time_tokens SET attempts = attempts + 1 WHERE user_id = $1 AND purpose = $2 RETURNING attempts;

-- name: insert_audit
INSERT INTO auth.audit_log_entries (actor_id, action, metadata, ip) VALUES ($1, $2, $3, $4::text::inet);
