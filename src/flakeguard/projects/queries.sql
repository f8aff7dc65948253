-- name: insert_organization
INSERT INTO organizations (name, slug) VALUES ($1, $2) ON CONFLICT (slug) DO NOTHING
RETURNING id, name, slug, created_at, 'OWNER' AS role;

-- name: find_organization_by_slug
SELECT o.id, o.name, o.slug, o.created_at, m.role
FROM organizations o JOIN memberships m ON m.organization_id = o.id AND m.user_id = $1
WHERE o.slug = $2;

-- name: find_organization_by_id
SELECT o.id, o.name, o.slug, o.created_at, m.role
FROM organizations o JOIN memberships m ON m.organization_id = o.id AND m.user_id = $1
WHERE o.id = $2;

-- name: list_organizations
SELECT o.id, o.name, o.slug, o.created_at, m.role
FROM organizations o JOIN memberships m ON m.organization_id = o.id AND m.user_id = $1
ORDER BY o.name, o.id;

-- name: update_organization
UPDATE organizations SET name = $2, slug = $3 WHERE id = $1;

-- name: lock_organization
SELECT id FROM organizations WHERE id = $1 FOR UPDATE;

-- name: delete_organization
DELETE FROM organizations WHERE id = $1;

-- name: insert_member
INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
RETURNING user_id;

-- name: list_members
SELECT m.user_id, p.email, m.role, m.created_at
FROM memberships m JOIN flakeguard.visible_people() p ON p.user_id = m.user_id
WHERE m.organization_id = $1
ORDER BY array_position(ARRAY['OWNER', 'ADMIN', 'MEMBER', 'VIEWER'], m.role), p.email;

-- name: find_member
SELECT m.user_id, u.email, m.role, m.created_at
FROM memberships m JOIN auth.users u ON u.id = m.user_id
WHERE m.organization_id = $1 AND m.user_id = $2;

-- name: is_member_address
SELECT EXISTS (
    SELECT FROM memberships m JOIN auth.users u ON u.id = m.user_id
    WHERE m.organization_id = $1 AND lower(u.email) = lower($2));

-- name: count_owners
SELECT count(*) FROM memberships WHERE organization_id = $1 AND role = 'OWNER';

-- name: count_members
SELECT count(*) FROM memberships WHERE organization_id = $1;

-- name: set_role
UPDATE memberships SET role = $3 WHERE organization_id = $1 AND user_id = $2;

-- name: delete_member
DELETE FROM memberships WHERE organization_id = $1 AND user_id = $2;

-- name: insert_invite
INSERT INTO invites (organization_id, email, role, token_hash, invited_by, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id, organization_id, (SELECT name FROM organizations WHERE id = organization_id) AS organization_name,
          email, role, invited_by, created_at, expires_at;

-- name: revoke_previous_invites
UPDATE invites SET revoked_at = $3
WHERE organization_id = $1 AND lower(email) = lower($2) AND accepted_at IS NULL AND revoked_at IS NULL;

-- name: revoke_invites_of
UPDATE invites SET revoked_at = $3
WHERE organization_id = $1 AND invited_by = $2 AND accepted_at IS NULL AND revoked_at IS NULL;

-- name: revoke_invite
UPDATE invites SET revoked_at = $3
WHERE organization_id = $1 AND id = $2 AND accepted_at IS NULL AND revoked_at IS NULL
RETURNING id, organization_id, (SELECT name FROM organizations WHERE id = organization_id) AS organization_name,
          email, role, invited_by, created_at, expires_at;

-- name: list_pending_invites
SELECT i.id, i.organization_id, o.name AS organization_name, i.email, i.role, i.invited_by, i.created_at, i.expires_at
FROM invites i JOIN organizations o ON o.id = i.organization_id
WHERE i.organization_id = $1 AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > $2
ORDER BY i.created_at DESC, i.id DESC;

-- name: find_pending_invite
SELECT i.id, i.organization_id, o.name AS organization_name, i.email, i.role, i.invited_by, i.created_at, i.expires_at
FROM invites i JOIN organizations o ON o.id = i.organization_id
WHERE i.token_hash = $1 AND i.accepted_at IS NULL AND i.revoked_at IS NULL;

-- name: accept_invite
UPDATE invites SET accepted_at = $2 WHERE id = $1 AND accepted_at IS NULL AND revoked_at IS NULL RETURNING id;

-- name: insert_project
INSERT INTO projects (organization_id, name, slug, default_branch) VALUES ($1, $2, $3, $4)
ON CONFLICT (organization_id, slug) DO NOTHING
RETURNING id, organization_id, name, slug, default_branch, created_at;

-- name: find_project
SELECT p.id, p.organization_id, o.slug AS organization_slug, p.name, p.slug, p.default_branch, p.created_at, m.role
FROM projects p
JOIN organizations o ON o.id = p.organization_id
JOIN memberships m ON m.organization_id = p.organization_id AND m.user_id = $1
WHERE p.id = $2;

-- name: list_projects
SELECT p.id, p.organization_id, o.slug AS organization_slug, p.name, p.slug, p.default_branch, p.created_at, m.role
FROM projects p
JOIN organizations o ON o.id = p.organization_id
JOIN memberships m ON m.organization_id = p.organization_id AND m.user_id = $1
WHERE $2::bigint IS NULL OR p.organization_id = $2
ORDER BY o.name, p.name, p.id;

-- name: update_project
UPDATE projects SET name = $2, slug = $3, default_branch = $4 WHERE id = $1;

-- name: lock_project
SELECT id FROM projects WHERE id = $1 FOR UPDATE;

-- name: delete_project
DELETE FROM projects WHERE id = $1;

-- name: next_runs_with_events
SELECT id FROM test_runs WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $3;

-- name: delete_events_of_runs
DELETE FROM flake_events WHERE run_id = ANY($1::integer[]);

-- name: insert_key
INSERT INTO api_keys (project_id, name, prefix, key_hash, scopes, created_by, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING id, project_id, name, prefix, scopes, created_by, created_at, expires_at, revoked_at, last_used_at;

-- name: list_keys
SELECT id, project_id, name, prefix, scopes, created_by, created_at, expires_at, revoked_at, last_used_at
FROM api_keys WHERE project_id = $1 ORDER BY revoked_at IS NOT NULL, created_at DESC, id DESC;

-- name: find_key
SELECT id, project_id, name, prefix, scopes, created_by, created_at, expires_at, revoked_at, last_used_at
FROM api_keys WHERE project_id = $1 AND id = $2 FOR UPDATE;

-- name: revoke_key
UPDATE api_keys SET revoked_at = coalesce(revoked_at, $3) WHERE project_id = $1 AND id = $2
RETURNING id, project_id, name, prefix, scopes, created_by, created_at, expires_at, revoked_at, last_used_at;

-- name: revoke_all_keys
UPDATE api_keys SET revoked_at = $2 WHERE project_id = $1 AND revoked_at IS NULL;

-- name: expire_key
UPDATE api_keys SET expires_at = least(expires_at, $3) WHERE project_id = $1 AND id = $2;

-- name: find_key_by_prefix
SELECT k.id, k.name, k.prefix, k.key_hash, k.scopes, k.expires_at, k.revoked_at, k.last_used_at,
       p.id AS project_id, p.organization_id, o.slug AS organization_slug, p.name AS project_name,
       p.slug AS project_slug, p.default_branch, p.created_at AS project_created_at
FROM api_keys k
JOIN projects p ON p.id = k.project_id
JOIN organizations o ON o.id = p.organization_id
WHERE k.prefix = $1;

-- name: touch_key
UPDATE api_keys SET last_used_at = $2 WHERE id = $1;

-- name: insert_audit
INSERT INTO audit_events (organization_id, project_id, actor_id, actor_email, action, metadata)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: list_audit
SELECT id, action, actor_id, actor_email, project_id, metadata, created_at
FROM audit_events
WHERE organization_id = $1 AND ($2::text IS NULL OR action = $2)
  AND ($3::text IS NULL OR actor_id::text = lower($3) OR lower(actor_email) = lower($3))
ORDER BY id DESC LIMIT $4 OFFSET $5;

-- name: count_audit
SELECT count(*)
FROM audit_events
WHERE organization_id = $1 AND ($2::text IS NULL OR action = $2)
  AND ($3::text IS NULL OR actor_id::text = lower($3) OR lower(actor_email) = lower($3));
