"""The two listening ends of the front, plain and TLS, on loopback."""

import os
import socket
import ssl
from typing import Final

from aiohttp import web

from infra.local.host.errors import Refused
from infra.local.host.options import Options

# Open connections are given this long to end when the host stops; by then every invocation has ended.
CLOSE_SECONDS: Final = 0.5


class Fronts:
    """Ports are taken at once, so that their numbers are known; requests are answered from `open` on."""

    def __init__(self, options: Options) -> None:
        """Raises Refused when a port is taken or the certificate cannot be read."""
        self._plain = _bound(options.port)
        self._tls = _bound(options.tls_port) if options.cert else None
        self._context = _context(options.cert, options.key) if options.cert else None
        self._sites: list[web.SockSite] = []
        self._runner: web.AppRunner | None = None

    @property
    def host_name(self) -> str:
        """Address and port of the plain front."""
        return f"127.0.0.1:{_port(self._plain)}"

    @property
    def url(self) -> str:
        """Of the plain front."""
        return f"http://{self.host_name}"

    @property
    def tls_url(self) -> str | None:
        """Of the TLS front, when there is one."""
        return None if self._tls is None else f"https://127.0.0.1:{_port(self._tls)}"

    async def open(self, application: web.Application) -> None:
        """Starts to answer."""
        # As in Azure, a body reaches the function as it came, whatever Content-Encoding says of it.
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=CLOSE_SECONDS, auto_decompress=False
        )
        await self._runner.setup()
        self._sites = [web.SockSite(self._runner, self._plain)]
        if self._tls is not None:
            self._sites.append(web.SockSite(self._runner, self._tls, ssl_context=self._context))
        for site in self._sites:
            await site.start()

    async def stop_listening(self) -> None:
        """Takes no new connections; requests in flight go on."""
        for site in self._sites:
            await site.stop()

    async def close(self) -> None:
        """Ends what is left and gives the ports back."""
        if self._runner is not None:
            await self._runner.cleanup()
        for bound in (self._plain, self._tls):
            if bound is not None:
                bound.close()


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere this option would let two programs share the port
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError as error:
        bound.close()
        raise Refused(f"Port {port} of 127.0.0.1 cannot be used: {error.strerror}.") from error
    return bound


def _port(bound: socket.socket) -> int:
    return int(bound.getsockname()[1])


def _context(cert: str, key: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise Refused(f"The certificate {cert} with key {key} cannot be used: {error}.") from error
    return context
