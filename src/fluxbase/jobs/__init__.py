"""Background jobs in PostgreSQL: functions registered by name, schedules, workers."""
