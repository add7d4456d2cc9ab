"""Connections to public addresses only, judged by the address that was in fact reached.

A host may answer one address when it is looked up and another when it is connected to (DNS rebinding): so the
peer of every socket is looked at before anything is sent over it. Connections to a proxy are left alone: the
proxy chooses the address.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from pipeline.support.errors import DownloadError


def is_public(address: str) -> bool:
    """Tell whether an IP address, with or without a zone, is one of the public internet."""
    return ipaddress.ip_address(address.split("%", maxsplit=1)[0]).is_global


class PublicAdapter(HTTPAdapter):
    """Refuses loopback, link-local and private networks with a `DownloadError`."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make connections of the kinds below."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}


class _Http(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _judged(super()._new_conn(), self.host)


class _Https(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _judged(super()._new_conn(), self.host)


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


def _judged(connection: socket.socket, host: str) -> socket.socket:
    if not is_public(str(connection.getpeername()[0])):
        connection.close()
        raise DownloadError(f"{host} is an address of a private network")
    return connection
