-- name: list_buckets
SELECT id, public, user_uploads, allowed_mime_types, max_file_size, owner_id, created_at, updated_at
FROM storage.buckets ORDER BY id;

-- name: find_bucket
SELECT id, public, user_uploads, allowed_mime_types, max_file_size, owner_id, created_at, updated_at
FROM storage.buckets WHERE id = $1;

-- name: add_bucket
INSERT INTO storage.buckets (id, public, user_uploads, allowed_mime_types, max_file_size)
VALUES ($1, $2, $3, $4, $5)
RETURNING id, public, user_uploads, allowed_mime_types, max_file_size, owner_id, created_at, updated_at;

-- name: change_bucket
UPDATE storage.buckets
SET public = $2, user_uploads = $3, allowed_mime_types = $4, max_file_size = $5, updated_at = now()
WHERE id = $1
RETURNING id, public, user_uploads, allowed_mime_types, max_file_size, owner_id, created_at, updated_at;

-- name: delete_bucket
DELETE FROM storage.buckets WHERE id = $1 RETURNING id;

-- name: has_objects
SELECT storage.has_objects($1);

-- name: empty_bucket
DELETE FROM storage.objects WHERE bucket_id = $1;

-- name: list_objects
SELECT o.id, o.bucket_id, o.name, o.owner_id, o.size, o.mime_type, o.metadata, o.etag, o.blob_key, o.created_at,
       o.updated_at, false AS public
FROM storage.objects o
-- The two comparisons find their way by the index, which starts_with alone does not with a parameter.
WHERE o.bucket_id = $1 AND o.name >= $2 AND o.name < $2 || chr(1114111) AND starts_with(o.name, $2)
ORDER BY o.name LIMIT $3 OFFSET $4;

-- name: find_object
SELECT o.id, o.bucket_id, o.name, o.owner_id, o.size, o.mime_type, o.metadata, o.etag, o.blob_key, o.created_at,
       o.updated_at, coalesce(b.public, false) AS public
FROM storage.objects o LEFT JOIN storage.buckets b ON b.id = o.bucket_id
WHERE o.bucket_id = $1 AND o.name = $2;

-- name: lock_object
SELECT id, etag FROM storage.objects WHERE bucket_id = $1 AND name = $2 FOR UPDATE;

-- name: add_object
INSERT INTO storage.objects (bucket_id, name, size, mime_type, etag, blob_key, metadata)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id, bucket_id, name, owner_id, size, mime_type, metadata, etag, blob_key, created_at, updated_at,
          false AS public;

-- name: replace_content
UPDATE storage.objects
SET size = $2, mime_type = $3, etag = $4, blob_key = $5, metadata = $6, updated_at = now()
WHERE id = $1
RETURNING id, bucket_id, name, owner_id, size, mime_type, metadata, etag, blob_key, created_at, updated_at,
          false AS public;

-- name: delete_object
DELETE FROM storage.objects WHERE id = $1 RETURNING id;

-- name: begin_blob
INSERT INTO storage.blobs (key) VALUES ($1);

-- name: abandon_blob
UPDATE storage.blobs SET released_at = now() - make_interval(secs => $2) WHERE key = $1 AND object_id IS NULL;

-- name: claim_unneeded_blobs
-- Released from here on, so that an upload that is still under way cannot attach what is being removed.
UPDATE storage.blobs SET claimed_at = now(), released_at = coalesce(released_at, now())
WHERE key = ANY(ARRAY(
    SELECT key FROM storage.blobs
    WHERE (released_at < now() - make_interval(secs => $1)
           OR (object_id IS NULL AND released_at IS NULL AND created_at < now() - make_interval(secs => $2)))
      AND (claimed_at IS NULL OR claimed_at < now() - make_interval(secs => $3))
    LIMIT $4 FOR UPDATE SKIP LOCKED
))
RETURNING key;

-- name: forget_blobs
DELETE FROM storage.blobs WHERE key = ANY($1);

-- name: count_everything
SELECT (SELECT count(*) FROM storage.buckets) AS buckets,
       (SELECT count(*) FROM storage.objects) AS objects,
       (SELECT coalesce(sum(size), 0)::bigint FROM storage.objects) AS bytes,
       (SELECT count(*) FROM storage.blobs WHERE released_at IS NOT NULL) AS unneeded;
