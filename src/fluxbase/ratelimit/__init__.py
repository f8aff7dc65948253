"""Rate limits shared by all processes through Redis."""

from fluxbase.ratelimit.limiter import RateLimiter, limiter_of

__all__ = ["RateLimiter", "limiter_of"]
