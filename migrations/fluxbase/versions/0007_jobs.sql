-- Jobs, workers, functions, schedules.

CREATE SCHEMA jobs;
GRANT USAGE ON SCHEMA jobs TO anon, authenticated, service_role;

-- What workers said of the functions they run: names, who may submit them, defaults.
CREATE TABLE jobs.functions (
    name         text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 200),
    callable_by  text[] NOT NULL DEFAULT '{service_role}',
    max_attempts integer NOT NULL CHECK (max_attempts BETWEEN 1 AND 100),
    declared_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE jobs.workers (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name              text NOT NULL,
    hostname          text NOT NULL,
    pid               integer NOT NULL,
    status            text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'draining', 'stopped')),
    concurrency       integer NOT NULL,
    functions         text[] NOT NULL,
    started_at        timestamptz NOT NULL DEFAULT now(),
    last_heartbeat_at timestamptz NOT NULL DEFAULT now(),
    stopped_at        timestamptz
);
CREATE INDEX workers_live_idx ON jobs.workers (last_heartbeat_at) WHERE status <> 'stopped';

CREATE TABLE jobs.schedules (
    name        text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 200),
    function    text NOT NULL,
    cron        text NOT NULL,
    time_zone   text NOT NULL DEFAULT 'UTC',
    payload     jsonb NOT NULL DEFAULT '{}',
    enabled     boolean NOT NULL DEFAULT true,
    next_run_at timestamptz NOT NULL,
    last_run_at timestamptz,            -- the due time that was run last
    error       text,                   -- why it cannot run: its cron or time_zone is none
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE jobs.jobs (
    id                  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name                text NOT NULL,
    status              text NOT NULL DEFAULT 'pending'
                        CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled')),
    payload             jsonb NOT NULL DEFAULT '{}',
    result              jsonb,
    progress            double precision CHECK (progress BETWEEN 0 AND 1),
    progress_message    text,
    priority            integer NOT NULL DEFAULT 0,     -- the higher, the sooner
    attempts            integer NOT NULL DEFAULT 0,     -- times a worker began with it
    max_attempts        integer NOT NULL DEFAULT 3 CHECK (max_attempts >= 1),
    error               text,                           -- of the last attempt: type and message
    error_stack         text,
    scheduled_at        timestamptz NOT NULL DEFAULT now(),
    started_at          timestamptz,
    completed_at        timestamptz,                    -- when it ended, however it ended
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    worker_id           uuid,
    -- Counts claims and is never reset, so that (id, claim) names one attempt for ever. `attempts` cannot do that: a
    -- retry by hand sets it to 0, and then the same worker could hold the same attempt number twice.
    claim               bigint NOT NULL DEFAULT 0,
    cancel_requested_at timestamptz,
    user_id             uuid REFERENCES auth.users ON DELETE CASCADE,
    schedule            text,
    idempotency_key     text
);
CREATE INDEX jobs_pending_idx ON jobs.jobs (priority DESC, scheduled_at, id) WHERE status = 'pending';
CREATE INDEX jobs_due_idx ON jobs.jobs (scheduled_at) WHERE status = 'pending';
CREATE INDEX jobs_running_idx ON jobs.jobs (worker_id) WHERE status = 'running';
CREATE INDEX jobs_finished_idx ON jobs.jobs (status, completed_at) WHERE status IN ('completed', 'failed', 'cancelled');
CREATE INDEX jobs_user_idx ON jobs.jobs (user_id, created_at DESC, id DESC);
CREATE INDEX jobs_created_idx ON jobs.jobs (created_at DESC, id DESC);
CREATE INDEX jobs_pending_of_users_idx ON jobs.jobs (user_id) WHERE status = 'pending' AND user_id IS NOT NULL;
-- With the schedule in it: what a schedule submits has keys that nobody else can take before it.
CREATE UNIQUE INDEX jobs_idempotency_key ON jobs.jobs (name, user_id, schedule, idempotency_key) NULLS NOT DISTINCT
    WHERE idempotency_key IS NOT NULL;

-- Whoever changes a row: a person with psql too. What ended and is pending again begins anew, at once.
CREATE FUNCTION jobs.before_update() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    NEW.updated_at := now();
    IF NEW.status = 'pending'
       AND (OLD.status IN ('completed', 'failed', 'cancelled') OR (OLD.attempts > 0 AND NEW.attempts = 0)) THEN
        NEW.worker_id := NULL;
        NEW.started_at := NULL;
        NEW.completed_at := NULL;
        NEW.cancel_requested_at := NULL;
        NEW.result := NULL;
        NEW.progress := NULL;
        NEW.progress_message := NULL;
        NEW.error_stack := NULL;
        IF NEW.scheduled_at = OLD.scheduled_at THEN
            NEW.scheduled_at := least(NEW.scheduled_at, now());
        END IF;
    ELSIF NEW.status IN ('completed', 'failed', 'cancelled') AND NEW.completed_at IS NULL THEN
        NEW.completed_at := now();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fluxbase_jobs_before_update BEFORE UPDATE ON jobs.jobs
    FOR EACH ROW EXECUTE FUNCTION jobs.before_update();

-- Who repairs a schedule need not know that it was marked.
CREATE FUNCTION jobs.before_schedule_update() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF (NEW.cron, NEW.time_zone) IS DISTINCT FROM (OLD.cron, OLD.time_zone) THEN
        NEW.error := NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fluxbase_schedules_before_update BEFORE UPDATE ON jobs.schedules
    FOR EACH ROW EXECUTE FUNCTION jobs.before_schedule_update();

-- Wakes the workers once a statement: there is something to begin, or something to stop.
CREATE FUNCTION jobs.wake_workers() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF EXISTS (SELECT FROM changed WHERE status IN ('pending', 'cancelled')
               OR (status = 'running' AND cancel_requested_at IS NOT NULL)) THEN
        PERFORM pg_notify('fluxbase_jobs', '');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER fluxbase_jobs_inserted AFTER INSERT ON jobs.jobs
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION jobs.wake_workers();
CREATE TRIGGER fluxbase_jobs_updated AFTER UPDATE ON jobs.jobs
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION jobs.wake_workers();

ALTER TABLE jobs.functions ENABLE ROW LEVEL SECURITY;
ALTER TABLE jobs.workers ENABLE ROW LEVEL SECURITY;
ALTER TABLE jobs.schedules ENABLE ROW LEVEL SECURITY;
ALTER TABLE jobs.jobs ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON jobs.functions TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON jobs.workers TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON jobs.schedules TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON jobs.jobs TO service_role USING (true) WITH CHECK (true);
CREATE POLICY callers ON jobs.functions FOR SELECT TO anon, authenticated USING (current_role::text = ANY (callable_by));
CREATE POLICY submitters ON jobs.jobs FOR SELECT TO authenticated USING (user_id = (SELECT auth.uid()));
GRANT SELECT, INSERT, UPDATE, DELETE ON jobs.functions, jobs.workers, jobs.schedules, jobs.jobs TO service_role;
GRANT SELECT ON jobs.functions TO anon, authenticated;
-- Not the stack, nor which worker: those are the operator's.
GRANT SELECT (id, name, status, payload, result, progress, progress_message, priority, attempts, max_attempts, error,
              scheduled_at, started_at, completed_at, created_at, updated_at, cancel_requested_at, user_id)
    ON jobs.jobs TO authenticated;
