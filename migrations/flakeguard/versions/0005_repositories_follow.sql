-- A repository's organisation follows its installation's, also where that was nobody's before: a key with NULL in it refers
-- to nothing, so that the foreign key's cascade never reached the repositories of an installation that was just bound, and
-- their projects were held to no organisation.
ALTER TABLE github_repositories DROP CONSTRAINT github_repositories_installation_id_organization_id_fkey;
ALTER TABLE github_installations DROP CONSTRAINT github_installations_id_organization_id_key;

CREATE FUNCTION flakeguard.follow_installation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.organization_id := (SELECT organization_id FROM public.github_installations WHERE id = NEW.installation_id);
    RETURN NEW;
END $$;
CREATE TRIGGER follow_installation BEFORE INSERT OR UPDATE ON github_repositories
    FOR EACH ROW EXECUTE FUNCTION flakeguard.follow_installation();

CREATE FUNCTION flakeguard.lead_repositories() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.github_repositories SET organization_id = NEW.organization_id WHERE installation_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER lead_repositories AFTER UPDATE OF organization_id ON github_installations
    FOR EACH ROW WHEN (OLD.organization_id IS DISTINCT FROM NEW.organization_id)
    EXECUTE FUNCTION flakeguard.lead_repositories();

UPDATE github_repositories SET updated_at = updated_at;
