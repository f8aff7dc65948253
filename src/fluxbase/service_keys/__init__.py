"""Keys of machines: scopes, rates, revocation, rotation."""

from fluxbase.service_keys.form import SERVICE_KEYS
from fluxbase.service_keys.managing import Operator, ServiceKeys
from fluxbase.service_keys.model import ServiceKey
from fluxbase.service_keys.verifying import KEYS_CHANNEL, ended_keys, verified_key

__all__ = [
    "KEYS_CHANNEL",
    "SERVICE_KEYS",
    "Operator",
    "ServiceKey",
    "ServiceKeys",
    "ended_keys",
    "verified_key",
]
