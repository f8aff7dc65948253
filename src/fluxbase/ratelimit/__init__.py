"""Rate limits shared by all processes through Redis."""

from fluxbase.ratelimit.limiter import RateLimiter, address_subject, limiter_of

__all__ = ["RateLimiter", "address_subject", "limiter_of"]
