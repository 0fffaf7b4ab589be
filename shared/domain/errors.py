"""What a caller did that cannot be done, in the shape of Azure's error body."""


class RequestError(Exception):
    """A request that is refused, with the HTTP status and Azure's `{"error": {code, message, target}}`.

    Source: Azure REST API guidelines, error condition responses. `target` names the field to fix;
    `retry_after` says in how many seconds asking again may help, 0 where nobody knows.
    """

    def __init__(self, status: int, code: str, message: str, target: str = "", retry_after: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.retry_after = retry_after


def invalid(target: str, message: str) -> RequestError:
    """Bad input in one field: 400 `InvalidParameter`, as Microsoft.Compute answers."""
    return RequestError(400, "InvalidParameter", message, target)


def not_found(what: str) -> RequestError:
    """A resource that does not exist: 404 `ResourceNotFound`, as Azure Resource Manager answers."""
    return RequestError(404, "ResourceNotFound", f"The resource '{what}' was not found.", what)
