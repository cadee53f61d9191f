"""The client as reverse proxies report it; only those in TRUSTED_PROXIES are trusted.

Whoever connects to the Unix socket of HOST=unix:/path is trusted too: its mode admits only the proxy.
"""

from __future__ import annotations

import functools
import ipaddress

from aiohttp import hdrs, web

from ..errors import ApiError, Sentence
from ..settings import SETTINGS
from .fields import normalize_email

normalize_known_email = functools.lru_cache(4096)(normalize_email)  # it takes longer than all else here


def is_trusted(request: web.Request, address: str) -> bool:
    if not address:  # a peer without an address, by the Unix socket
        return request.app[SETTINGS].socket_path is not None
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if ip.version == 6 and ip.ipv4_mapped:  # an IPv4 peer, if RiskScan listens on ::
        ip = ip.ipv4_mapped
    return any(ip in network for network in request.app[SETTINGS].trusted_proxies)


def client_address(request: web.Request) -> str:
    """Return the address of the client: the last one in X-Forwarded-For that is not a trusted proxy.

    For IPv6 it is the /64 network, all of whose addresses belong to one customer.
    """
    address = request.remote or ""
    hops = [hop.strip() for hop in ",".join(request.headers.getall(hdrs.X_FORWARDED_FOR, [])).split(",")]
    while hops and is_trusted(request, address):
        try:
            address = str(ipaddress.ip_address(hops.pop()))
        except ValueError:
            break
    try:
        ip = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    return str(ip.ipv4_mapped or ipaddress.IPv6Network((int(ip), 64), strict=False))


def read_trusted_user(request: web.Request) -> str:
    """Return the email in TRUSTED_USER_HEADER; empty without one, or if no trusted proxy sent it.

    Raises 400 `invalid_user_header` unless it is one valid address; several headers are read as one.
    """
    name = request.app[SETTINGS].trusted_user_header
    if not name or not is_trusted(request, request.remote or ""):
        return ""
    value = ", ".join(request.headers.getall(name, ())).strip()
    try:
        return normalize_known_email(value) if value else ""
    except ApiError:
        detail = Sentence("The proxy has sent an invalid email address in %(header)s.", header=name)
        raise ApiError(400, "invalid_user_header", detail) from None


def request_origin(request: web.Request) -> str:
    """Return the scheme and host in the client's URL, such as `https://riskscan.example.com`."""
    return f"{'https' if is_https(request) else 'http'}://{request.host}"


def is_https(request: web.Request) -> bool:
    """Return whether the client uses HTTPS, to RiskScan or to a trusted proxy."""
    if request.secure:
        return True
    forwarded = request.headers.get(hdrs.X_FORWARDED_PROTO)
    return forwarded == "https" and is_trusted(request, request.remote or "")
