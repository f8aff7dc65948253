"""Sending reports to a FlakeGuard server: which files, as which run, in how many requests.

Base install only: nothing here may import the server's packages.
"""
