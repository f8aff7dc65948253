-- Buckets, objects, and the ledger of the blobs that hold their bytes.

CREATE SCHEMA IF NOT EXISTS storage;
GRANT USAGE ON SCHEMA storage TO anon, authenticated, service_role;

CREATE TABLE storage.buckets (
    id                 text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9._-]{0,62}$' AND id <> 'buckets'),
    owner_id           uuid DEFAULT auth.uid(),
    public             boolean NOT NULL DEFAULT false,
    user_uploads       boolean NOT NULL DEFAULT false,
    allowed_mime_types text[],
    max_file_size      bigint CHECK (max_file_size > 0),
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now()
);

-- No foreign key to buckets: operators delete buckets by SQL, and find what was in them by a LEFT JOIN.
CREATE TABLE storage.objects (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    bucket_id  text NOT NULL,
    name       text COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 1024),
    owner_id   uuid DEFAULT auth.uid() REFERENCES auth.users ON DELETE SET NULL,
    size       bigint NOT NULL CHECK (size >= 0),
    mime_type  text NOT NULL,
    metadata   jsonb NOT NULL DEFAULT '{}',
    etag       text NOT NULL,
    blob_key   text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT objects_bucket_id_name_key UNIQUE (bucket_id, name)
);
CREATE INDEX objects_owner_id_idx ON storage.objects (owner_id);

-- Every blob that was ever begun, until its bytes are gone: a row stands here before the first byte is written, so
-- whatever dies in between, somebody knows what to remove. `object_id` is whose content it became, `released_at` when
-- no object needed it any more, `claimed_at` when a cleaner set out to remove its bytes.
CREATE TABLE storage.blobs (
    key         text PRIMARY KEY,
    object_id   uuid,
    size        bigint,
    created_at  timestamptz NOT NULL DEFAULT now(),
    released_at timestamptz,
    claimed_at  timestamptz
);
CREATE INDEX blobs_released_idx ON storage.blobs (released_at) WHERE released_at IS NOT NULL;
CREATE INDEX blobs_pending_idx ON storage.blobs (created_at) WHERE object_id IS NULL;

-- An object's content is what the server stored, nothing else: its blob_key is the random name of a blob that waits to be
-- attached, once. Whoever writes rows by SQL or REST cannot know one, so nobody can point at another's bytes, nor lie
-- about size and type. Locking the bucket does what a foreign key would do for new objects.
CREATE FUNCTION storage.attach_blob() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.blob_key = OLD.blob_key THEN
        IF (NEW.size, NEW.etag) <> (OLD.size, OLD.etag)
            OR NEW.mime_type <> OLD.mime_type AND current_setting('role') IN ('anon', 'authenticated') THEN
            RAISE EXCEPTION 'size, etag and type are those of the content: upload it anew' USING ERRCODE = '42501';
        END IF;
    ELSE
        UPDATE storage.blobs SET object_id = NEW.id, size = NEW.size
        WHERE key = NEW.blob_key AND object_id IS NULL AND released_at IS NULL;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'objects get their content by uploading, not by SQL' USING ERRCODE = '42501';
        END IF;
    END IF;
    IF TG_OP = 'INSERT' OR NEW.bucket_id <> OLD.bucket_id THEN
        PERFORM FROM storage.buckets WHERE id = NEW.bucket_id FOR KEY SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no bucket %', NEW.bucket_id USING ERRCODE = '23503';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fluxbase_attach_blob BEFORE INSERT OR UPDATE ON storage.objects
FOR EACH ROW EXECUTE FUNCTION storage.attach_blob();

-- Whoever deletes or replaces, by API or by SQL: the blobs that nobody needs any more are marked in the same commit.
CREATE FUNCTION storage.release_blobs() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        UPDATE storage.blobs SET released_at = now() WHERE object_id IS NOT NULL AND released_at IS NULL;
    ELSIF TG_OP = 'DELETE' THEN
        UPDATE storage.blobs blob SET released_at = now() FROM before WHERE blob.key = before.blob_key;
    ELSE
        UPDATE storage.blobs blob SET released_at = now() FROM before
        WHERE blob.key = before.blob_key AND NOT EXISTS (SELECT FROM after WHERE after.blob_key = before.blob_key);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER fluxbase_release_deleted AFTER DELETE ON storage.objects
REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION storage.release_blobs();
CREATE TRIGGER fluxbase_release_replaced AFTER UPDATE ON storage.objects
REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION storage.release_blobs();
CREATE TRIGGER fluxbase_release_truncated AFTER TRUNCATE ON storage.objects
FOR EACH STATEMENT EXECUTE FUNCTION storage.release_blobs();

-- A bucket with objects that the caller may not see is not empty all the same.
CREATE FUNCTION storage.has_objects(bucket text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$ SELECT EXISTS (SELECT FROM storage.objects WHERE bucket_id = bucket) $$;
REVOKE ALL ON FUNCTION storage.has_objects, storage.attach_blob, storage.release_blobs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION storage.has_objects TO authenticated, service_role;

ALTER TABLE storage.buckets ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage.objects ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage.blobs ENABLE ROW LEVEL SECURITY;

CREATE POLICY service ON storage.buckets TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON storage.objects TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON storage.blobs TO service_role USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON storage.buckets, storage.objects, storage.blobs TO service_role;

-- What users may do is for policies to say; these are the defaults, to be dropped or joined by your own.
GRANT SELECT ON storage.buckets TO anon;
GRANT SELECT, INSERT, UPDATE, DELETE ON storage.buckets TO authenticated;
GRANT SELECT, DELETE,
    INSERT (bucket_id, name, owner_id, size, mime_type, metadata, etag, blob_key),
    -- Not bucket_id: whoever could move an object would get it into buckets that take no uploads, or not of its size.
    UPDATE (name, owner_id, size, mime_type, metadata, etag, blob_key, updated_at)
ON storage.objects TO anon, authenticated;
CREATE POLICY public_buckets ON storage.buckets FOR SELECT TO anon USING (public);
CREATE POLICY all_buckets ON storage.buckets FOR SELECT TO authenticated USING (true);
-- Anybody can sign up, so a bucket takes uploads of users only when its operator says so.
CREATE POLICY user_uploads ON storage.objects FOR INSERT TO authenticated
WITH CHECK (
    owner_id = (SELECT auth.uid()) AND bucket_id IN (SELECT id FROM storage.buckets WHERE buckets.user_uploads)
);
CREATE POLICY seen_by_owners ON storage.objects FOR SELECT TO authenticated USING (owner_id = (SELECT auth.uid()));
CREATE POLICY changed_by_owners ON storage.objects FOR UPDATE TO authenticated
USING (owner_id = (SELECT auth.uid())) WITH CHECK (owner_id = (SELECT auth.uid()));
CREATE POLICY deleted_by_owners ON storage.objects FOR DELETE TO authenticated USING (owner_id = (SELECT auth.uid()));
CREATE POLICY objects_of_public_buckets ON storage.objects FOR SELECT TO anon, authenticated
USING (bucket_id IN (SELECT id FROM storage.buckets WHERE public));
