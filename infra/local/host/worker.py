"""One worker process: runs the app's functions in Microsoft's own worker library, `azure_functions_runtime` 1.3.0.

The only module that imports that library. It is driven through its documented async entry points.
Started by the host as `python -m infra.local.host.worker PORT NUMBER`, with a one-time secret in the environment.
"""

import asyncio
import io
import logging
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from azure_functions_runtime import (
    function_load_request,
    functions_metadata_request,
    invocation_id_cv,
    invocation_request,
    start_threadpool_executor,
    worker_init_request,
)

from infra.local.host import messages
from infra.local.host.answers import http_response
from infra.local.host.link import Link
from infra.local.host.messages import ParameterBinding, RpcHttp, TypedData
from infra.local.host.process import SECRET_VARIABLE
from infra.local.host.wire import (
    BadFrame,
    Binary,
    Completed,
    FunctionRecord,
    Hello,
    HttpRequest,
    Indexed,
    Input,
    Invoke,
    Json,
    Log,
    Start,
    Text,
)

_PROJECT: Final = Path(__file__).resolve().parents[3]


class LinkHandler(logging.Handler):
    """Sends every log record to the host, with the invocation it belongs to."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """A record that cannot be formatted goes through logging's own error path."""
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - logging's contract: report it, never break the function that logs
            self.handleError(record)
            return
        invocation = invocation_id_cv.get() or ""
        self._link.send(Log(level=record.levelno, logger=record.name, message=text, invocation=invocation))


def main() -> None:
    """Runs until the host closes the connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the host decides when workers end
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what the app prints appears line by line, also when it is killed
    link = Link(int(sys.argv[1]))
    link.send(Hello(worker=int(sys.argv[2]), secret=os.environ.pop(SECRET_VARIABLE)))
    start = link.receive()
    if not isinstance(start, Start):
        raise BadFrame("The host did not begin with Start.")
    _enter_app(Path(start.app))
    _log_to(link, start.log_level)
    asyncio.run(_serve(link, start.app))


def _enter_app(app: Path) -> None:
    """As in Azure: the app's folder is the working directory and is searched last for modules."""
    os.chdir(app)
    sys.path[:] = [entry for entry in sys.path if entry and Path(entry).resolve() != _PROJECT]
    sys.path.append(str(app))


def _log_to(link: Link, level: int) -> None:
    logging.basicConfig(level=level, handlers=[LinkHandler(link)], force=True)
    # The library logs several lines an invocation and the SDKs one a request: the host's own lines say it shorter.
    for noisy in ("azure", "asyncio"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))


async def _serve(link: Link, app: str) -> None:
    listener = threading.Thread(target=_listen, args=(link, asyncio.get_running_loop()), daemon=True)
    listener.start()  # before the app is imported: a host that dies meanwhile must end this process too
    start_threadpool_executor()
    link.send(await _index(app))
    await asyncio.Event().wait()


def _listen(link: Link, loop: asyncio.AbstractEventLoop) -> None:
    """A thread of its own, so that a function that blocks the event loop cannot keep an orphan alive."""
    try:
        while True:
            message = link.receive()
            if isinstance(message, Invoke):
                asyncio.run_coroutine_threadsafe(_run(link, message), loop)
    except (EOFError, OSError):
        os._exit(0)  # the host is gone: running functions are abandoned, as when an instance is recycled
    finally:
        os._exit(1)


async def _index(app: str) -> Indexed:
    """Imports and indexes function_app.py; every indexing error comes back as the library's own text."""
    init = SimpleNamespace(function_app_directory=app, capabilities={})
    answer = await worker_init_request(_request("worker_init_request", init))
    if answer.result.status != messages.StatusResult.Success:
        exception = answer.result.exception
        return Indexed(error=exception.message, stack=exception.stack_trace or "")
    found = (await functions_metadata_request(_request("functions_metadata_request", None))).function_metadata_results
    if not found:
        return Indexed(error=f"No function was found in {Path(app) / 'function_app.py'}.")
    for function in found:
        await function_load_request(_request("function_load_request", function))
    return Indexed(functions=tuple(_record(function) for function in found))


def _record(function: Any) -> FunctionRecord:  # noqa: ANN401 - RpcFunctionMetadata as the library filled it
    return FunctionRecord(
        id=function.function_id,
        name=function.name,
        bindings=tuple(function.raw_bindings),
        has_retry=function.retry_options is not None,
    )


def _request(name: str, content: object) -> SimpleNamespace:
    request = SimpleNamespace(**{name: content})
    return SimpleNamespace(request=request, properties={"host": "127.0.0.1", "protos": messages})


async def _run(link: Link, invoke: Invoke) -> None:
    invocation_id_cv.set(invoke.id)  # the library sets it for sync functions only; this context is the task's own
    try:
        completed = await _invoke(invoke)
    except Exception as error:  # noqa: BLE001 - whatever the library did not catch is this invocation's outcome
        completed = Completed(id=invoke.id, error=repr(error), stack=traceback.format_exc())
    link.send(completed)


async def _invoke(invoke: Invoke) -> Completed:
    content = SimpleNamespace(
        invocation_id=invoke.id,
        function_id=invoke.function_id,
        input_data=[ParameterBinding(name=invoke.parameter, data=_typed(invoke.input))],
        trigger_metadata={key: _typed(value) for key, value in invoke.metadata.items()},
        trace_context=SimpleNamespace(trace_parent="", trace_state="", attributes={}),
        retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
    )
    answer = await invocation_request(_request("invocation_request", content))
    if answer.result.status != messages.StatusResult.Success:
        exception = answer.result.exception
        return Completed(id=invoke.id, error=exception.message or "failed", stack=exception.stack_trace or "")
    return Completed(id=invoke.id, response=http_response(answer.return_value))


def _typed(value: Input) -> TypedData:
    match value:
        case Text(value=text):
            return TypedData(string=text)
        case Json(value=text):
            return TypedData(json=text)
        case Binary(value=data):
            return TypedData(bytes=data)
        case HttpRequest():
            return TypedData(http=_rpc(value))


def _rpc(request: HttpRequest) -> RpcHttp:
    return RpcHttp(
        method=request.method,
        url=request.url,
        headers=request.headers,
        query=request.query,
        params=request.params,
        body=TypedData(bytes=request.body),
    )


if __name__ == "__main__":
    main()
