"""Installations of the App: whose they are, what they reach, and which projects get the results."""
