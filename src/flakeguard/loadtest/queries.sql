-- name: make_organization
INSERT INTO organizations (name, slug) VALUES ('Load', 'load') RETURNING id

-- name: make_installation
INSERT INTO github_installations (id, api_url, account_id, account_login, organization_id, bound_at)
VALUES ($1, $2, 1, 'load', $3, now())

-- name: make_repository
WITH project AS (
    INSERT INTO projects (organization_id, name, slug) VALUES ($1, $2, $2) RETURNING id
)
INSERT INTO github_repositories (id, installation_id, organization_id, full_name, default_branch, project_id)
SELECT $3, $4, $1, 'load/' || $2, 'main', id FROM project

-- name: count_ended
SELECT (SELECT count(*) FROM github_check_runs WHERE digest IS NOT NULL) AS done,
       (SELECT count(*) FROM outbox WHERE dead_at IS NOT NULL) AS failed

-- name: ends
SELECT g.workflow_run_id AS run, extract(epoch FROM i.analyzed_at)::float8 AS analyzed,
       extract(epoch FROM c.updated_at)::float8 AS published
FROM github_runs g JOIN github_run_ingestions USING (repository_id, workflow_run_id, run_attempt)
JOIN ingestions i ON i.id = ingestion_id
JOIN github_check_runs c ON (c.repository_id, c.head_sha) = (g.repository_id, g.head_sha)
WHERE i.state = 'analyzed' AND c.digest IS NOT NULL

-- name: stored
SELECT coalesce(sum(test_results), 0)::bigint FROM ingestions

-- name: verdicts
SELECT verdict, count(*) AS tests FROM flake_stats GROUP BY verdict ORDER BY verdict
