"""Which errors pass by themselves."""

from http import HTTPStatus

from fluxbase.http.problem import problem_of


def will_pass(error: Exception) -> bool:
    """Whether `error` says that PostgreSQL or Redis is away or overloaded: then the same is tried again."""
    return problem_of(error).status == HTTPStatus.SERVICE_UNAVAILABLE
