"""What to paste into each CI, so that its results arrive. Pure text; the key stays in the CI's own secrets."""

from dataclasses import dataclass

_GLOB = "**/test-results/**/*.xml"
_COMMAND = "pipx run --spec flakeguard-suite flakeguard upload --project {slug} '{glob}'"

_FOLD = "\n    "


@dataclass(frozen=True, slots=True)
class Snippet:
    """One CI: `where` says in words where its text and the secret go."""

    id: str
    title: str
    where: str
    text: str


def snippets(url: str, slug: str, default_branch: str) -> tuple[Snippet, ...]:
    """The snippets for the project `slug` of the server at `url`."""
    command = _COMMAND.format(glob=_GLOB, slug=slug)
    folded = command.replace(" upload ", f" upload{_FOLD}")
    return (
        Snippet(
            "github",
            "GitHub Actions",
            "Settings → Secrets and variables → Actions: add FLAKEGUARD_API_KEY. Then, after the tests:",
            f"""- name: Send test results to FlakeGuard
  if: ${{{{ !cancelled() }}}}
  env:
    FLAKEGUARD_URL: {url}
    FLAKEGUARD_API_KEY: ${{{{ secrets.FLAKEGUARD_API_KEY }}}}
  run: >-
    {folded}""",
        ),
        Snippet(
            "gitlab",
            "GitLab CI",
            "Settings → CI/CD → Variables: add FLAKEGUARD_API_KEY (masked). Then, in the job that runs the tests:",
            f"""test:
  variables:
    FLAKEGUARD_URL: {url}
  after_script:
    - >-
      {folded.replace(_FOLD, _FOLD + "  ")}""",
        ),
        Snippet(
            "jenkins",
            "Jenkins",
            "Manage Jenkins → Credentials: add a secret text with the id flakeguard-api-key. Then, in the pipeline:",
            f"""post {{
  always {{
    withCredentials([string(credentialsId: 'flakeguard-api-key', variable: 'FLAKEGUARD_API_KEY')]) {{
      sh "FLAKEGUARD_URL={url} {command}"
    }}
  }}
}}""",
        ),
        Snippet(
            "circleci",
            "CircleCI",
            "Project settings → Environment variables: add FLAKEGUARD_API_KEY. Then, after the tests:",
            f"""- run:
    name: Send test results to FlakeGuard
    when: always
    environment:
      FLAKEGUARD_URL: {url}
    command: >-
      {folded.replace(_FOLD, _FOLD + "  ")}""",
        ),
        Snippet(
            "buildkite",
            "Buildkite",
            "Put FLAKEGUARD_API_KEY among the pipeline's secrets. Then, in the step that runs the tests:",
            f"""- label: tests
  command: |
    make test; status=$$?
    FLAKEGUARD_URL={url} {command}
    exit $$status""",
        ),
        Snippet(
            "azure",
            "Azure Pipelines",
            "Pipelines → Library: add the secret variable FLAKEGUARD_API_KEY. Then, after the tests:",
            f"""- script: >-
    {folded}
  displayName: Send test results to FlakeGuard
  condition: succeededOrFailed()
  env:
    FLAKEGUARD_URL: {url}
    FLAKEGUARD_API_KEY: $(FLAKEGUARD_API_KEY)""",
        ),
        Snippet("curl", "curl", "From anywhere, with nothing installed:", _curl(url, slug, default_branch)),
    )


def _curl(url: str, slug: str, default_branch: str) -> str:
    commit = "'$(git rev-parse HEAD)'"
    meta = f'{{"project_slug": "{slug}", "sha": "{commit}", "branch": "{default_branch}", "job_name": "tests"}}'
    return f"""curl --fail-with-body {url}/api/v1/ingest/junit \\
  -H "Authorization: Bearer $FLAKEGUARD_API_KEY" \\
  -F 'meta={meta}' \\
  -F junit=@test-results/junit.xml"""
