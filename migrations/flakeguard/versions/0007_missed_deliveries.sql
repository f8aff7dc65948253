-- What GitHub could not hand over, until it has arrived (then it is in github_deliveries) or is too old to be asked for.
CREATE TABLE github_missed_deliveries (
    guid            text PRIMARY KEY,
    delivery_id     bigint NOT NULL,                 -- GitHub's, of the latest attempt
    event           text NOT NULL,
    action          text,
    installation_id bigint,
    status          text NOT NULL,                   -- GitHub's words for why it failed
    failed_at       timestamptz NOT NULL,            -- first
    asks            integer NOT NULL DEFAULT 0,
    asked_at        timestamptz,
    ask_after       timestamptz NOT NULL,
    error           text                             -- why GitHub does not hand it over again
);
CREATE INDEX github_missed_deliveries_due_idx ON github_missed_deliveries (ask_after);

-- How far each App's list was read.
CREATE TABLE github_delivery_looks (
    app_id bigint PRIMARY KEY,
    until  timestamptz NOT NULL
);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['github_missed_deliveries', 'github_delivery_looks'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY service ON %I TO service_role USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO service_role', t);
    END LOOP;
END $$;
