-- name: try_turn
SELECT pg_try_advisory_xact_lock(hashtextextended('flakeguard retention', 0))

-- name: clear_contents
UPDATE junit_files SET content = NULL WHERE id IN (
    SELECT f.id FROM junit_files f JOIN ingestions i ON i.id = f.ingestion_id
    WHERE f.created_at < $1 AND f.content IS NOT NULL AND i.state <> 'accepted'
    LIMIT $2
)

-- name: drop_months
SELECT months, events FROM flakeguard.drop_event_months($1)

-- name: oldest_event
SELECT min(created_at) FROM flake_events WHERE created_at >= $1 AND created_at < $2

-- name: delete_events
DELETE FROM flake_events WHERE created_at >= $1 AND created_at < $2
