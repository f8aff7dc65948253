-- name: make_organization
INSERT INTO organizations (name, slug) VALUES ('Load', 'load') RETURNING id

-- name: make_project
INSERT INTO projects (organization_id, name, slug) VALUES ($1, 'Load', 'load') RETURNING id, created_at

-- name: make_key
INSERT INTO api_keys (project_id, name, prefix, key_hash) VALUES ($1, 'load', 'fg_load', 'load') RETURNING id

-- name: count_ended
SELECT count(*) FILTER (WHERE state = 'analyzed') AS done, count(*) FILTER (WHERE state = 'failed') AS failed
FROM ingestions

-- name: latencies
SELECT extract(epoch FROM analyzed_at - created_at)::float8 AS seconds FROM ingestions WHERE state = 'analyzed'
