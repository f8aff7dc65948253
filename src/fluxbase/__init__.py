"""The PostgreSQL backend: database, authentication, HTTP kit, monitoring. Usable alone."""
