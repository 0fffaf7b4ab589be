"""Azure's own maintenance events, recorded against the configurations that were taken over from it."""

import logging
from datetime import datetime
from typing import Any

from shared.domain.errors import RequestError
from shared.domain.logline import logline
from shared.domain.maintenance_id import ConfigurationId
from shared.domain.native_event import NativeEvent, read_native_event
from shared.store.store import Store

log = logging.getLogger(__name__)


def record_native_event(store: Store, kind: str, id_: str, time: datetime | None, data: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether it is kept. What is of no use is dropped with a line in the log: Event Grid would bring it for a day."""
    try:
        event = read_native_event(kind, id_, time, data)
    except (ValueError, RequestError) as error:
        log.warning(logline("native event unreadable", id=id_, type=kind, detail=error))
        return False
    if event is None or store.configurations.get(event.configuration) is None:
        log.info(logline("native event of nothing known", id=id_, type=kind))
        return False
    store.native_events.save(event)
    log.info(logline("native event", id=id_, type=kind, status=event.status))
    return True


def list_native_events(
    store: Store, configuration: ConfigurationId, first: str, size: int
) -> tuple[list[NativeEvent], str]:
    """What Azure told of a configuration, newest run first."""
    return store.native_events.page(configuration, first, size)
