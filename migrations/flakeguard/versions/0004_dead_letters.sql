-- What is owed has a priority and a history of failures; what people did about dead letters is kept.

ALTER TABLE outbox
    ADD COLUMN priority text NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high', 'critical')),
    ADD COLUMN tries integer NOT NULL DEFAULT 0,
    ADD COLUMN first_failed_at timestamptz,
    ADD COLUMN failed_at timestamptz,
    ADD COLUMN delayed_until timestamptz, -- the relay leaves it alone until then
    ADD COLUMN stack text,
    -- BullMQ's id of a job that somebody else put into Redis: such a row exists only as a dead letter.
    ADD COLUMN foreign_id text;
CREATE INDEX outbox_dead_idx ON outbox (queue, dead_at) WHERE dead_at IS NOT NULL;

CREATE TABLE dead_letter_acts (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id   text NOT NULL,
    queue    text NOT NULL,
    name     text NOT NULL,
    data     jsonb NOT NULL,
    error    text,
    act      text NOT NULL CHECK (act IN ('retried', 'discarded')),
    actor    text NOT NULL,
    reason   text,
    acted_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE dead_letter_acts ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON dead_letter_acts TO service_role USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON dead_letter_acts TO service_role;
