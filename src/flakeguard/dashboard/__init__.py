"""The pages: first run, projects, runs, tests, uploads, settings. Server-rendered, live, linkable."""
