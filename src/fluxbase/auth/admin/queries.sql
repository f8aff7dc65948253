-- name: list_users
SELECT u.id, u.email, u.email_confirmed_at, u.last_sign_in_at, u.created_at,
       (SELECT count(*) FROM auth.sessions s WHERE s.user_id = u.id AND s.expires_at > $1) AS sessions
FROM auth.users u
WHERE u.email ILIKE '%' || $2 || '%'
ORDER BY u.created_at DESC, u.id
LIMIT $3;

-- name: find_user
SELECT id, email FROM auth.users WHERE id::text = lower($1) OR lower(email) = lower($1);

-- name: has_organizations
SELECT to_regclass('public.schema_migrations') IS NOT NULL AND to_regclass('public.memberships') IS NOT NULL;

-- name: is_member
SELECT EXISTS (SELECT FROM public.memberships WHERE user_id = $1);
