-- name: owed
SELECT to_jsonb(o) FROM outbox o WHERE job_id = $1 AND queue = $2

-- name: make_operator
UPDATE auth.users SET app_metadata = app_metadata || '{"flakeguard_operator": true}' WHERE email = $1 RETURNING id

-- name: unmake_operator
UPDATE auth.users SET app_metadata = app_metadata - 'flakeguard_operator' WHERE email = $1 RETURNING id

-- name: operators
SELECT email FROM auth.users WHERE app_metadata -> 'flakeguard_operator' = 'true'::jsonb ORDER BY email
