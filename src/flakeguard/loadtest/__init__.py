"""`flakeguard loadtest`: real jobs through a real worker, on servers of the load test's own that are deleted after."""
