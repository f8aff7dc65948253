-- name: read_until
SELECT until FROM github_delivery_looks WHERE app_id = $1

-- name: set_read_until
INSERT INTO github_delivery_looks (app_id, until) VALUES ($1, $2) ON CONFLICT (app_id) DO UPDATE SET until = excluded.until

-- name: note_missed
INSERT INTO github_missed_deliveries AS old (guid, delivery_id, event, action, installation_id, status, failed_at, ask_after)
SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE NOT EXISTS (SELECT FROM github_deliveries WHERE guid = $1)
ON CONFLICT (guid) DO UPDATE SET delivery_id = greatest(old.delivery_id, excluded.delivery_id), status = excluded.status

-- name: forget_arrived
DELETE FROM github_missed_deliveries m USING github_deliveries d WHERE d.guid = m.guid RETURNING m.guid

-- name: forget_old
DELETE FROM github_missed_deliveries WHERE failed_at < $1

-- name: claim_missed
UPDATE github_missed_deliveries SET asks = asks + 1, asked_at = $1, ask_after = $1 + ($2::interval[])[asks + 1]
WHERE guid = (SELECT m.guid FROM github_missed_deliveries m
              WHERE m.ask_after <= $1 AND m.asks < cardinality($2::interval[]) AND m.failed_at > $3 AND m.error IS NULL
                AND NOT EXISTS (SELECT FROM github_deliveries d WHERE d.guid = m.guid)
              ORDER BY m.failed_at, m.guid LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING guid, delivery_id, event, asks

-- name: unclaim_missed
UPDATE github_missed_deliveries SET asks = asks - 1, ask_after = asked_at WHERE guid = $1

-- name: refuse_missed
UPDATE github_missed_deliveries SET error = $2 WHERE guid = $1

-- name: known_deliveries
SELECT d.guid, d.state, 0 AS asks, d.error FROM github_deliveries d WHERE d.guid = ANY($1::text[])
UNION ALL
SELECT m.guid, 'missed', m.asks, m.error FROM github_missed_deliveries m
WHERE m.guid = ANY($1::text[]) AND NOT EXISTS (SELECT FROM github_deliveries d WHERE d.guid = m.guid)
