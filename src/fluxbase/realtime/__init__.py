"""Changes, broadcasts and presence over WebSockets, under the row-level security of whoever listens."""

from fluxbase.realtime.events import Broadcast, BulkChanged, Event
from fluxbase.realtime.service import Realtime, realtime_of, running_realtime

__all__ = ["Broadcast", "BulkChanged", "Event", "Realtime", "realtime_of", "running_realtime"]
