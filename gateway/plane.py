"""What the stages work with: one of each per process."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.conf import settings

from accounts.actions import peppers, secret_uses
from accounts.uses import Uses
from compliance.contracts import ANONYMOUS, SYSTEM
from gateway import compile, placeholder_rows, subject_rows
from gateway.actions import leaks, strangers
from gateway.bridge import Bridge
from gateway.content_keys import ContentKeys
from gateway.deciding import Decisions
from gateway.failed_keys import FailedKeys
from gateway.granted import Granted
from gateway.hammering import Hammering
from gateway.known_ids import KnownIds
from gateway.ledger import Ledger
from gateway.metrics import Metrics
from gateway.moderating import Moderating
from gateway.patience import Patience
from gateway.refusals import Refusals
from gateway.rehashing import Rehashing
from gateway.remembering import Remembering
from gateway.sightings import Sightings
from gateway.snapshot import Snapshots
from gateway.strangers import Strangers
from gateway.subjects import KEPT_S, KEPT_UNTOLD_S, Subjects
from gateway.transcripts import Transcripts
from gateway.turns import InHand
from gateway.upstream import UpstreamClient
from gateway.using import UseWriter
from gateway.watch import PolicyWatch

AGAIN_AFTER_S = 1.0
SETTLED_WITHIN_S = 1.0
"""How long an answer waits for its settlement. After that it goes out, and the ledger is told when it is back."""

log = structlog.get_logger("gateway.plane")


@dataclass(slots=True, kw_only=True)
class Plane:
    """The data plane's services. `open` it in the event loop that serves; `close` lets go of everything."""

    snapshots: Snapshots
    subjects: Subjects
    ledger: Ledger
    refusals: Refusals
    strangers: Strangers
    sightings: Sightings
    rehashing: Rehashing
    transcripts: Transcripts
    decisions: Decisions
    remembering: Remembering
    upstream: UpstreamClient
    moderating: Moderating
    bridge: Bridge
    content_keys: ContentKeys
    in_hand: InHand
    watch: PolicyWatch
    status_of: Callable[[BaseException], int]
    failed_keys: FailedKeys
    known_ids: KnownIds
    uses: Uses
    use_writer: UseWriter
    hammering: Hammering = field(default_factory=Hammering)
    metrics: Metrics = field(default_factory=Metrics)
    settling: Patience = field(default_factory=lambda: Patience(SETTLED_WITHIN_S))
    in_flight: int = 0
    draining: bool = False
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    @classmethod
    def make(
        cls,
        *,
        main: Mapping[str, Any],
        ledger: Mapping[str, Any],
        keys: Mapping[str, Any],
        listen: bool,
        status_of: Callable[[BaseException], int],
    ) -> "Plane":
        """A plane over those databases (libpq parameters)."""
        bridge = Bridge()
        snapshots = Snapshots(
            load_principal=lambda public_id: bridge.run(lambda: compile.principal(public_id)),
            load_routes=lambda: bridge.run(compile.route_table),
        )
        subjects = Subjects(
            find=lambda people: bridge.run(lambda: subject_rows.find(people)),
            enrol=lambda newcomers: bridge.run(lambda: subject_rows.enrol(newcomers)),
            allowed=lambda wishes: bridge.run(lambda: subject_rows.allowed(wishes)),
            new_per_minute=settings.NEW_SUBJECTS_PER_MINUTE,
            kept_s=KEPT_S if listen else KEPT_UNTOLD_S,
        )
        client, uses = Ledger(ledger), Uses()
        upstream, in_hand, granted = UpstreamClient(), InHand(), Granted()
        content_keys = ContentKeys(
            {**keys, "application_name": "portcullis gateway keys"}, threads=Bridge(), keeping=Bridge(keeps=True)
        )
        return cls(
            snapshots=snapshots,
            subjects=subjects,
            ledger=client,
            refusals=Refusals(client),
            strangers=Strangers(
                lambda counts: bridge.run(lambda: strangers.put_on_record(counts=counts, by=ANONYMOUS))
            ),
            transcripts=Transcripts(
                {**main, "application_name": "portcullis gateway content"},
                keys=content_keys.of,
                granted=granted,
                in_hand=in_hand,
                most=settings.CONTENT_QUEUE_MOST,
                most_bytes=settings.CONTENT_QUEUE_BYTES,
            ),
            decisions=Decisions({**main, "application_name": "portcullis gateway guards"}),
            remembering=Remembering(
                remember=lambda keeps: bridge.run(lambda: placeholder_rows.remember(keeps)),
                recall=lambda person, codes: bridge.run(lambda: placeholder_rows.recall(person, codes)),
            ),
            upstream=upstream,
            moderating=Moderating(upstream, snapshots),
            bridge=bridge,
            content_keys=content_keys,
            in_hand=in_hand,
            watch=PolicyWatch(snapshots, subjects, granted, main, listen=listen),
            status_of=status_of,
            failed_keys=FailedKeys(settings.FAILED_KEYS_PER_MINUTE),
            known_ids=KnownIds(lambda public_ids: bridge.run(lambda: compile.known_ids(public_ids))),
            rehashing=Rehashing(lambda secrets: bridge.run(lambda: peppers.rehash(secrets=secrets, by=SYSTEM))),
            sightings=Sightings(lambda seen: bridge.run(lambda: leaks.note(sightings=seen, by=SYSTEM))),
            uses=uses,
            use_writer=UseWriter(uses, lambda times: bridge.run(lambda: secret_uses.note_uses(times=times))),
        )

    def start(self) -> None:
        self.ledger.start()
        self.transcripts.start()
        loop = asyncio.get_running_loop()
        writers = (
            self.strangers.run,
            self.sightings.run,
            self.rehashing.run,
            self.use_writer.run,
            self.remembering.run,
            self.decisions.run,
        )
        works = (self.watch.run, self.refusals.run, *writers)
        self._tasks = [loop.create_task(_forever(work)) for work in works]

    async def close(self) -> None:
        """Hands what is left to the ledger, then lets go of connections and threads."""
        self.draining = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.refusals.flush()
        await self.strangers.flush()
        await self.sightings.flush()
        await self.rehashing.flush()
        await self.remembering.flush()
        await asyncio.gather(self.use_writer.flush(), return_exceptions=True)
        await asyncio.gather(self.ledger.close(), self.transcripts.close())
        await asyncio.gather(self.decisions.close(), return_exceptions=True)
        await self.upstream.close()
        await self.content_keys.close()  # last, as a thread may be waiting for a provider of root keys
        self.bridge.close()


async def _forever(work: Callable[[], Awaitable[None]]) -> None:
    """Runs `work` until cancelled; should it ever end, it is begun again."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("a background task failed")
        await asyncio.sleep(AGAIN_AFTER_S)
