"""The last look at a machine before a maintenance run starts it."""

import logging

from shared.cloud import machines as cloud
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.domain.logline import logline
from shared.domain.machine import Record
from shared.domain.precondition import why_not_started
from shared.domain.returning import put_off
from shared.store.operations import Held
from shared.store.store import Store
from shared.workflows.sending import end_unstarted, go_on

log = logging.getLogger(__name__)


def is_fit(azure: Azure, store: Store, record: Record, held: Held, vm_id: str, look_again: bool) -> bool:
    """Whether the machine may be started now; else its attempt ends with the reason, or is made again later.

    Azure is asked, not the inventory; `vm_id` is that of the machine that the run chose; `look_again`: its run looks
    again at machines that are away. Raises Conflict when somebody else moved the attempt on.
    """
    try:
        current = cloud.at_this_moment(azure, record.machine.address)
    except CloudError as error:
        log.warning(logline("machine unknown now", machine=record.machine.id, detail=error))
        return False  # the permit runs out unused, and another is granted
    why = why_not_started(current, record, vm_id)
    if why is None:
        return True
    later = put_off(held.operation, why, azure.clock.now()) if look_again else None
    if later is None:
        end_unstarted(store, held, why, azure.clock.now())
        return False
    go_on(store, store.operations.save(held, later).operation, 0)
    log.info("installation put off machine=%s run=%s reason=%s", later.machine, later.attempt, why.code)
    return False
