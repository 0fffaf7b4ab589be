"""Which deployment of the app drives a subscription: two of them must not share its machines (design, "not alone").

**The marker** is a tag of the subscription, because that is what every deployment sees, whatever storage it has. Its
value is the name of the deployment. Azure's tags have no compare-and-set, so a marker is written, left to settle, and
read back: it is ours only if a reading at least SETTLE after our write still shows it. Whoever saw no marker did so
before ours stood, and its own write leaves within LEAVE of that look; so none can come after SETTLE. What remains: a
write that Azure takes up more than seconds after it arrived, a reading that does not show the newest write, a marker
that is taken away by hand while its deployment goes on with what it read, and one that is taken over from a deployment
that may no longer read it.

**Unknown.** Where Azure refuses to show the marker or to write it, there is none that could keep another deployment
away, and an app that then patched nothing would be no use: it works, and health warns. But what is known to be
another's stays another's, and what was taken from another stays unsettled, until a reading shows that it is ours: a
permission that is withdrawn says nothing of who works. Where Azure does not answer, what was read before counts for
GOOD_FOR, and then nothing starts until it answers.
"""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from shared.domain.reason import Reason, reason

# After so long (ours) a marker is read again when something is to be started.
REFRESH = timedelta(minutes=5)
# So long a reading counts while Azure does not answer (ours): as long as another deployment waits after a take-over.
GOOD_FOR = timedelta(minutes=15)
# Within this after the look that saw no marker, ours leaves, or not at all (ours).
LEAVE = timedelta(seconds=2)
# So long a written marker settles (ours): LEAVE, five seconds to connect (cloud/azure.py), and three for Azure.
SETTLE = timedelta(seconds=10)
# So long it settles when it was another's: that one may act on what it read for GOOD_FOR, and then one of its messages
# goes on starting for two minutes (planned.py), the last start leaving within 20 s (operation.py).
TAKE_OVER = GOOD_FOR + timedelta(minutes=3)
# Seconds after which is asked again where Azure names no time (ours).
ASK_AGAIN = 15
# Azure's answers that asking again does not change: no permission or a policy against it, no such subscription; of a
# write also one that cannot be, as where the subscription has its 50 tags already.
_UNREADABLE = frozenset({403, 404})
_UNWRITABLE = frozenset({400, 403, 404})


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a subscription's marker.

    `reason`: why it is not ours, when it is known not to be. `taken`: who made it ours though it was another's.
    `trouble`: why Azure would not let us look again, where what was known before counts on.
    """

    subscription: str
    owner: str  # the deployment that it names; ours from the moment that we are about to write it
    read: datetime  # when Azure was asked
    settles: datetime | None = None  # ours only by a reading from then on
    reason: Reason | None = None
    taken: Reason | None = None
    was_anothers: bool = False  # before we wrote ours, which may not have arrived
    trouble: Reason | None = None

    @property
    def is_elsewhere(self) -> bool:
        return self.reason is not None and self.reason.code == "OwnedElsewhere"

    @property
    def is_unmarked(self) -> bool:
        """Azure lets the app not read or not write it."""
        return self.reason is not None and not self.is_elsewhere

    @property
    def is_settling(self) -> bool:
        """No reading since it settled shows that it is ours."""
        return self.settles is not None and self.read < self.settles


class Standing(StrEnum):
    """What a mark says of a start."""

    OURS = "ours"
    ELSEWHERE = "elsewhere"
    UNMARKED = "unmarked"  # it cannot be marked: start, and warn
    SETTLING = "settling"
    UNKNOWN = "unknown"


def standing(mark: Mark | None, deployment: str, now: datetime) -> Standing:
    """Whether something may be started in a subscription, by what is known of its marker."""
    if mark is None:
        return Standing.UNKNOWN
    if mark.is_elsewhere or (mark.owner and mark.owner != deployment):
        return Standing.ELSEWHERE
    if mark.is_unmarked:
        return Standing.UNMARKED if now < mark.read + GOOD_FOR else Standing.UNKNOWN
    if mark.is_settling:
        return Standing.SETTLING
    return Standing.OURS if now < mark.read + GOOD_FOR else Standing.UNKNOWN


def is_due(mark: Mark | None, now: datetime) -> bool:
    """Whether Azure is asked before this mark is believed."""
    if mark is None or now >= mark.read + REFRESH:
        return True
    return mark.settles is not None and mark.read < mark.settles <= now


def seconds_to_settle(mark: Mark | None, now: datetime) -> int:
    """In how many whole seconds to ask again."""
    left = mark.settles - now if mark and mark.settles else timedelta()
    return max(1, int(left.total_seconds()) + 1) if left > timedelta() else ASK_AGAIN


def seen(before: Mark | None, subscription: str, owner: str, deployment: str, at: datetime) -> Mark:
    """After Azure showed the marker of a deployment, asked at this instant.

    Ours that we have no record of is one of an earlier life. Ours in the place of another's was put there by hand.
    """
    if owner != deployment:
        why = reason("OwnedElsewhere", owner)
        return Mark(subscription=subscription, owner=owner, read=at, reason=why)
    if before and before.is_elsewhere:
        return Mark(subscription=subscription, owner=owner, read=at, settles=at + TAKE_OVER, was_anothers=True)
    if before and before.owner == deployment:
        return replace(before, read=at, reason=None, trouble=None)
    if before and before.is_unmarked:  # no row is written before a write that was refused last time: it may be new
        return Mark(subscription=subscription, owner=owner, read=at, settles=at + SETTLE)
    return Mark(subscription=subscription, owner=owner, read=at)


def claimed(
    subscription: str, deployment: str, now: datetime, before: Mark | None, taken: Reason | None = None
) -> Mark:
    """Ours is about to be written, or was just written, where this was known before; `taken`: over another's."""
    unsettled = before if before and before.owner == deployment and before.is_settling else None
    from_another = taken is not None or (before is not None and before.is_elsewhere)
    settles = now + (TAKE_OVER if from_another else SETTLE)
    return Mark(
        subscription=subscription,
        owner=deployment,
        read=now,
        settles=max(settles, unsettled.settles or settles) if unsettled else settles,
        taken=taken or (unsettled.taken if unsettled else None),
        was_anothers=from_another or (unsettled is not None and unsettled.was_anothers),
    )


def not_shown(before: Mark | None, refused: Mark, deployment: str) -> Mark:
    """What counts after Azure refused to show the marker (`unreadable`), where this was known before."""
    if before and (_counts_on(before, deployment, refused.read) or (before.is_settling and before.was_anothers)):
        return replace(before, trouble=refused.reason)
    return refused


def not_written(before: Mark | None, claim: Mark, refused: Mark, deployment: str) -> Mark:
    """What counts after Azure showed no marker and refused to write ours (`unwritable`): the claim, or `refused`.

    Whoever drove the subscription before and still does has put its own there again before the claim settles.
    """
    if before and _counts_on(before, deployment, refused.read):
        return replace(claim, trouble=refused.reason)
    return refused


def _counts_on(before: Mark, deployment: str, now: datetime) -> bool:
    """Another's does, and ours within its time to settle."""
    is_early = before.is_settling and before.settles is not None and now < before.settles
    return is_early or standing(before, deployment, now) is Standing.ELSEWHERE


def unreadable(subscription: str, status: int, detail: str, at: datetime) -> Mark | None:
    """After Azure would not show the marker; None when asking again may help."""
    if status not in _UNREADABLE:
        return None
    return Mark(subscription=subscription, owner="", read=at, reason=reason("OwnerUnreadable", detail))


def unwritable(subscription: str, status: int, detail: str, at: datetime) -> Mark | None:
    """After Azure would not write it; None when trying again may help."""
    if status not in _UNWRITABLE:
        return None
    return Mark(subscription=subscription, owner="", read=at, reason=reason("OwnerUnwritable", detail))
