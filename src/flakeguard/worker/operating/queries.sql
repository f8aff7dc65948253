-- name: owed
SELECT to_jsonb(o) FROM outbox o WHERE job_id = $1 AND queue = $2
