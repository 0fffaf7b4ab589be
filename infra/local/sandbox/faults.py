"""Faults on request: the next matching requests are answered with a status of the tester's choice."""

from collections.abc import Mapping

import msgspec

from infra.local.sandbox.http import Json, Refusal, Response

_CODES = {
    429: "TooManyRequests",
    500: "InternalServerError",
    502: "BadGateway",
    503: "ServerBusy",
    504: "GatewayTimeout",
}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """With `effect` the request is carried out all the same, and only its answer is lost. `method` "" fits any."""

    method: str = ""
    path_contains: str = ""
    status: int
    effect: bool = False
    times: int = 1
    headers: Mapping[str, str] = {}

    def fits(self, method: str, path: str) -> bool:
        wanted = self.method.upper() in ("", method.upper())
        return wanted and self.path_contains.lower() in path.lower()

    def response(self) -> Response:
        refusal = Refusal(self.status, _CODES.get(self.status, "InjectedFault"), "A fault that was asked for.")
        return refusal.response().with_headers(self.headers)


class Faults:
    """Pending faults, first added first used."""

    def __init__(self) -> None:
        self._pending: list[Fault] = []

    def add(self, body: Json) -> Fault:
        """Raises Refusal 400 for a body that is not a fault."""
        try:
            fault = msgspec.convert(body, Fault)
        except msgspec.ValidationError as error:
            raise Refusal(400, "InvalidFault", str(error)) from error
        unknown = set(body) - set(Fault.__struct_fields__)
        if unknown:
            raise Refusal(400, "InvalidFault", f"A fault has no {', '.join(sorted(unknown))}.")
        self._pending.append(fault)
        return fault

    def clear(self) -> None:
        self._pending.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this request, used up by one; None when no fault fits."""
        for position, fault in enumerate(self._pending):
            if fault.fits(method, path):
                left = msgspec.structs.replace(fault, times=fault.times - 1)
                self._pending[position : position + 1] = [left] if left.times > 0 else []
                return fault
        return None
