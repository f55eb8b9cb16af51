"""Policy services and event subscribers for the gatepost SMTP front end.

A policy service in full::

    import gatepost

    service = gatepost.Service("blocklist")

    @service.mail
    def check_sender(request: gatepost.Request) -> gatepost.Verdict:
        if request.mailbox == "spammer@example.org":
            return gatepost.reject("Listed", 550, "5.7.1")
        return gatepost.accept()

    service.run("/run/gatepost/blocklist.sock")

Reading events::

    for item in gatepost.Subscriber("/run/gatepost/events.sock", events=["message"]):
        print(item)
"""

from ._cursor import Event, EventsError, Gap
from ._events import Subscriber, events
from ._request import ContentError, Request, mailbox, raw
from ._service import Service
from ._verdict import Verdict, accept, disconnect, reject, tempfail
from ._version import __version__
from .wire import WireError

__all__ = [
    "ContentError",
    "Event",
    "EventsError",
    "Gap",
    "Request",
    "Service",
    "Subscriber",
    "Verdict",
    "WireError",
    "__version__",
    "accept",
    "disconnect",
    "events",
    "mailbox",
    "raw",
    "reject",
    "tempfail",
]
