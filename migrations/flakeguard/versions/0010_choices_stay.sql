-- What a member of an organisation chose for a repository: a project, or that nobody gets its results (NULL beside
-- `chosen_in`). It outlives the binding, which `project_id` cannot: that is of the organisation of today.
ALTER TABLE github_repositories
    ADD COLUMN chosen_in         bigint REFERENCES organizations ON DELETE SET NULL,
    ADD COLUMN chosen_project_id bigint,
    ADD FOREIGN KEY (chosen_project_id, chosen_in) REFERENCES projects (id, organization_id) ON DELETE SET NULL;
CREATE INDEX github_repositories_chosen_idx ON github_repositories (chosen_in, chosen_project_id)
    WHERE chosen_in IS NOT NULL;

-- A repository within reach that no project gets the results of is one that somebody chose nobody for: all got a project.
UPDATE github_repositories SET chosen_in = organization_id
WHERE project_id IS NULL AND organization_id IS NOT NULL AND removed_at IS NULL;
