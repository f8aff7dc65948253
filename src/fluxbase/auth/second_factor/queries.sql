-- name: has_second_factor
SELECT EXISTS (SELECT FROM auth.totp_factors WHERE user_id = $1 AND enabled_at IS NOT NULL);

-- name: begin_enrolment
INSERT INTO auth.totp_factors (user_id, sealed_secret, created_at) VALUES ($1, $2, $3)
ON CONFLICT (user_id) DO UPDATE SET sealed_secret = $2, last_step = 0, created_at = $3
WHERE totp_factors.enabled_at IS NULL
RETURNING user_id;

-- name: find_factor
SELECT sealed_secret, created_at, enabled_at FROM auth.totp_factors WHERE user_id = $1 FOR UPDATE;

-- name: use_step
UPDATE auth.totp_factors SET last_step = $2 WHERE user_id = $1 AND last_step < $2 RETURNING user_id;

-- name: enable_factor
UPDATE auth.totp_factors SET enabled_at = $2 WHERE user_id = $1;

-- name: delete_factor
DELETE FROM auth.totp_factors WHERE user_id = $1;

-- name: delete_recovery_codes
DELETE FROM auth.recovery_codes WHERE user_id = $1;

-- name: insert_recovery_codes
INSERT INTO auth.recovery_codes (user_id, code_hash) SELECT $1, unnest($2::bytea[]);

-- name: spend_recovery_code
DELETE FROM auth.recovery_codes WHERE user_id = $1 AND code_hash = $2 RETURNING user_id;

-- name: count_recovery_codes
SELECT count(*) FROM auth.recovery_codes WHERE user_id = $1;
