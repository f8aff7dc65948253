"""Addresses as subjects of limits."""

import ipaddress


def address_subject(address: str | None) -> str:
    """Whom to count for an address: an IPv6 network of 64 bits is one customer's, with more addresses than requests."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return address or "local"
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))  # noqa: PLR2004 -- IPv4
