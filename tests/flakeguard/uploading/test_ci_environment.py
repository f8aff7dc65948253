"""Each CI system's documented variables, as a job sees them."""

from typing import ClassVar

import pytest

from flakeguard.uploading.ci_environment import detect, stable_run_id

HEAD = "a" * 40
MERGE = "b" * 40

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SHA": MERGE,
    "GITHUB_REF_NAME": "main",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_WORKFLOW": "CI",
    "GITHUB_WORKFLOW_REF": "acme/shop/.github/workflows/ci.yml@refs/heads/main",
    "GITHUB_RUN_ID": "1658821493",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_RUN_NUMBER": "17",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_JOB": "test",
    "RUNNER_OS": "Linux",
    "RUNNER_ARCH": "X64",
}


def pull_request(head_repository="acme/shop", branch="fix-cart"):
    owner = head_repository.partition("/")[0] if head_repository else "gone"
    return {
        "number": 12,
        "pull_request": {
            "number": 12,
            "head": {
                "sha": HEAD,
                "ref": branch,
                "label": f"{owner}:{branch}",
                "repo": {"full_name": head_repository} if head_repository else None,
            },
            "base": {"sha": "c" * 40, "repo": {"full_name": "acme/shop"}},
        },
    }


def github_pull_request_env(branch="fix-cart"):
    return GITHUB | {
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_REF_NAME": "12/merge",
        "GITHUB_HEAD_REF": branch,
    }


def test_outside_ci_nothing_is_detected():
    assert detect({"HOME": "/home/me"}) is None


class TestGitHubActions:
    def test_push(self):
        context = detect(GITHUB, {"ref": "refs/heads/main"})
        assert (context.provider, context.sha, context.branch) == ("github", MERGE, "main")
        assert (context.run_id, context.run_attempt, context.run_number) == (1658821493, 2, 17)
        assert context.repo_full_name == "acme/shop"
        assert (context.workflow_name, context.job_name, context.event) == ("CI", "test", "push")
        assert context.run_url == "https://github.com/acme/shop/actions/runs/1658821493/attempts/2"
        assert context.pr_number is None
        assert context.from_fork is False

    def test_a_pull_request_is_its_head_and_never_the_merge_commit(self):
        context = detect(github_pull_request_env(), pull_request())
        assert (context.sha, context.branch, context.pr_number) == (HEAD, "fix-cart", 12)
        assert context.from_fork is False

    def test_a_forks_main_is_not_our_main(self):
        context = detect(github_pull_request_env("main"), pull_request("stranger/shop", "main"))
        assert (context.sha, context.branch, context.from_fork) == (HEAD, "stranger:main", True)

    def test_a_deleted_fork_is_still_a_fork(self):
        context = detect(github_pull_request_env(), pull_request(None))
        assert (context.branch, context.from_fork) == ("gone:fix-cart", True)

    def test_without_the_event_file_the_branch_is_still_right(self):
        context = detect(github_pull_request_env())
        assert (context.sha, context.branch) == (MERGE, "fix-cart")

    def test_workflow_run_reports_the_run_that_was_tested(self):
        run = {
            "id": 42,
            "run_attempt": 3,
            "run_number": 5,
            "name": "CI",
            "path": ".github/workflows/ci.yml",
            "event": "pull_request",
            "html_url": "https://github.com/acme/shop/actions/runs/42",
            "head_sha": HEAD,
            "head_branch": "main",
            "run_started_at": "2026-01-02T03:04:05Z",
            "repository": {"full_name": "acme/shop"},
            "head_repository": {"full_name": "stranger/shop", "owner": {"login": "stranger"}},
            "pull_requests": [],
        }
        context = detect(GITHUB | {"GITHUB_EVENT_NAME": "workflow_run"}, {"workflow_run": run})
        assert (context.sha, context.branch, context.run_id, context.run_attempt) == (HEAD, "stranger:main", 42, 3)
        assert (context.event, context.started_at) == ("pull_request", "2026-01-02T03:04:05Z")

    def test_matrix_legs_on_two_systems_are_two_variants(self):
        windows = detect(GITHUB | {"RUNNER_OS": "Windows"})
        assert (detect(GITHUB).job_variant, windows.job_variant) == ("linux-x64", "windows-x64")

    def test_dependabot_is_told(self):
        assert detect(GITHUB | {"GITHUB_ACTOR": "dependabot[bot]"}).by_dependabot is True


class TestGitLab:
    ENV: ClassVar = {
        "GITLAB_CI": "true",
        "CI_COMMIT_SHA": HEAD,
        "CI_COMMIT_BRANCH": "main",
        "CI_COMMIT_REF_NAME": "main",
        "CI_PROJECT_PATH": "acme/backend/shop",
        "CI_PIPELINE_ID": "900",
        "CI_PIPELINE_IID": "77",
        "CI_PIPELINE_SOURCE": "push",
        "CI_CONFIG_PATH": ".gitlab-ci.yml",
        "CI_JOB_ID": "50601283",
        "CI_JOB_NAME": "rspec",
        "CI_JOB_URL": "https://gitlab.com/acme/backend/shop/-/jobs/50601283",
        "CI_JOB_STARTED_AT": "2026-01-02T03:04:05Z",
    }
    MERGE_REQUEST: ClassVar = {
        "CI_COMMIT_SHA": MERGE,
        "CI_COMMIT_REF_NAME": "fix-cart",
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_MERGE_REQUEST_IID": "12",
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "fix-cart",
        "CI_MERGE_REQUEST_PROJECT_PATH": "acme/backend/shop",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "acme/backend/shop",
    }

    def test_branch_pipeline(self):
        context = detect(self.ENV)
        assert (context.provider, context.sha, context.branch) == ("gitlab", HEAD, "main")
        assert context.repo_full_name == "acme/backend/shop"
        assert (context.job_name, context.event, context.run_number) == ("rspec", "push", 77)
        assert context.started_at == "2026-01-02T03:04:05Z"

    def test_a_retried_job_is_another_run(self):
        retried = detect(self.ENV | {"CI_JOB_ID": "50601999"})
        assert detect(self.ENV).run_id == 50601283
        assert retried.run_id == 50601999

    def test_merged_results_pipeline_is_the_source_commit(self):
        env = self.ENV | self.MERGE_REQUEST | {"CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": HEAD}
        env.pop("CI_COMMIT_BRANCH")
        context = detect(env)
        assert (context.sha, context.branch, context.pr_number) == (HEAD, "fix-cart", 12)
        assert context.from_fork is False

    def test_merge_request_pipeline_leaves_the_source_sha_empty(self):
        env = self.ENV | self.MERGE_REQUEST | {"CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "", "CI_COMMIT_SHA": HEAD}
        assert detect(env).sha == HEAD

    def test_fork(self):
        source = {"CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "stranger/shop", "CI_PROJECT_PATH": "stranger/shop"}
        context = detect(self.ENV | self.MERGE_REQUEST | source)
        assert (context.branch, context.from_fork) == ("stranger:fix-cart", True)
        assert context.repo_full_name == "acme/backend/shop"

    @pytest.mark.parametrize(
        ("name", "job", "variant"),
        [
            ("rspec 3/5", "rspec", None),
            ("rspec: [ruby-3.3, linux]", "rspec", "ruby-3.3, linux"),
            ("test: unit", "test: unit", None),
        ],
    )
    def test_shards_share_a_job_and_matrix_values_make_a_variant(self, name, job, variant):
        context = detect(self.ENV | {"CI_JOB_NAME": name})
        assert (context.job_name, context.job_variant) == (job, variant)


class TestJenkins:
    ENV: ClassVar = {
        "JENKINS_URL": "https://ci.example.com/",
        "JOB_NAME": "acme/shop/feature%2Fcart",
        "BRANCH_NAME": "feature/cart",
        "BUILD_NUMBER": "153",
        "BUILD_TAG": "jenkins-acme-shop-feature%2Fcart-153",
        "BUILD_URL": "https://ci.example.com/job/acme/job/shop/job/feature%252Fcart/153/",
        "GIT_COMMIT": HEAD,
        "GIT_BRANCH": "feature/cart",
        "GIT_URL": "git@github.com:acme/shop.git",
        "STAGE_NAME": "Unit tests",
    }

    def test_multibranch(self):
        context = detect(self.ENV)
        assert (context.provider, context.sha, context.branch) == ("jenkins", HEAD, "feature/cart")
        assert (context.repo_full_name, context.workflow_name) == ("acme/shop", "acme/shop")
        assert (context.job_name, context.run_number) == ("Unit tests", 153)
        assert context.run_url == self.ENV["BUILD_URL"]
        assert context.from_fork is False

    def test_build_153_of_two_branches_are_two_runs(self):
        other = self.ENV | {"BUILD_URL": "https://ci.example.com/job/acme/job/shop/job/main/153/"}
        assert detect(other).run_id != detect(self.ENV).run_id
        assert detect(self.ENV).run_id == detect(dict(self.ENV)).run_id

    def test_freestyle_job_with_the_git_plugin(self):
        env = {"JENKINS_URL": "x", "JOB_NAME": "shop", "GIT_BRANCH": "origin/main", "GIT_COMMIT": HEAD}
        context = detect(env)
        assert (context.branch, context.job_name, context.run_id) == ("main", "shop", None)

    def test_pull_request_from_a_fork(self):
        change = {"CHANGE_ID": "12", "CHANGE_BRANCH": "main", "CHANGE_FORK": "stranger", "BRANCH_NAME": "PR-12"}
        context = detect(self.ENV | change | {"JOB_NAME": "acme/shop/PR-12"})
        assert (context.branch, context.pr_number, context.from_fork) == ("stranger:main", 12, True)
        assert context.workflow_name == "acme/shop"


class TestCircleCi:
    ENV: ClassVar = {
        "CIRCLECI": "true",
        "CIRCLE_SHA1": HEAD,
        "CIRCLE_BRANCH": "main",
        "CIRCLE_PROJECT_USERNAME": "acme",
        "CIRCLE_PROJECT_REPONAME": "shop",
        "CIRCLE_BUILD_NUM": "4321",
        "CIRCLE_BUILD_URL": "https://circleci.com/gh/acme/shop/4321",
        "CIRCLE_JOB": "test",
        "CIRCLE_NODE_INDEX": "1",
        "CIRCLE_NODE_TOTAL": "4",
    }

    def test_branch(self):
        context = detect(self.ENV)
        assert (context.provider, context.sha, context.branch) == ("circleci", HEAD, "main")
        assert (context.repo_full_name, context.run_id, context.job_name) == ("acme/shop", 4321, "test")
        assert context.from_fork is False

    def test_parallel_nodes_are_one_run(self):
        assert detect(self.ENV | {"CIRCLE_NODE_INDEX": "2"}) == detect(self.ENV)

    def test_pull_request_of_the_repository(self):
        url = "https://github.com/acme/shop/pull/12"
        context = detect(self.ENV | {"CIRCLE_PULL_REQUEST": url})
        assert (context.pr_number, context.from_fork) == (12, False)

    def test_pull_request_of_a_fork(self):
        fork = {"CIRCLE_BRANCH": "pull/12", "CIRCLE_PR_NUMBER": "12", "CIRCLE_PR_USERNAME": "stranger"}
        context = detect(self.ENV | fork)
        assert (context.branch, context.pr_number, context.from_fork) == ("pull/12", 12, True)


class TestBuildkite:
    ENV: ClassVar = {
        "BUILDKITE": "true",
        "BUILDKITE_COMMIT": HEAD,
        "BUILDKITE_BRANCH": "main",
        "BUILDKITE_REPO": "git@github.com:acme/shop.git",
        "BUILDKITE_PIPELINE_SLUG": "shop",
        "BUILDKITE_BUILD_ID": "4735ba57-80d0-46e2-8fa0-b28223a86586",
        "BUILDKITE_BUILD_NUMBER": "1514",
        "BUILDKITE_BUILD_URL": "https://buildkite.com/acme-inc/my-project/builds/1514",
        "BUILDKITE_LABEL": ":hammer: Specs",
        "BUILDKITE_STEP_KEY": "specs",
        "BUILDKITE_RETRY_COUNT": "0",
        "BUILDKITE_PULL_REQUEST": "false",
        "BUILDKITE_SOURCE": "webhook",
    }

    def test_branch(self):
        context = detect(self.ENV)
        assert (context.provider, context.sha, context.branch) == ("buildkite", HEAD, "main")
        assert (context.repo_full_name, context.job_name, context.run_attempt) == ("acme/shop", "specs", 1)
        assert (context.run_number, context.pr_number, context.from_fork) == (1514, None, False)
        assert context.run_id == stable_run_id("buildkite", self.ENV["BUILDKITE_BUILD_ID"])

    def test_a_retry_is_another_attempt_of_the_run(self):
        retried = detect(self.ENV | {"BUILDKITE_RETRY_COUNT": "1"})
        assert (retried.run_id, retried.run_attempt) == (detect(self.ENV).run_id, 2)

    @pytest.mark.parametrize(
        ("repository", "branch", "fork"),
        [
            ("https://github.com/acme/shop.git", "fix", False),
            ("git://github.com/stranger/shop.git", "stranger:fix", True),
        ],
    )
    def test_pull_request(self, repository, branch, fork):
        pull = {"BUILDKITE_PULL_REQUEST": "12", "BUILDKITE_PULL_REQUEST_REPO": repository, "BUILDKITE_BRANCH": "fix"}
        context = detect(self.ENV | pull)
        assert (context.branch, context.pr_number, context.from_fork) == (branch, 12, fork)


class TestAzurePipelines:
    ENV: ClassVar = {
        "TF_BUILD": "True",
        "BUILD_SOURCEVERSION": MERGE,
        "BUILD_SOURCEBRANCH": "refs/heads/feature/cart",
        "BUILD_REPOSITORY_NAME": "acme/shop",
        "BUILD_DEFINITIONNAME": "shop-ci",
        "BUILD_BUILDID": "556",
        "BUILD_BUILDNUMBER": "20260102.3",
        "BUILD_REASON": "IndividualCI",
        "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": "https://dev.azure.com/acme/",
        "SYSTEM_TEAMPROJECT": "Web Shop",
        "SYSTEM_PHASENAME": "test",
        "SYSTEM_JOBNAME": "__default",
        "SYSTEM_JOBATTEMPT": "2",
    }

    def test_branch(self):
        context = detect(self.ENV)
        assert (context.provider, context.sha, context.branch) == ("azure", MERGE, "feature/cart")
        assert (context.run_id, context.run_attempt, context.job_name) == (556, 2, "test")
        assert context.job_variant is None
        assert context.run_url == "https://dev.azure.com/acme/Web%20Shop/_build/results?buildId=556"

    def test_pull_request_is_its_source_commit(self):
        pull = {
            "BUILD_SOURCEBRANCH": "refs/pull/12/merge",
            "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/fix-cart",
            "SYSTEM_PULLREQUEST_SOURCECOMMITID": HEAD,
            "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER": "12",
            "SYSTEM_PULLREQUEST_PULLREQUESTID": "987654",
            "SYSTEM_PULLREQUEST_ISFORK": "False",
        }
        context = detect(self.ENV | pull)
        assert (context.sha, context.branch, context.pr_number) == (HEAD, "fix-cart", 12)
        assert context.from_fork is False

    def test_fork(self):
        pull = {
            "SYSTEM_PULLREQUEST_SOURCEBRANCH": "main",
            "SYSTEM_PULLREQUEST_SOURCEREPOSITORYURI": "https://github.com/stranger/shop",
            "SYSTEM_PULLREQUEST_ISFORK": "True",
        }
        context = detect(self.ENV | pull)
        assert (context.branch, context.from_fork) == ("stranger:main", True)

    def test_matrix_legs_are_variants_and_slices_are_not(self):
        matrix = {"SYSTEM_PARALLELEXECUTIONTYPE": "MultiConfiguration", "SYSTEM_JOBNAME": "linux"}
        slices = {"SYSTEM_PARALLELEXECUTIONTYPE": "MultiMachine", "SYSTEM_JOBNAME": "job2"}
        assert detect(self.ENV | matrix).job_variant == "linux"
        assert detect(self.ENV | slices).job_variant is None

    def test_azure_repos_names_get_their_project(self):
        assert detect(self.ENV | {"BUILD_REPOSITORY_NAME": "shop"}).repo_full_name == "Web Shop/shop"


def test_stable_run_ids_fit_a_double_exactly():
    assert 0 <= stable_run_id("jenkins", "https://ci.example.com/1") < 2**53
    assert stable_run_id("a", "bc") != stable_run_id("ab", "c")
