"""How the SDKs of storage reach it: their own transport, with our time-outs and enough connections."""

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from azure.core.pipeline.transport import HttpTransport

# Time-outs of one request, seconds (ours): the SDK's own are 300 each, the whole time of a function. The service takes
# at most 30. Sources: "Setting timeouts for Table service operations", "Setting timeouts for Queue Storage operations".
CONNECT_TIMEOUT, READ_TIMEOUT = 5, 35
# Hosts, and connections to each, that stay open (ours): a worker runs at most 32 functions at a time, of which a few
# read by eight threads more (table.py). The SDKs keep ten; each one beyond costs a handshake and a log's warning.
HOSTS_KEPT, CONNECTIONS_KEPT = 10, 64


def transport() -> "HttpTransport[Any, Any]":
    """A new one for a client, which takes no time-outs of its own where it is given one.

    As the SDK's own does, it sends no request twice: that is up to the client's policies.
    """
    from azure.core.pipeline.transport import RequestsTransport

    made = RequestsTransport(connection_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT)
    made.open()
    for scheme in ("https://", "http://"):
        made.session.get_adapter(scheme).init_poolmanager(HOSTS_KEPT, CONNECTIONS_KEPT)
    return cast("HttpTransport[Any, Any]", made)
