"""What a reverse proxy says of the client, believed only from TRUSTED_PROXIES."""

from __future__ import annotations

import ipaddress

from aiohttp import hdrs, web

from ..settings import SETTINGS


def is_trusted(request: web.Request, address: str) -> bool:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(known in network for network in request.app[SETTINGS].trusted_proxies)


def client_address(request: web.Request) -> str:
    """Return the address of the client: the last in X-Forwarded-For that is none of our own proxies.

    Of IPv6 it is the network of 64 bits, for one customer has all of its addresses.
    """
    address = request.remote or ""
    hops = [hop.strip() for hop in ",".join(request.headers.getall(hdrs.X_FORWARDED_FOR, [])).split(",")]
    while hops and is_trusted(request, address):
        try:
            address = str(ipaddress.ip_address(hops.pop()))
        except ValueError:
            break
    try:
        known = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    return str(known.ipv4_mapped or ipaddress.IPv6Network((int(known), 64), strict=False))


def request_origin(request: web.Request) -> str:
    """Return the scheme and host that the client knows this server by, as `https://riskscan.example.com`."""
    return f"{'https' if is_https(request) else 'http'}://{request.host}"


def is_https(request: web.Request) -> bool:
    """Tell whether the client speaks HTTPS, to us or to our proxy."""
    if request.secure:
        return True
    forwarded = request.headers.get(hdrs.X_FORWARDED_PROTO)
    return forwarded == "https" and is_trusted(request, request.remote or "")
