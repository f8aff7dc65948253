"""The HTTP kit: what stands around every route, and how errors become responses."""

from fluxbase.http.application import Application
from fluxbase.http.context import client_address, is_https, request_id
from fluxbase.http.csrf import csrf_token
from fluxbase.http.envelope import success
from fluxbase.http.install import install
from fluxbase.http.path_numbers import take_bigints_in_paths
from fluxbase.http.problem import Problem

__all__ = ["Application", "Problem", "client_address", "csrf_token", "install", "is_https", "request_id", "success"]

take_bigints_in_paths()  # before any route is made
