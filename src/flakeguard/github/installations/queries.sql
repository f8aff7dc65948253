-- name: know_installation
-- This locks the row for a change, also where nothing of it is new: not for who holds it with others.
INSERT INTO github_installations AS old (id, api_url, account_id, account_login, account_type) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET account_login = excluded.account_login, updated_at = now()
WHERE old.account_id = excluded.account_id AND old.account_login <> excluded.account_login

-- name: hold_installation
SELECT id, account_id, account_login, account_type, organization_id, suspended_at, deleted_at
FROM github_installations
-- Not where its account has a new login: who changes the row must not hold it with others, who may want the same.
WHERE id = $1 AND ($2::bigint IS NULL OR account_id <> $2 OR account_login = $3)
FOR SHARE

-- name: find_installation
SELECT id, account_id, account_login, account_type, organization_id, suspended_at, deleted_at
FROM github_installations WHERE id = $1

-- name: set_deleted
UPDATE github_installations SET deleted_at = $2, updated_at = now() WHERE id = $1

-- name: set_suspended
UPDATE github_installations SET suspended_at = $2, updated_at = now() WHERE id = $1

-- name: find_repository
SELECT id, installation_id, full_name, default_branch, private, project_id, removed_at, chosen_in, chosen_project_id
FROM github_repositories WHERE id = $1

-- name: put_repository
INSERT INTO github_repositories AS old (id, installation_id, full_name, default_branch, private)
VALUES ($1, $2, $3, $4, coalesce($5, true))
ON CONFLICT (id) DO UPDATE SET
    installation_id = excluded.installation_id,
    full_name = excluded.full_name,
    default_branch = coalesce(excluded.default_branch, old.default_branch),
    private = coalesce($5, old.private),
    -- What was agreed with the former installation ends with it.
    project_id = CASE WHEN old.installation_id = excluded.installation_id THEN old.project_id END,
    chosen_in = CASE WHEN old.installation_id = excluded.installation_id THEN old.chosen_in END,
    chosen_project_id = CASE WHEN old.installation_id = excluded.installation_id THEN old.chosen_project_id END,
    removed_at = CASE WHEN old.installation_id = excluded.installation_id AND NOT $6 THEN old.removed_at END,
    etags = CASE WHEN old.installation_id = excluded.installation_id THEN old.etags ELSE '{}' END,
    poll_failures = CASE WHEN old.installation_id = excluded.installation_id THEN old.poll_failures ELSE 0 END,
    poll_after = CASE WHEN old.installation_id = excluded.installation_id THEN old.poll_after END,
    updated_at = now()
RETURNING id, installation_id, full_name, default_branch, private, project_id, removed_at, chosen_in, chosen_project_id

-- name: remove_repositories
UPDATE github_repositories SET removed_at = $3, updated_at = now()
WHERE installation_id = $1 AND id = ANY($2::bigint[]) AND removed_at IS NULL

-- name: remove_all_repositories
UPDATE github_repositories SET removed_at = $2, updated_at = now() WHERE installation_id = $1 AND removed_at IS NULL

-- name: keep_only_repositories
UPDATE github_repositories SET removed_at = $3, updated_at = now()
WHERE installation_id = $1 AND id <> ALL($2::bigint[]) AND removed_at IS NULL

-- name: unmapped_repositories
SELECT id, installation_id, full_name, default_branch, private, project_id, removed_at, chosen_in, chosen_project_id
FROM github_repositories
WHERE installation_id = $1 AND project_id IS NULL AND removed_at IS NULL
ORDER BY full_name, id

-- name: find_free_project
SELECT p.id FROM projects p
WHERE p.organization_id = $1 AND p.slug = $2
  AND NOT EXISTS (SELECT FROM github_repositories r WHERE r.project_id = p.id AND r.id <> $3)

-- name: make_project
INSERT INTO projects (organization_id, name, slug, default_branch) VALUES ($1, $2, $3, $4)
ON CONFLICT (organization_id, slug) DO NOTHING
RETURNING id

-- name: map_repository
UPDATE github_repositories SET project_id = $2, updated_at = now() WHERE id = $1

-- name: choose_project
UPDATE github_repositories SET project_id = $2, chosen_project_id = $2, chosen_in = organization_id, updated_at = now()
WHERE id = $1

-- name: lock_installation
SELECT id, account_id, account_login, account_type, organization_id, suspended_at, deleted_at
FROM github_installations WHERE id = $1 FOR UPDATE

-- name: bind_installation
UPDATE github_installations SET organization_id = $2, bound_by = $3, bound_at = $4, updated_at = now() WHERE id = $1

-- name: unmap_all
UPDATE github_repositories SET project_id = NULL, updated_at = now(),
    -- Who comes after somebody else hears nothing of what those had chosen.
    chosen_in = CASE WHEN $2::bigint IS NULL OR chosen_in = $2 THEN chosen_in END,
    chosen_project_id = CASE WHEN $2::bigint IS NULL OR chosen_in = $2 THEN chosen_project_id END
WHERE installation_id = $1

-- name: list_installations
SELECT id, account_id, account_login, account_type, organization_id, suspended_at, deleted_at
FROM github_installations WHERE organization_id = $1
ORDER BY deleted_at IS NOT NULL, account_login, id DESC

-- name: list_repositories
SELECT r.id, r.installation_id, r.full_name, r.private, r.project_id, r.removed_at, p.name AS project_name,
       (SELECT max(g.updated_at) FROM github_runs g WHERE g.repository_id = r.id) AS last_run_at
FROM github_repositories r
JOIN github_installations i ON i.id = r.installation_id
LEFT JOIN projects p ON p.id = r.project_id
WHERE i.organization_id = $1
ORDER BY r.removed_at IS NOT NULL, r.full_name, r.id
LIMIT $2

-- name: find_choice
SELECT r.id, r.full_name, r.project_id
FROM github_repositories r JOIN github_installations i ON i.id = r.installation_id
WHERE i.organization_id = $1 AND r.id = $2 AND r.removed_at IS NULL
FOR UPDATE OF r

-- name: unlisted_installations
SELECT id FROM github_installations
WHERE api_url = $1 AND deleted_at IS NULL AND id <> ALL($2::bigint[]) AND created_at < $3
ORDER BY id FOR UPDATE

-- name: bound_installations
SELECT id FROM github_installations
WHERE organization_id IS NOT NULL AND deleted_at IS NULL AND suspended_at IS NULL ORDER BY id

-- name: drop_unreached
UPDATE github_repositories SET removed_at = $3, updated_at = now()
WHERE installation_id = $1 AND id <> ALL($2::bigint[]) AND removed_at IS NULL AND updated_at < $4
RETURNING id
