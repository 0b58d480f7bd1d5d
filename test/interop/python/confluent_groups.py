"""Consumer groups with confluent-kafka, which is librdkafka. Prints, one JSON object a line, what each step gave."""
import json
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, sys.argv[1])
from confluent_kafka import (  # noqa: E402
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

bootstrap = sys.argv[2]
PATIENCE_S = 150
# Scenarios that run beside each other: mostly they wait for a heartbeat.
WIDTH = 4

CLASSIC = {"group.protocol": "classic", "session.timeout.ms": 30_000, "heartbeat.interval.ms": 150}
MODERN = {"group.protocol": "consumer"}

admin = AdminClient({"bootstrap.servers": bootstrap})
printing = threading.Lock()


def step(name, value):
    with printing:
        print(json.dumps({"step": name, "value": value}), flush=True)


def until(what, condition, told=lambda: ""):
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited in vain for {what} {told()}")


def patiently(what, ask):
    """The coordinator may be on its way somewhere, and the group in the middle of a rebalance."""
    told = []

    def attempt():
        try:
            return [ask()]
        except KafkaException as exception:
            told[:] = [str(exception)]
            time.sleep(0.05)
            return None

    return until(what, attempt, lambda: told)[0]


def create(topics):
    """
    Returns once the leader of each partition serves: only then nothing is refused that others overtake. Who asks is new
    each time, for librdkafka does not soon ask again about a topic that had no partition yet.
    """
    for made in admin.create_topics([NewTopic(name, count, 1) for name, count in topics.items()]).values():
        made.result(PATIENCE_S)
    parts = [TopicPartition(name, at) for name, count in topics.items() for at in range(count)]

    def all_serve():
        looker = Consumer({"bootstrap.servers": bootstrap, "group.id": "looker"})
        try:
            return [looker.get_watermark_offsets(part, timeout=20) for part in parts]
        finally:
            looker.close()

    patiently(f"the leaders of {sorted(topics)}", all_serve)


class Writer:
    """Writes values that count up, to partitions in turn, in order."""

    def __init__(self, *topics):
        self.targets = [(topic, at) for topic, partitions in topics for at in range(partitions)]
        self.sent = 0
        self.producer = Producer(
            {"bootstrap.servers": bootstrap, "linger.ms": 0, "max.in.flight.requests.per.connection": 1}
        )

    def write(self, count):
        failed = []

        def delivered(error, _):
            if error is not None:
                failed.append(error)

        for _ in range(count):
            topic, partition = self.targets[self.sent % len(self.targets)]
            self.producer.produce(topic, str(self.sent), partition=partition, on_delivery=delivered)
            self.sent += 1
        if self.producer.flush(PATIENCE_S) != 0 or failed:
            raise RuntimeError(f"not all was written: {failed}")


class Member:
    """A consumer that remembers what it got and what it gave back."""

    def __init__(self, group, subscription, config, **more):
        self.values = []
        self.revoked = []
        self.errors = []
        self.consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "auto.commit.interval.ms": 100,
                "topic.metadata.refresh.interval.ms": 500,
                "fetch.wait.max.ms": 100,
                **config,
                **more,
            }
        )
        if subscription:
            self.consumer.subscribe(subscription, on_revoke=self.gave_back)

    def gave_back(self, _, partitions):
        self.revoked += [(one.topic, one.partition) for one in partitions]

    def poll(self):
        message = self.consumer.poll(0.01)
        if message is None:
            return None
        error = message.error()
        if error is not None:
            # What passes by itself is waited out.
            self.errors.append(error)
            return None
        self.values.append(message.value().decode())
        return message

    @property
    def owned(self):
        return sorted((one.topic, one.partition) for one in self.consumer.assignment())

    def close(self):
        self.consumer.close()


def wait(what, members, condition):
    def look():
        if condition():
            return True
        for member in members:
            member.poll()
        return False

    def told():
        return [(member.owned, len(member.values), [str(error) for error in member.errors[-3:]]) for member in members]

    until(what, look, told)


def shared(members, *sizes):
    """Whether the members have so many partitions, the most first, and none twice."""

    def check():
        owned = [member.owned for member in members]
        parts = [part for parts in owned for part in parts]
        return sorted(map(len, owned), reverse=True) == list(sizes) and len(set(parts)) == len(parts)

    return check


def distinct(members):
    return len({value for member in members for value in member.values})


class Observer:
    """Asks for the offsets of a group without being in it."""

    def __init__(self, group, *topics):
        self.wanted = [TopicPartition(topic, at) for topic, partitions in topics for at in range(partitions)]
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "group.protocol": "classic"})

    def committed(self):
        """The sum of what the group has committed: all records that it is done with."""
        found = patiently("the offsets of a group", lambda: self.consumer.committed(self.wanted, 20))
        return sum(max(one.offset, 0) for one in found)

    def close(self):
        self.consumer.close()


def described(group):
    found = patiently(f"the group {group}", lambda: admin.describe_consumer_groups([group])[group].result(PATIENCE_S))
    return [found.type.name, found.state.name, found.partition_assignor, len(found.members)]


def settled(group, members, count):
    """What the group is like once nothing is under way; its members live on meanwhile."""
    found = []

    def is_stable():
        found[:] = described(group)
        return found[1] == "STABLE" and found[3] == count

    wait(f"{group} to be stable", members, is_stable)
    return list(found)


def shares(name, config, two, three):
    """One member, two, three, and two again, while records keep coming; none of them is missed."""
    topics = [(f"{name}-a", 3), (f"{name}-b", 3)]
    create(dict(topics))
    writer = Writer(*topics)
    names = [topic for topic, _ in topics]
    observer = Observer(name, *topics)
    everybody, here = [], []

    def more():
        """Records come before the group has settled and after."""
        writer.write(30)

    def all_came():
        more()
        wait(f"all records of {name}", here, lambda: distinct(everybody) == writer.sent)

    def comes():
        member = Member(name, names, config)
        here.append(member)
        everybody.append(member)
        more()

    comes()
    wait("all partitions", here, shared(here, 6))
    all_came()
    comes()
    wait("two to share", here, shared(here, *two))
    if config in (RANGE, ROUND_ROBIN):
        # What the others leave where it was depends on ids that are random.
        step(f"{name}: two have", sorted(member.owned for member in here))
    all_came()
    before = [set(member.owned) for member in here]
    for member in here:
        member.revoked.clear()
    comes()
    wait("three to share", here, shared(here, *three))
    if "cooperative" in name:
        step(f"{name}: kept", [len(had & set(member.owned)) for had, member in zip(before, here)])
        step(f"{name}: given back", [len(member.revoked) for member in here])
    all_came()
    here.pop(0).close()
    more()
    wait("two to share again", here, shared(here, *two))
    all_came()
    step(f"{name}: described", settled(name, here, 2))
    wait("all to be committed", here, lambda: observer.committed() == writer.sent)
    step(f"{name}: missing", writer.sent - distinct(everybody))
    for member in here:
        member.close()
    until("the group to be empty", lambda: described(name)[1] == "EMPTY")
    step(f"{name}: committed", observer.committed())
    observer.close()


def static_members(name, config):
    """A static member that is away for a moment gets what it had, and a second one of its name is told so."""
    create({name: 4})
    writer = Writer((name, 4))
    one, two = [Member(name, [name], config, **{"group.instance.id": instance}) for instance in ("one", "two")]
    wait("two partitions each", [one, two], shared([one, two], 2, 2))
    settled(name, [one, two], 2)
    before, others = two.owned, one.owned
    one.revoked.clear()
    two.close()
    writer.write(40)
    again = Member(name, [name], config, **{"group.instance.id": "two"})
    wait("the same partitions", [one, again], lambda: again.owned == before)
    wait("all records", [one, again], lambda: distinct([one, two, again]) == 40)
    step(f"{name}: the other kept its own", [one.owned == others, one.revoked])
    rival = Member(name, [name], config, **{"group.instance.id": "two"})
    members = [one, again, rival]

    def refused():
        told = [(who, error) for who, member in (("first", again), ("second", rival)) for error in member.errors]
        # Behind the reason stands what librdkafka was about to do.
        return sorted({(who, str(error).split(": ")[2]) for who, error in told if error.code() == KafkaError._FATAL})

    wait("one of them to be refused", members, refused)
    step(f"{name}: refused", refused())
    for member in members:
        member.close()


def expressions(name, config):
    """What matches, and what comes later and matches."""
    create({f"{name}-one": 2, f"{name}-two": 2, f"not-{name}": 2})
    Writer((f"{name}-one", 2), (f"{name}-two", 2), (f"not-{name}", 2)).write(30)
    member = Member(name, [f"^{name}-.*"], config)
    wait("four partitions", [member], lambda: len(member.owned) == 4)
    wait("what is in them", [member], lambda: len(member.values) == 20)
    create({f"{name}-three": 2})
    Writer((f"{name}-three", 2)).write(10)
    wait("the new topic", [member], lambda: len(member.owned) == 6)
    wait("what came", [member], lambda: len(member.values) == 30)
    step(f"{name}: topics", sorted({topic for topic, _ in member.owned}))
    step(f"{name}: records", len(member.values))
    member.close()


def commit(consumer, **what):
    """What the coordinator answers to a commit: offsets, or the name of the error."""
    passing = ("COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR", "REBALANCE_IN_PROGRESS")

    def ask():
        try:
            told = consumer.commit(asynchronous=False, **what)
        except KafkaException as exception:
            name = exception.args[0].name()
            # Those that begin so are of the client itself.
            return None if name.startswith("_") or name in passing else [name]
        failed = [one.error.name() for one in told if one.error is not None]
        return None if any(name in passing for name in failed) else failed or [one.offset for one in told]

    return until("an answer to a commit", ask)


def commits(name, config):
    """By hand, of messages and of offsets, by whom the group knows and by whom it does not."""
    create({name: 1})
    Writer((name, 1)).write(20)
    manual = {"enable.auto.commit": False}
    member = Member(name, [name], config, **manual)
    messages = []

    def five():
        message = member.poll()
        if message is not None:
            messages.append(message)
        return len(messages) == 5

    def kept():
        zero = [TopicPartition(name, 0)]
        [found] = patiently("what is kept", lambda: member.consumer.committed(zero, 20))
        return [found.offset, found.metadata]

    until("five records", five)
    step(f"{name}: of a message", [commit(member.consumer, message=messages[2]), kept()])
    by_hand = [TopicPartition(name, 0, 5, metadata="by hand")]
    step(f"{name}: of an offset", [commit(member.consumer, offsets=by_hand), kept()])
    observer = Observer(name, (name, 1))
    stranger = observer.consumer
    stranger.assign([TopicPartition(name, 0)])
    further = [TopicPartition(name, 0, 15)]
    step(f"{name}: of a stranger", [commit(stranger, offsets=further), kept()])
    member.close()
    heir = Member(name, [name], config, **manual)
    wait("what is left", [heir], lambda: len(heir.values) == 15)
    step(f"{name}: the next one goes on at", heir.values[0])
    heir.close()
    until("the group to be empty", lambda: described(name)[1] == "EMPTY")
    step(f"{name}: of a stranger to an empty group", commit(stranger, offsets=further))
    stranger.unassign()
    storing = Member(name, [name], config, **{"enable.auto.offset.store": False})
    wait("the last five", [storing], lambda: len(storing.values) == 5)
    storing.consumer.store_offsets(offsets=[TopicPartition(name, 0, 17)])
    wait("the automatic commit", [storing], lambda: observer.committed() == 17)
    storing.close()
    step(f"{name}: automatic, as stored", observer.committed())
    observer.close()


def positions(name, config):
    """Seek, pause and resume while the group is stable."""
    create({name: 2})
    Writer((name, 2)).write(40)
    zero, one = TopicPartition(name, 0), TopicPartition(name, 1)
    member = Member(name, [name], config)
    wait("all", [member], lambda: len(member.values) == 40)
    member.consumer.pause([zero])
    member.values.clear()
    for part in (zero, one):
        member.consumer.seek(TopicPartition(name, part.partition, OFFSET_BEGINNING))
    wait("one partition again", [member], lambda: len(member.values) == 20)
    step(f"{name}: while the other rests", sorted(map(int, member.values)))
    member.values.clear()
    member.consumer.resume([zero])
    wait("the other", [member], lambda: len(member.values) == 20)
    step(f"{name}: when it goes on", sorted(map(int, member.values)))
    member.values.clear()
    member.consumer.seek(TopicPartition(name, 1, 15))
    wait("what is behind the place", [member], lambda: len(member.values) == 5)
    step(f"{name}: from a place on", list(map(int, member.values)))
    step(f"{name}: positions", [found.offset for found in member.consumer.position([zero, one])])
    member.close()


def by_hand(name, config):
    """Members that take what they are assigned from places of their own, step by step where the group is cooperative."""
    create({name: 4})
    Writer((name, 4)).write(40)
    firsts = {}

    def joined():
        member = Member(name, None, config)
        is_incremental = config is not RANGE

        def assigned(consumer, partitions):
            places = [TopicPartition(one.topic, one.partition, 6) for one in partitions]
            (consumer.incremental_assign if is_incremental else consumer.assign)(places)

        def revoked(consumer, partitions):
            member.gave_back(consumer, partitions)
            if is_incremental:
                consumer.incremental_unassign(partitions)
            else:
                consumer.unassign()

        member.consumer.subscribe([name], on_assign=assigned, on_revoke=revoked)
        return member

    def read(members, count):
        def look():
            for member in members:
                message = member.poll()
                if message is not None:
                    firsts.setdefault((id(member), message.partition()), message.offset())
            return len(firsts) == count and shared(members, *([4] if len(members) == 1 else [2, 2]))()

        until(f"{count} first records of {name}", look)

    first = joined()
    read([first], 4)
    second = joined()
    read([first, second], 6)
    step(f"{name}: begins at", sorted(set(firsts.values())))
    first.close()
    second.close()


def alone(name):
    """Without a group's assignment: what is assigned, what comes on top of it, and what goes."""
    create({name: 3})
    Writer((name, 3)).write(30)
    parts = [TopicPartition(name, at, 5) for at in range(3)]
    member = Member(name, None, CLASSIC)
    steps = []

    def reads(count):
        wait("what is assigned", [member], lambda: len(member.values) == count)
        steps.append([len(member.owned), sorted(map(int, member.values))])
        member.values.clear()

    member.consumer.assign(parts[:1])
    reads(5)
    member.consumer.incremental_assign(parts[1:])
    reads(10)
    member.consumer.incremental_unassign(parts[:2])
    member.consumer.seek(TopicPartition(name, 2, 8))
    reads(2)
    step(f"{name}: read", steps)
    observer = Observer(name, (name, 3))
    wait("the automatic commit", [member], lambda: observer.committed() == 30)
    member.close()
    step(f"{name}: committed", observer.committed())
    observer.close()


def migration(name):
    """Members of the old protocol give way to members of the new, one by one, and back; nothing is missed."""
    topics = [(name, 6)]
    create(dict(topics))
    writer = Writer(*topics)
    everybody, here = [], []

    def comes(config):
        member = Member(name, [name], config)
        here.append(member)
        everybody.append(member)

    def goes_on(what):
        writer.write(30)
        wait(f"even shares {what}", here, shared(here, 3, 3))
        writer.write(30)
        wait(f"all records {what}", here, lambda: distinct(everybody) == writer.sent)

    comes(RANGE)
    comes(RANGE)
    goes_on("at the beginning")
    kinds = []
    for config in (MODERN, MODERN, RANGE, RANGE):
        comes(config)
        wait("three to share", here, shared(here, 2, 2, 2))
        here.pop(0).close()
        goes_on(f"with {config['group.protocol']}")
        kinds.append(settled(name, here, 2))
    step(f"{name}: kinds", kinds)
    observer = Observer(name, *topics)
    wait("all to be committed", here, lambda: observer.committed() == writer.sent)
    step(f"{name}: missing", writer.sent - distinct(everybody))
    for member in [*here, observer]:
        member.close()


RANGE = {**CLASSIC, "partition.assignment.strategy": "range"}
ROUND_ROBIN = {**CLASSIC, "partition.assignment.strategy": "roundrobin"}
COOPERATIVE = {**CLASSIC, "partition.assignment.strategy": "cooperative-sticky"}
UNIFORM = {**MODERN, "group.remote.assignor": "uniform"}
REMOTE_RANGE = {**MODERN, "group.remote.assignor": "range"}

SCENARIOS = [
    (expressions, "re-modern", MODERN),
    (migration, "migration"),
    (shares, "range", RANGE, (4, 2), (2, 2, 2)),
    (shares, "roundrobin", ROUND_ROBIN, (3, 3), (2, 2, 2)),
    (shares, "cooperative-sticky", COOPERATIVE, (3, 3), (2, 2, 2)),
    (shares, "uniform", UNIFORM, (3, 3), (2, 2, 2)),
    (shares, "remote-range", REMOTE_RANGE, (4, 2), (2, 2, 2)),
    (static_members, "static-classic", RANGE),
    (static_members, "static-modern", MODERN),
    (expressions, "re-classic", RANGE),
    (commits, "commits-classic", RANGE),
    (commits, "commits-modern", MODERN),
    (positions, "positions-classic", COOPERATIVE),
    (positions, "positions-modern", MODERN),
    (by_hand, "by-hand-range", RANGE),
    (by_hand, "by-hand-cooperative", COOPERATIVE),
    (by_hand, "by-hand-modern", MODERN),
    (alone, "alone"),
]


def run(scenario):
    what, name, *more = scenario
    try:
        what(name, *more)
    except Exception:
        return f"{name}: {traceback.format_exc()}"


# The coordinator's topic is made for the first who asks; then it is there for everybody.
observer = Observer("first", ("first", 1))
observer.committed()
observer.close()
with ThreadPoolExecutor(WIDTH) as pool:
    failures = [failure for failure in pool.map(run, SCENARIOS) if failure is not None]
if failures:
    sys.exit("\n".join(failures))
