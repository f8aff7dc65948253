"""Rate limits shared by all processes through Redis."""

from fluxbase.ratelimit.addresses import address_subject
from fluxbase.ratelimit.limiter import RateLimiter, limiter_of

__all__ = ["RateLimiter", "address_subject", "limiter_of"]
