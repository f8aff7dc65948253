-- name: account_by_email
SELECT id, email, created_at FROM auth.users WHERE lower(email) = lower($1)

-- name: first_accounts
SELECT id, email, created_at FROM auth.users ORDER BY created_at, id LIMIT 2

-- name: organization_by_slug
SELECT id FROM organizations WHERE slug = $1

-- name: make_owner
INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, 'OWNER')
ON CONFLICT (organization_id, user_id) DO UPDATE SET role = 'OWNER'

-- name: runs_of_project
SELECT count(*) FROM test_runs WHERE project_id = $1

-- name: attempts_of_project
SELECT coalesce(sum(test_results), 0) FROM ingestions WHERE project_id = $1

-- name: newest_run_of_branch
SELECT id FROM test_runs WHERE project_id = $1 AND branch = $2 ORDER BY executed_at DESC, key DESC LIMIT 1

-- name: case_by_name
SELECT id FROM test_cases WHERE project_id = $1 AND class_name = $2 AND name = $3 AND variant = $4

-- name: backdate_uploads
UPDATE ingestions i
SET created_at = r.completed_at, stored_at = r.completed_at + interval '300 ms', analyzed_at = r.completed_at + interval '500 ms'
FROM test_runs r WHERE r.id = i.run_id AND i.project_id = $1 AND r.completed_at IS NOT NULL

-- name: backdate_files
UPDATE junit_files f SET created_at = i.created_at FROM ingestions i WHERE i.id = f.ingestion_id AND i.project_id = $1

-- name: backdate_runs
UPDATE test_runs SET created_at = completed_at WHERE project_id = $1 AND completed_at IS NOT NULL

-- name: backdate_changes
UPDATE verdict_changes v SET created_at = i.analyzed_at
FROM ingestions i WHERE i.run_id = v.run_id AND v.project_id = $1 AND i.analyzed_at IS NOT NULL
