"""The client as reverse proxies report it; only those in TRUSTED_PROXIES are trusted.

Whoever connects to the Unix socket of HOST=unix:/path is trusted too: its mode admits only the proxy.
"""

from __future__ import annotations

import ipaddress

from aiohttp import hdrs, web

from ..settings import SETTINGS


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


def request_origin(request: web.Request) -> str:
    """Return the scheme and host in the client's URL, such as `https://riskscan.example.com`."""
    return f"{'https' if is_https(request) else 'http'}://{request.host}"


def is_https(request: web.Request) -> bool:
    """Return whether the client uses HTTPS, to RiskScan or to a trusted proxy."""
    if request.secure:
        return True
    forwarded = request.headers.get(hdrs.X_FORWARDED_PROTO)
    return forwarded == "https" and is_trusted(request, request.remote or "")
