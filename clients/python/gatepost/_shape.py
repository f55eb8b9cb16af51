"""The shape of every message of both channels. The rules of a reply are in _verdict and edits."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Mapping, NoReturn

from ._line import Message, WireError, b64, is_int
from ._verdict import check_extras, check_verdict

HOOKS = ("connect", "ehlo", "starttls", "secure", "auth", "mail", "rcpt", "data", "message", "disconnect")
BODY_MODES = ("none", "headers", "inline", "path", "fd")
FACTS = (
    "client", "client.name", "client.proxy", "listener", "helo", "tls", "tls.peer", "auth", "mail", "recipients", "labels",
)  # fmt: skip
EXTEND_MAX = 3600000
EVENTS = (
    "connect", "secure", "command", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "message", "delivery",
    "reset", "disconnect", "policy.decision", "policy.failure", "policy.bad_reply", "policy.breaker", "policy.service",
    "policy.shadow", "violation", "gateway.start", "gateway.ready", "gateway.unready", "gateway.reload", "gateway.drain",
)  # fmt: skip


_ONLY_AT = {"mail": ("rcpt", "data", "message"), "recipients": ("data", "message")}


def check_need(hook: str, need: Iterable[str]) -> None:
    """Check that requests of this hook can ever have these facts. Raises WireError (a ValueError)."""
    for fact in need:
        if fact not in FACTS:
            _fail(f'hook {hook} needs "{fact}", which is not known: use {", ".join(FACTS)}', "need_unavailable")
        if hook not in _ONLY_AT.get(fact, HOOKS):
            _fail(f'hook {hook} needs "{fact}", which a request has only at {", ".join(_ONLY_AT[fact])}', "need_unavailable")


def _fail(text: str, code: str = "bad_message") -> NoReturn:
    raise WireError(code, text)


def _get_int(msg: Mapping[str, Any], key: str, low: int = 0) -> int:
    if not is_int(msg.get(key), low):
        _fail(f'"{key}" must be an integer of at least {low}')
    return int(msg[key])


def _get_str(msg: Mapping[str, Any], key: str, optional: bool = False) -> None:
    if (key in msg or not optional) and not isinstance(msg.get(key), str):
        _fail(f'"{key}" must be a string')
    twin = msg.get(key + "_b64")
    if twin is not None:
        b64(twin)


def _get_dict(msg: Mapping[str, Any], key: str) -> Dict[str, Any]:
    value = msg.get(key)
    if not isinstance(value, dict):
        _fail(f'"{key}" must be an object')
    return value


def _strings(value: object, what: str) -> List[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        _fail(f'"{what}" must be an array of strings')
    return value


def check_must(msg: Mapping[str, Any]) -> None:
    """Refuse a message that must be understood and is not: no feature is known today."""
    if "must" in msg and _strings(msg["must"], "must"):
        _fail(f'"must" names an unknown feature: {msg["must"][0]}', "bad_reply" if msg.get("type") == "reply" else "bad_message")


def _version(msg: Mapping[str, Any]) -> None:
    if _get_int(msg, "version") != 1:
        _fail(f'version {msg["version"]} is not known', "version")


def check_body(modes: Iterable[str]) -> None:
    """Check a list of body modes. Raises WireError (a ValueError)."""
    modes = list(modes)
    if not modes:
        _fail("the list of body modes is empty")
    for mode in modes:
        if mode not in BODY_MODES:
            _fail(f"body mode {mode!r} is not known: use {', '.join(BODY_MODES)}", "body_unknown")
    if modes[-1] == "inline":
        _fail('body mode "inline" needs a fallback after it, such as "path"', "body_no_fallback")


def _hello(msg: Message) -> None:
    gateway = _get_dict(msg, "gateway")
    _get_str(gateway, "name")
    _get_str(gateway, "epoch")
    versions = msg.get("versions")
    if not isinstance(versions, list) or not all(is_int(item, 1) for item in versions):
        _fail('"versions" must be an array of integers')
    if msg.get("protocol") == "gatepost-policy":
        for key in ("hooks", "context", "edits", "body"):
            _strings(msg.get(key), key)
        _get_int(_get_dict(msg, "limits"), "keep", 1)
        _get_int(msg, "ping_ms", 1)
    elif msg.get("protocol") == "gatepost-events":
        _get_int(msg, "head")
        _get_int(msg, "oldest")
    else:
        _fail(f'protocol {msg.get("protocol")!r} is not known')


def _register(msg: Message) -> None:
    _version(msg)
    hooks = _get_dict(msg, "hooks")
    if not hooks:
        _fail('"hooks" is empty')
    for name, options in hooks.items():
        if name not in HOOKS:
            _fail(f"hook {name!r} is not known", "unknown_hook")
        if not isinstance(options, dict):
            _fail(f"the options of hook {name} must be an object")
        for key in ("need", "want"):
            if key in options:
                _strings(options[key], key)
        check_need(name, options.get("need", ()))
    _get_str(msg, "service", True)
    _get_str(msg, "software", True)
    if "body" in msg:
        check_body(_strings(msg["body"], "body"))
    if "window" in msg:
        _get_int(msg, "window", 1)


def _ready(msg: Message) -> None:
    _version(msg)
    _get_str(msg, "policy")
    for options in _get_dict(msg, "hooks").values():
        if not isinstance(options, dict):
            _fail("the options of a hook must be an object")
        for key, low in (("deadline_ms", 0), ("extend_ms", 1)):
            if key in options:
                _get_int(options, key, low)
    _strings(msg.get("missing"), "missing")
    _get_int(msg, "window", 1)
    _strings(msg.get("body"), "body")
    if msg.get("spool") is not None:
        _get_str(msg, "spool")
    if msg.get("mode") not in ("enforce", "shadow"):
        _fail('"mode" must be "enforce" or "shadow"')
    _strings(msg.get("grants"), "grants")
    if msg.get("delivers", True) is not True:
        _fail('"delivers" must be true where it is there')


def _error(msg: Message) -> None:
    if not isinstance(msg.get("fatal"), bool):
        _fail('"fatal" must be true or false')
    _get_str(msg, "code")
    _get_str(msg, "message")


def _mailbox(value: object) -> None:
    if not isinstance(value, dict):
        _fail("a mailbox must be an object")
    for key in ("address", "local", "domain"):
        _get_str(value, key)
    params = value.get("params")
    if not isinstance(params, list):
        _fail('"params" must be an array')
    for pair in params:
        if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)):
            _fail("a parameter must be a pair")
        if pair[1] is not None and not isinstance(pair[1], str):
            _fail("the value of a parameter must be a string or null")


def _credentials(args: Mapping[str, Any]) -> None:
    _get_str(args, "mechanism")
    _get_str(args, "user")
    _get_str(args, "authzid", True)
    _get_str(args, "password", args["mechanism"] not in ("PLAIN", "LOGIN"))
    _get_str(args, "token", args["mechanism"] not in ("XOAUTH2", "OAUTHBEARER"))


def _keep(keep: Mapping[str, Any], hook: object) -> None:
    if not keep or not all(isinstance(value, dict) for value in keep.values()):
        _fail('the members of "keep" must be objects')
    if hook == "disconnect" and "transaction" in keep:
        _fail("the transaction is over at disconnect")


def _request(msg: Message) -> None:
    hook = msg.get("hook")
    _get_str(msg, "hook")
    _get_str(msg, "session")
    _get_str(msg, "transaction", True)
    if hook != "disconnect":
        _get_int(msg, "id")
        _get_str(msg, "key")
        _get_int(msg, "attempt", 1)
        _get_int(msg, "deadline_ms")
    args = _get_dict(msg, "args")
    context = _get_dict(msg, "context")
    if "labels" in context:
        _strings(context["labels"], "labels")
    if "keep" in msg:
        _keep(_get_dict(msg, "keep"), hook)
    if "mail" in context:
        _mailbox(context["mail"])
    if hook in ("mail", "rcpt"):
        _mailbox(args)
    if hook == "rcpt":
        _get_int(args, "index", 1)
        _get_int(args, "accepted")
    elif hook == "ehlo":
        _get_str(args, "verb")
        _get_str(args, "name")
    elif hook == "auth":
        _credentials(args)
    elif hook == "data":
        _get_int(args, "recipients")
    elif hook == "message":
        _get_int(args, "size")
        if args.get("quarantine", True) is not True:
            _fail('"quarantine" must be true where it is there')
        body = _get_dict(args, "body")
        key = {"none": "mode", "headers": "headers_b64", "inline": "data_b64", "path": "path", "fd": "mode"}.get(str(body.get("mode")))
        if key is None:
            _fail(f'body mode {body.get("mode")!r} is not known')
        _get_str(body, key)
        if key.endswith("_b64"):
            b64(body[key])
    elif hook == "disconnect":
        _get_str(args, "reason")


def _cancel(msg: Message) -> None:
    ids = msg.get("ids")
    if not isinstance(ids, list) or not all(is_int(item) for item in ids):
        _fail('"ids" must be an array of integers')
    _get_str(msg, "why")


def _reply(msg: Message) -> None:
    _get_int(msg, "id")
    for key in ("code", "status", "text", "reason", "until", "labels", "keep", "edits", "ref"):
        if key in msg and msg[key] is None:
            _fail(f'"{key}" must not be null', "bad_reply")
    try:
        check_verdict(msg.get("verdict"), msg.get("code"), msg.get("status"), msg.get("text"), msg.get("reason"))
        check_extras(msg["verdict"], msg.get("until"), msg.get("labels"), msg.get("keep"), msg.get("edits"), msg.get("ref"))
    except ValueError as error:
        _fail(str(error), "bad_reply")


def _progress(msg: Message) -> None:
    _get_int(msg, "id")
    if _get_int(msg, "extend_ms", 1) > EXTEND_MAX:
        _fail(f'"extend_ms" must be an integer of 1 to {EXTEND_MAX}')


def _window(msg: Message) -> None:
    _get_int(msg, "n")


def _subscribe(msg: Message) -> None:
    _version(msg)
    _get_str(msg, "name", True)
    for name in _strings(msg.get("events", ["*"]), "events"):
        known = name == "*" or name in EVENTS
        if name.endswith(".*"):
            known = any(event.startswith(name[:-1]) for event in EVENTS)
        if not known:
            _fail(f"event {name!r} is not known", "unknown_event")
    start = msg.get("from", "now")
    if isinstance(start, dict):
        _get_str(start, "epoch")
        _get_int(start, "seq")
    elif start not in ("now", "oldest"):
        _fail('"from" must be "now", "oldest" or an object with epoch and seq')
    if msg.get("on_lag", "gap") not in ("gap", "close"):
        _fail('"on_lag" must be "gap" or "close"')


def _subscribed(msg: Message) -> None:
    _version(msg)
    _get_str(msg, "epoch")
    _get_int(msg, "from", 1)
    _get_int(msg, "replaying")


def _event(msg: Message) -> None:
    if _get_int(msg, "seq", 1) <= _get_int(msg, "prev"):
        _fail('"seq" must be greater than "prev"')
    for key in ("time", "event"):
        _get_str(msg, key)
    for key in ("session", "transaction"):
        _get_str(msg, key, True)
    data = _get_dict(msg, "data")
    if msg["event"] == "policy.shadow" and ("verdict" in data) == ("failure" in data):
        _fail('"data" of policy.shadow has either a verdict or a failure')


def _gap(msg: Message) -> None:
    _get_str(msg, "why")
    if msg["why"] != "epoch" or "from" in msg:
        start, end = _get_int(msg, "from", 1), _get_int(msg, "to", 1)
        if end < start or _get_int(msg, "lost", 1) != end - start + 1:
            _fail('"from", "to" and "lost" of a gap do not fit')


def _heartbeat(msg: Message) -> None:
    _get_str(msg, "time")
    _get_int(msg, "lost_total")
    if _get_int(msg, "seq") > _get_int(msg, "head"):
        _fail('"seq" of a heartbeat must not be greater than "head"')


def _no_fields(msg: Message) -> None:
    pass


_CHECKS: Dict[str, Callable[[Message], None]] = {
    "hello": _hello, "register": _register, "ready": _ready, "error": _error, "request": _request, "cancel": _cancel,
    "reply": _reply, "progress": _progress, "window": _window, "subscribe": _subscribe, "subscribed": _subscribed, "event": _event, "gap": _gap,
    "heartbeat": _heartbeat, "ping": _no_fields, "pong": _no_fields, "drain": _no_fields,
}  # fmt: skip


def check(msg: Message) -> None:
    """Verify the shape of a message of a known type. Unknown fields are ignored. Raises WireError."""
    kind = msg.get("type")
    if not isinstance(kind, str):
        _fail('"type" must be a string')
    if kind not in _CHECKS:
        _fail(f"message type {kind!r} is not known", "unknown_type")
    check_must(msg)
    _CHECKS[kind](msg)
