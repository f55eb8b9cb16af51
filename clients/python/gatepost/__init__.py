"""Policy services and event subscribers for the gatepost SMTP front end.

A policy service in full::

    import gatepost

    service = gatepost.Service("blocklist")

    @service.mail
    def check_sender(request: gatepost.Request) -> gatepost.Verdict:
        if request.mailbox == "spammer@example.org":
            return gatepost.reject("Listed", 550, "5.7.1")
        return gatepost.accept()

    service.run("/run/blocklist/policy.sock")

Testing one, without a gateway: gatepost.testing. Changes in a message: gatepost.edits.

Reading events::

    for item in gatepost.Subscriber("/run/gatepost/events.sock", events=["message"]):
        print(item)
"""

from . import edits
from ._body import Body, ContentError
from ._cursor import Event, EventsError, Gap
from ._events import Subscriber, events
from ._ready import Ready
from ._request import Request, mailbox, raw
from ._service import Service
from ._verdict import Verdict, accept, bypass, discard, disconnect, quarantine, reject, tempfail
from .edits import Edit
from ._version import __version__
from .wire import WireError

__all__ = [
    "Body",
    "ContentError",
    "Edit",
    "Event",
    "EventsError",
    "Gap",
    "Ready",
    "Request",
    "Service",
    "Subscriber",
    "Verdict",
    "WireError",
    "__version__",
    "accept",
    "bypass",
    "discard",
    "disconnect",
    "edits",
    "events",
    "mailbox",
    "quarantine",
    "raw",
    "reject",
    "tempfail",
]
