"""Verdicts from folders of reports alone: no server, no database. One folder is one run.

`folders` tells which run, commit and job a file belongs to, `collecting` reads the files, `judging` asks the same
analysis as the server does. Base install only.
"""
