"""Free ports of the loopback."""

import socket


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def port_or_next(host: str, wanted: int, tries: int = 20) -> int:
    """`wanted`, or the first free one of the `tries` after it, or any free one; 0 is any free one."""
    for port in range(wanted, wanted + tries) if wanted else ():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except (OSError, OverflowError):
                continue
            return port
    return free_port(host)
