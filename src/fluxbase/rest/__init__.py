"""Tables, views and functions over HTTP, under row-level security as the caller's role.

A front (`parser`) turns a request into the abstract query of `query`; `compiler` turns that and the catalog into one
SQL statement; `executor` runs it. Another dialect is another front.
"""
