"""The identity of a test case, stable over uploads, machines and versions of FlakeGuard."""

import hashlib
import re

_PERSON = b"fg-test-case-1"  # another scheme needs another number, or identities would silently change
_SIZE = 16
_LONGEST_PATH = 1_024  # a longer one is no path; and looking for a workspace in it would take long

_CI_WORKSPACES = re.compile(
    r"""^(?:file://)?(?:
        /home/runner/work/[^/]+/[^/]+/                       # GitHub Actions, Linux
      | /Users/runner/work/[^/]+/[^/]+/                      # GitHub Actions, macOS
      | [A-Za-z]:/a/[^/]+/[^/]+/                             # GitHub Actions and Azure Pipelines, Windows
      | /__w/[^/]+/[^/]+/                                    # the same two, in a container
      | /github/workspace/                                   # GitHub Actions, container actions
      | /(?:home|Users)/vsts/work/\d+/s/                     # Azure Pipelines
      | /Users/runner/work/\d+/s/                            # Azure Pipelines, macOS
      | /home/circleci/(?:project|repo)/                     # CircleCI
      | /opt/atlassian/pipelines/agent/build/                # Bitbucket
      | /(?:var/lib/)?buildkite(?:-agent)?/builds/[^/]+/[^/]+/[^/]+/
      | (?:[A-Za-z]:)?(?:/[^/]+)*?/[^/]*jenkins[^/]*(?:/[^/]+)*?/workspace/[^/]+/
    )""",
    re.VERBOSE,
)


def normalise_file(path: str) -> str:
    """A test's file as every machine would name it: forward slashes, no CI workspace in front.

    Only prefixes that a CI service documents are removed; any other path stays as the report wrote it.
    """
    path = path.replace("\\", "/")
    if len(path) <= _LONGEST_PATH:
        path = _CI_WORKSPACES.sub("", path, count=1)
    return path.removeprefix("./")


def normalise_suite(name: str) -> str:
    """A suite's name, without a CI workspace in front when it is a path (PHPUnit and Playwright name suites so)."""
    is_path = len(name) <= _LONGEST_PATH and _CI_WORKSPACES.match(name.replace("\\", "/"))
    return normalise_file(name) if is_path else name


def identity_hash(suite: str, file: str | None, class_name: str, name: str, variant: str = "") -> bytes:
    """Sixteen bytes that name a test case for ever.

    BLAKE2b over the five parts, each prefixed by its length, so that no two lists of parts give the same
    input. An absent file equals an empty one. Parameters are part of the name and are kept.

    Args:
        suite: the names of its suites, outermost first, as `ParsedAttempt.suite` has them.
        file: its source file, or None.
        class_name: its class, or "".
        name: its name, with parameters.
        variant: what distinguishes two runs of one job (operating system, shard); "" when nothing does.
    """
    digest = hashlib.blake2b(digest_size=_SIZE, person=_PERSON)
    for part in (suite, file or "", class_name, name, variant):
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(4, "big"))
        digest.update(encoded)
    return digest.digest()
