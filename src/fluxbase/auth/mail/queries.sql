-- name: insert_mail_request
INSERT INTO auth.mail_requests (purpose, email, redirect_to, next_attempt_at, created_at)
VALUES ($1, $2, $3, $4, $4);

-- name: wake_sender
SELECT pg_notify('fluxbase_mail', '');

-- name: claim_mail_request
UPDATE auth.mail_requests SET attempts = attempts + 1, next_attempt_at = $1::timestamptz + $2::interval
WHERE id = (
    SELECT id FROM auth.mail_requests WHERE next_attempt_at <= $1 ORDER BY next_attempt_at LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING id, purpose, email, redirect_to, attempts, created_at;

-- name: delay_mail_request
UPDATE auth.mail_requests SET next_attempt_at = $2 WHERE id = $1;

-- name: delete_mail_request
DELETE FROM auth.mail_requests WHERE id = $1;

-- name: drop_identities
DELETE FROM auth.identities WHERE user_id = $1;

-- name: drop_departures
DELETE FROM auth.oauth_states WHERE link_user_id = $1;

-- name: drop_factor
DELETE FROM auth.totp_factors WHERE user_id = $1;

-- name: drop_recovery_codes
DELETE FROM auth.recovery_codes WHERE user_id = $1;

-- name: drop_tokens
DELETE FROM auth.one_time_tokens WHERE user_id = $1;
