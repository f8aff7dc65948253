"""What a CI system says about the running job, read from its documented environment variables.

One pure function per system: environment in, `CiContext` out. Three traps are met here and nowhere else:

- *The merge commit.* On pull requests several systems build a merge commit that nobody wrote (and that
  changes when the base moves). The commit of the pull request is what people know, so it is preferred
  wherever it is told.
- *A fork's `main`.* A pull request from the default branch of a fork must not look like the project's own
  default branch, or its failures would break `main`: branches of forks are written `owner:branch`, as GitHub
  labels them.
- *Numbers that are unique only somewhere.* The run id is part of a run's identity. Where a build number is
  unique per job only, a stable id is made from the build's address (`stable_run_id`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote

type Environment = Mapping[str, str]
type GitHubEvent = Mapping[str, Any]

_STABLE_ID_BITS = 52  # stays exact in JSON readers that keep numbers as doubles


@dataclass(frozen=True, slots=True)
class CiContext:
    """One CI job, as far as its environment tells.

    Attributes:
        provider: `github`, `gitlab`, `jenkins`, `circleci`, `buildkite` or `azure`.
        sha: commit under test; of a pull request its head, never a merge commit where that can be known.
        branch: branch under test; `owner:branch` on a pull request from a fork.
        run_id: identifies the run within provider and repository.
        run_attempt: counts from 1; a rerun of the same run has a higher one.
        job_name: name shared by all shards of a job.
        job_variant: what tells apart jobs of one name that run the same tests (operating system, matrix
            values).
        started_at: RFC 3339, as the system gave it.
        from_fork: whether this is a pull request from a fork; None when the system does not say.
        by_dependabot: whether Dependabot started the run (such runs get no secrets either).
    """

    provider: str
    sha: str | None = None
    branch: str | None = None
    repo_full_name: str | None = None
    workflow_name: str | None = None
    workflow_ref: str | None = None
    run_id: int | None = None
    run_attempt: int | None = None
    run_number: int | None = None
    run_url: str | None = None
    event: str | None = None
    pr_number: int | None = None
    job_name: str | None = None
    job_variant: str | None = None
    started_at: str | None = None
    from_fork: bool | None = None
    by_dependabot: bool = False


def detect(env: Environment, github_event: GitHubEvent | None = None) -> CiContext | None:
    """Return what the CI system around us says, or None when there is none that we know.

    Args:
        env: environment variables.
        github_event: the document that `GITHUB_EVENT_PATH` names, when it could be read.
    """
    if env.get("GITHUB_ACTIONS") == "true":
        return from_github_actions(env, github_event or {})
    for variable, read in _DETECTORS:
        if env.get(variable):
            return read(env)
    return None


def from_github_actions(env: Environment, event: GitHubEvent) -> CiContext:
    """Read GitHub Actions.

    On `pull_request`, `GITHUB_SHA` is the merge commit and `GITHUB_REF_NAME` is `12/merge`: the head comes
    from the event. On `workflow_run` (the way to report for forks) everything comes from the run that was
    tested.
    """
    tested_run = _section(event, "workflow_run")
    if env.get("GITHUB_EVENT_NAME") == "workflow_run" and tested_run:
        return _from_workflow_run(env, tested_run)
    pull = _section(event, "pull_request")
    head, base = _section(pull, "head"), _section(pull, "base")
    from_fork = _is_fork(head, base) if pull else False
    branch = env.get("GITHUB_HEAD_REF") or env.get("GITHUB_REF_NAME")
    return CiContext(
        provider="github",
        sha=_text(head.get("sha")) or _text(env.get("GITHUB_SHA")),
        branch=(_text(head.get("label")) if from_fork else None) or _text(branch),
        repo_full_name=_text(env.get("GITHUB_REPOSITORY")),
        workflow_name=_text(env.get("GITHUB_WORKFLOW")),
        workflow_ref=_text(env.get("GITHUB_WORKFLOW_REF")),
        run_id=_number(env.get("GITHUB_RUN_ID")),
        run_attempt=_number(env.get("GITHUB_RUN_ATTEMPT")),
        run_number=_number(env.get("GITHUB_RUN_NUMBER")),
        run_url=_github_run_url(env),
        event=_text(env.get("GITHUB_EVENT_NAME")),
        pr_number=_number(pull.get("number")) or _number(event.get("number") if pull else None),
        job_name=_text(env.get("GITHUB_JOB")),
        job_variant=_runner_variant(env),
        from_fork=from_fork,
        by_dependabot=env.get("GITHUB_ACTOR") == "dependabot[bot]",
    )


def _from_workflow_run(env: Environment, run: GitHubEvent) -> CiContext:
    head, own = _section(run, "head_repository"), _section(run, "repository")
    from_fork = bool(head) and head.get("full_name") != own.get("full_name")
    branch = _text(run.get("head_branch"))
    owner = _text(_section(head, "owner").get("login"))
    pulls = cast("list[GitHubEvent]", run.get("pull_requests") or [])
    return CiContext(
        provider="github",
        sha=_text(run.get("head_sha")),
        branch=_fork_branch(owner, branch) if from_fork else branch,
        repo_full_name=_text(env.get("GITHUB_REPOSITORY")),
        workflow_name=_text(run.get("name")),
        workflow_ref=_text(run.get("path")),
        run_id=_number(run.get("id")),
        run_attempt=_number(run.get("run_attempt")),
        run_number=_number(run.get("run_number")),
        run_url=_text(run.get("html_url")),
        event=_text(run.get("event")),
        pr_number=_number(pulls[0].get("number")) if pulls else None,
        job_name=_text(env.get("GITHUB_JOB")),
        started_at=_text(run.get("run_started_at")),
        from_fork=from_fork,
    )


def from_gitlab(env: Environment) -> CiContext:
    """Read GitLab CI.

    A retried job has a new `CI_JOB_ID` and no attempt number, so the job's id is the run's id. `CI_JOB_NAME`
    carries the shard (`rspec 1/5`) or the matrix values (`rspec: [ruby, linux]`): the first is cut, the
    second is the variant.
    """
    source, target = env.get("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH"), env.get("CI_MERGE_REQUEST_PROJECT_PATH")
    from_fork = bool(source and target and source != target)
    branch = env.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME") or env.get("CI_COMMIT_BRANCH")
    branch = branch or env.get("CI_COMMIT_REF_NAME")
    job_name, job_variant = _split_gitlab_job(env.get("CI_JOB_NAME", ""))
    return CiContext(
        provider="gitlab",
        sha=_text(env.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA")) or _text(env.get("CI_COMMIT_SHA")),
        branch=_fork_branch(_owner(source), _text(branch)) if from_fork else _text(branch),
        repo_full_name=_text(target) or _text(env.get("CI_PROJECT_PATH")),
        workflow_name=_text(env.get("CI_PIPELINE_NAME")) or _text(env.get("CI_CONFIG_PATH")),
        run_id=_number(env.get("CI_JOB_ID")),
        run_attempt=1,
        run_number=_number(env.get("CI_PIPELINE_IID")),
        run_url=_text(env.get("CI_JOB_URL")),
        event=_text(env.get("CI_PIPELINE_SOURCE")),
        pr_number=_number(env.get("CI_MERGE_REQUEST_IID")),
        job_name=job_name,
        job_variant=job_variant,
        started_at=_text(env.get("CI_JOB_STARTED_AT")),
        from_fork=from_fork,
    )


def from_jenkins(env: Environment) -> CiContext:
    """Read Jenkins (freestyle, pipeline and multibranch, with the Git plugin's variables).

    In a multibranch project the job's last part is the branch; it is no part of the job's name here, because
    the same job on another branch is the same job. Build numbers count per branch there, so the run's id is
    made of its address.
    """
    branch = env.get("CHANGE_BRANCH") or env.get("BRANCH_NAME") or env.get("GIT_LOCAL_BRANCH")
    branch = branch or (env.get("GIT_BRANCH") or "").removeprefix("origin/")
    fork = _text(env.get("CHANGE_FORK"))
    job = _jenkins_job(env.get("JOB_NAME", ""), env.get("BRANCH_NAME"))
    address = env.get("BUILD_URL") or env.get("BUILD_TAG")
    return CiContext(
        provider="jenkins",
        sha=_text(env.get("GIT_COMMIT")),
        branch=_fork_branch(_owner(fork), _text(branch)) if fork else _text(branch),
        repo_full_name=_repository_of(env.get("GIT_URL") or env.get("GIT_URL_1")),
        workflow_name=job,
        run_id=stable_run_id("jenkins", address) if address else None,
        run_attempt=1,
        run_number=_number(env.get("BUILD_NUMBER")),
        run_url=_text(env.get("BUILD_URL")),
        event="pull_request" if env.get("CHANGE_ID") else None,
        pr_number=_number(env.get("CHANGE_ID")),
        job_name=_text(env.get("STAGE_NAME")) or job,
        from_fork=bool(fork) if env.get("CHANGE_ID") else False,
    )


def from_circleci(env: Environment) -> CiContext:
    """Read CircleCI: nodes of a parallel job share a build number; only forks have `CIRCLE_PR_NUMBER`."""
    owner, name = env.get("CIRCLE_PROJECT_USERNAME"), env.get("CIRCLE_PROJECT_REPONAME")
    pull_url = env.get("CIRCLE_PULL_REQUEST", "")
    return CiContext(
        provider="circleci",
        sha=_text(env.get("CIRCLE_SHA1")),
        branch=_text(env.get("CIRCLE_BRANCH")) or _text(env.get("CIRCLE_TAG")),
        repo_full_name=f"{owner}/{name}" if owner and name else None,
        run_id=_number(env.get("CIRCLE_BUILD_NUM")),
        run_attempt=1,
        run_number=_number(env.get("CIRCLE_BUILD_NUM")),
        run_url=_text(env.get("CIRCLE_BUILD_URL")),
        pr_number=_number(env.get("CIRCLE_PR_NUMBER")) or _number(pull_url.rpartition("/")[2]),
        job_name=_text(env.get("CIRCLE_JOB")),
        from_fork=bool(env.get("CIRCLE_PR_NUMBER")),
    )


def from_buildkite(env: Environment) -> CiContext:
    """Read Buildkite: `BUILDKITE_PULL_REQUEST` is `false` outside pull requests; retries count from 0."""
    pull = _number(env.get("BUILDKITE_PULL_REQUEST"))
    repository = _repository_of(env.get("BUILDKITE_REPO"))
    head = _repository_of(env.get("BUILDKITE_PULL_REQUEST_REPO")) if pull else None
    from_fork = bool(head and repository and head.lower() != repository.lower())
    branch, build = _text(env.get("BUILDKITE_BRANCH")), env.get("BUILDKITE_BUILD_ID")
    return CiContext(
        provider="buildkite",
        sha=_text(env.get("BUILDKITE_COMMIT")),
        branch=_fork_branch(_owner(head), branch) if from_fork else branch,
        repo_full_name=repository,
        workflow_name=_text(env.get("BUILDKITE_PIPELINE_SLUG")),
        run_id=stable_run_id("buildkite", build) if build else None,
        run_attempt=(_number(env.get("BUILDKITE_RETRY_COUNT")) or 0) + 1,
        run_number=_number(env.get("BUILDKITE_BUILD_NUMBER")),
        run_url=_text(env.get("BUILDKITE_BUILD_URL")),
        event=_text(env.get("BUILDKITE_SOURCE")),
        pr_number=pull,
        job_name=_text(env.get("BUILDKITE_STEP_KEY")) or _text(env.get("BUILDKITE_LABEL")),
        from_fork=from_fork,
    )


def from_azure_pipelines(env: Environment) -> CiContext:
    """Read Azure Pipelines. `BUILD_SOURCEVERSION` of a pull request is the merge commit."""
    source = env.get("SYSTEM_PULLREQUEST_SOURCEBRANCH") or env.get("BUILD_SOURCEBRANCH", "")
    branch = _text(re.sub(r"^refs/(heads|tags)/", "", source))
    from_fork = env.get("SYSTEM_PULLREQUEST_ISFORK", "").lower() == "true"
    head = _repository_of(env.get("SYSTEM_PULLREQUEST_SOURCEREPOSITORYURI"))
    repository, project = env.get("BUILD_REPOSITORY_NAME"), env.get("SYSTEM_TEAMPROJECT")
    if repository and "/" not in repository and project:
        repository = f"{project}/{repository}"  # Azure Repos gives the bare name
    matrix = env.get("SYSTEM_PARALLELEXECUTIONTYPE") == "MultiConfiguration"
    pull = _number(env.get("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER"))
    return CiContext(
        provider="azure",
        sha=_text(env.get("SYSTEM_PULLREQUEST_SOURCECOMMITID")) or _text(env.get("BUILD_SOURCEVERSION")),
        branch=_fork_branch(_owner(head) or "fork", branch) if from_fork else branch,
        repo_full_name=_text(repository),
        workflow_name=_text(env.get("BUILD_DEFINITIONNAME")),
        run_id=_number(env.get("BUILD_BUILDID")),
        run_attempt=_number(env.get("SYSTEM_JOBATTEMPT")) or 1,
        run_url=_azure_run_url(env),
        event=_text(env.get("BUILD_REASON")),
        pr_number=pull or _number(env.get("SYSTEM_PULLREQUEST_PULLREQUESTID")),
        job_name=_text(env.get("SYSTEM_PHASENAME")) or _text(env.get("SYSTEM_JOBNAME")),
        job_variant=_text(env.get("SYSTEM_JOBNAME")) if matrix else None,
        from_fork=from_fork,
    )


_DETECTORS: tuple[tuple[str, Callable[[Environment], CiContext]], ...] = (
    ("GITLAB_CI", from_gitlab),
    ("CIRCLECI", from_circleci),
    ("BUILDKITE", from_buildkite),
    ("TF_BUILD", from_azure_pipelines),
    ("JENKINS_URL", from_jenkins),
)


def stable_run_id(*parts: str) -> int:
    """Return a run id that is the same for the same parts, everywhere and for ever (52 bits)."""
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> (64 - _STABLE_ID_BITS)


def _is_fork(head: GitHubEvent, base: GitHubEvent) -> bool:
    # The head repository is null when the fork was deleted: then it was a fork.
    ours = _section(base, "repo").get("full_name")
    return bool(ours) and _section(head, "repo").get("full_name") != ours


def _runner_variant(env: Environment) -> str | None:
    """Linux is not Windows: matrix legs share `GITHUB_JOB`, only the runner tells them apart."""
    system, processor = env.get("RUNNER_OS"), env.get("RUNNER_ARCH")
    return "-".join(part.lower() for part in (system, processor) if part) or None


def _github_run_url(env: Environment) -> str | None:
    server, repository, run = (env.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if not (server and repository and run):
        return None
    attempt = env.get("GITHUB_RUN_ATTEMPT")
    return f"{server}/{repository}/actions/runs/{run}" + (f"/attempts/{attempt}" if attempt else "")


def _azure_run_url(env: Environment) -> str | None:
    collection, project = env.get("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"), env.get("SYSTEM_TEAMPROJECT")
    build = env.get("BUILD_BUILDID")
    if not (collection and project and build):
        return None
    return f"{collection.rstrip('/')}/{project.replace(' ', '%20')}/_build/results?buildId={build}"


def _split_gitlab_job(name: str) -> tuple[str | None, str | None]:
    matrix = re.fullmatch(r"(?P<name>.+?): \[(?P<values>.*)\]", name)
    if matrix:
        return matrix["name"], matrix["values"]
    return _text(re.sub(r" \d+/\d+$", "", name)), None


def _jenkins_job(name: str, branch: str | None) -> str | None:
    project, _, last = name.rpartition("/")
    if project and branch and unquote(last) == branch:
        return project
    return _text(name)


def _fork_branch(owner: str | None, branch: str | None) -> str | None:
    if not (owner and branch) or ":" in branch:
        return branch
    return f"{owner}:{branch}"


def _owner(full_name: str | None) -> str | None:
    return full_name.partition("/")[0] if full_name else None


def _repository_of(url: str | None) -> str | None:
    """Return `owner/name` of a Git address in any of its spellings, or None."""
    if not url:
        return None
    path = re.sub(r"^[a-z+]+://[^/]+/|^[^/@]+@[^/:]+:", "", url.strip())
    return _text(path.strip("/").removesuffix(".git"))


def _section(document: GitHubEvent, key: str) -> GitHubEvent:
    found = document.get(key)
    return cast("GitHubEvent", found) if isinstance(found, Mapping) else {}


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _number(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() else None
