"""Holds what the fake GitHub is asked and what it answers to GitHub's own description."""

import functools
from collections.abc import Mapping
from typing import Any

from jsonschema_rs import Draft202012Validator

from .description import Json, description
from .npm import NoPackageError

# GitHub answers these to any operation (docs.github.com: "Troubleshooting the REST API", "Best practices"), and its
# description names them for some only.
EVERYWHERE = ("301", "304", "401", "403", "404", "422", "429")
_ERROR = {"$ref": "#/components/schemas/basic-error"}


class Truth:
    """The description of some operations. Each method returns what is wrong, as texts: operation, place, reason."""

    def __init__(self, operations: tuple[str, ...]) -> None:
        self._told = description(operations)
        self._compiled: dict[tuple[str, str], Draft202012Validator] = {}

    def unrouted(self, method: str, path: str) -> str:
        """Of a request that no route of the fake takes."""
        known = any(_same(name, f"{method} {path}") for name in self._told["names"])
        reason = "the fake has no route for it (add one to routes.ROUTES)" if known else "GitHub has no such operation"
        return f"{method} {path}: {reason}"

    def of_request(self, operation: str, path: Mapping[str, str], query: Mapping[str, str], body: Any) -> list[str]:
        """Parameters and body; `body` is parsed, and None when there is none."""
        described = self._told["operations"][operation]
        wrong = self._of_parameters(operation, described, {"path": path, "query": query})
        if body is None:
            return wrong + ([f"{operation}: body: it is required"] if described["body_required"] else [])
        if described["body"] is None:
            return [*wrong, f"{operation}: body: GitHub takes none"]
        return wrong + self._differences(operation, "body", described["body"], body)

    def of_response(self, operation: str, status: int, body: Any) -> list[str]:
        """Status and body; `body` is before it is JSON, and None when there is none."""
        responses = self._told["operations"][operation]["responses"]
        place = f"response {status}"
        if str(status) in responses:
            wanted = responses[str(status)]
        elif str(status) in EVERYWHERE:
            wanted = None if status == 304 else _ERROR
        else:
            return [f"{operation}: {place}: GitHub answers {', '.join(responses)}"]
        if wanted is None:
            return [f"{operation}: {place}: GitHub sends no body"] if body is not None and status < 400 else []
        return self._differences(operation, place, wanted, body)

    def _of_parameters(self, operation: str, described: Json, told: Mapping[str, Mapping[str, str]]) -> list[str]:
        wrong: list[str] = []
        known = {(one["in"], one["name"]): one for one in described["parameters"]}
        for place, values in told.items():
            for name, text in values.items():
                if (place, name) not in known:
                    wrong.append(f"{operation}: {place} parameter {name}: GitHub has no such parameter")
                    continue
                wanted = known[place, name]["schema"]
                wrong += self._differences(operation, f"{place} parameter {name}", wanted, self._read(wanted, text))
        absent = [name for (place, name), one in known.items() if one["required"] and name not in told.get(place, {})]
        return wrong + [f"{operation}: parameter {name}: it is required" for name in absent]

    def _read(self, wanted: Json, text: str) -> Any:
        while "$ref" in wanted:
            wanted = self._told["components"]["schemas"][wanted["$ref"].rpartition("/")[2]]
        if wanted.get("type") == "integer" and text.removeprefix("-").isdecimal():
            return int(text)
        return {"true": True, "false": False}.get(text, text) if wanted.get("type") == "boolean" else text

    def _differences(self, operation: str, place: str, wanted: Json, value: Any) -> list[str]:
        validator = self._compiled.get((operation, place))
        if validator is None:
            bundle = {"allOf": [wanted], "components": self._told["components"]}
            validator = self._compiled[operation, place] = Draft202012Validator(bundle, validate_formats=True)
        found: list[str] = []
        for error in validator.iter_errors(value):
            where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
            found.append(f"{operation}: {place}{where}: {error.message[:300]}")
        return found


def _same(template: str, asked: str) -> bool:
    parts, given = template.split("/"), asked.split("/")
    return len(parts) == len(given) and all(
        part == one or part.startswith("{") for part, one in zip(parts, given, strict=True)
    )


@functools.cache
def truth(operations: tuple[str, ...]) -> Truth | None:
    """None where npm does not give the description; `test_truth` says so as its reason to skip."""
    try:
        return Truth(operations)
    except NoPackageError:
        return None
