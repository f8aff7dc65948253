"""Child processes that a supervisor starts, starts again when they die by themselves, and stops."""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

STOP_SECONDS = 40
"""How long children may take to end before they are killed."""
_RESTART_SECONDS = 1.0
_LOOK_SECONDS = 0.2


@dataclass
class Role:
    """A child process. `command` is what runs, `name` what people are told of it."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = field(default=0.0)

    def start(self) -> None:
        """Run the command in a session of its own: Ctrl-C reaches the supervisor alone, which stops all in order."""
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(self.command, env=self.environment, start_new_session=True)  # noqa: S603 -- ourselves

    @property
    def exit_code(self) -> int | None:
        """The exit code of a child that ended; None while it runs."""
        return None if self.process is None else self.process.poll()

    def stop(self) -> None:
        """Tell it to end."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> None:
        """Wait for its end, and kill it when it takes longer than `seconds`."""
        if self.process is None:
            return
        try:
            self.process.wait(max(seconds, 0.1))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class StopSignal:
    """Becomes true at the first SIGINT or SIGTERM."""

    def __init__(self) -> None:
        self.received = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._receive)

    def _receive(self, _number: int, _frame: object) -> None:
        self.received = True


def keep_alive(roles: Sequence[Role], stop: StopSignal, say: Callable[[str], None]) -> None:
    """Until `stop` is received, start again what ends by itself, but not more than once a second."""
    while not stop.received:
        time.sleep(_LOOK_SECONDS)
        _revive(roles, say)


def _revive(roles: Sequence[Role], say: Callable[[str], None]) -> None:
    for role in roles:
        if role.exit_code is not None and time.monotonic() - role.started_at > _RESTART_SECONDS:
            say(f"the {role.name} ended (exit code {role.exit_code}); starting it again")
            role.start()


def stop_all(roles: Sequence[Role], seconds: float = STOP_SECONDS) -> None:
    """Stop all at once, and wait until the last has ended; what takes longer than `seconds` is killed."""
    deadline = time.monotonic() + seconds
    for role in roles:
        role.stop()
    for role in roles:
        role.wait(deadline - time.monotonic())
