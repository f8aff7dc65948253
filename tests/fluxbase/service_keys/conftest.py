from datetime import UTC, datetime, timedelta

import pytest

from fluxbase.auth.access_tokens import issue_for_role
from fluxbase.resources import Resources


@pytest.fixture
def operator(resources: Resources) -> dict[str, str]:
    """The header of the runbook's $ADMIN_TOKEN."""
    secret = resources.addresses.secret
    token = issue_for_role(secret, "service_role", now=datetime.now(UTC), lifetime=timedelta(hours=1))
    return {"Authorization": f"Bearer {token}"}
