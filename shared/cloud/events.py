"""Publishing to Event Grid.

The SDK sends once: a duplicate would do no harm, for it has the same id, but a function must not wait for a topic that
is down. The message that led here is the retry.
"""

from shared.cloud.azure import Azure
from shared.cloud.errors import reading
from shared.domain.event import Event


def publish(azure: Azure, event: Event) -> None:
    """Taken by the topic once this returns. Raises CloudError; the topic may have taken it all the same."""
    from azure.core.messaging import CloudEvent

    cloud_event = CloudEvent(
        id=event.id,
        source=event.source,
        type=event.type.value,
        subject=event.subject,
        time=event.time,
        data=dict(event.data),
    )
    with reading():
        azure.events().send(cloud_event)
