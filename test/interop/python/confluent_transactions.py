"""Transactions with confluent-kafka, which is librdkafka. Prints, one JSON object a line, what each step gave."""
import json
import sys

sys.path.insert(0, sys.argv[1])
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition  # noqa: E402

bootstrap = sys.argv[2]
PARTITIONS = 2
ROUNDS = 9
PATIENCE_S = 120


def step(name, value):
    print(json.dumps({"step": name, "value": value}), flush=True)


def transactional(transactional_id, timeout_ms=60_000):
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "transactional.id": transactional_id,
            "transaction.timeout.ms": timeout_ms,
            "linger.ms": 0,
        }
    )


def delivered(into):
    def report(error, message):
        into.append(error.name() if error is not None else message.value().decode())

    return report


def send(producer, topic, values):
    told = []
    for at, value in enumerate(values):
        producer.produce(topic, value, partition=at % PARTITIONS, on_delivery=delivered(told))
    producer.flush(PATIENCE_S)
    return sorted(told)


def outcome(run):
    """What became of it, and what librdkafka says is to be done next."""
    try:
        run()
        return "done"
    except KafkaException as exception:
        error = exception.args[0]
        return {"code": error.name(), "fatal": error.fatal(), "abort": error.txn_requires_abort()}


def reader(group, isolation):
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )


def end_of(topic):
    """Plain records behind all others: once they are read no transaction before them is open."""
    producer = Producer({"bootstrap.servers": bootstrap})
    send(producer, topic, ["end"] * PARTITIONS)


def read_all(topic, isolation):
    consumer = reader(f"{topic}-{isolation}", isolation)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    rows, ended = [], set()
    while len(ended) < PARTITIONS:
        message = consumer.poll(PATIENCE_S)
        if message is None or message.error() is not None:
            raise RuntimeError(f"{topic} was not read to its end: {message and message.error()}")
        value = message.value().decode()
        if value == "end":
            ended.add(message.partition())
        rows.append([message.partition(), message.offset(), value])
    consumer.close()
    return sorted(rows)


def ends():
    """Commits and aborts in turns; a transaction may be empty."""
    producer = transactional("ends")
    producer.init_transactions(PATIENCE_S)
    outcomes = []
    for turn in range(ROUNDS):
        producer.begin_transaction()
        if turn != 4:
            send(producer, "ends", [f"{turn}-{at}" for at in range(5)])
        end = producer.abort_transaction if turn % 3 == 2 else producer.commit_transaction
        outcomes.append(outcome(lambda: end(PATIENCE_S)))
    step("ends", outcomes)
    end_of("ends")
    step("committed", read_all("ends", "read_committed"))
    step("all", read_all("ends", "read_uncommitted"))


def moved():
    """The offsets of a group move with transactions that are committed, and with no other."""
    consumer = reader("moved", "read_committed")
    producer = transactional("moved")
    producer.init_transactions(PATIENCE_S)
    positions = []
    for turn, commits in enumerate([True, False, True]):
        producer.begin_transaction()
        send(producer, "moved", [f"{turn}-{at}" for at in range(3)])
        offsets = [TopicPartition("ends", partition, 10 * turn + partition + 1) for partition in range(PARTITIONS)]
        metadata = consumer.consumer_group_metadata()
        producer.send_offsets_to_transaction(offsets, metadata, PATIENCE_S)
        (producer.commit_transaction if commits else producer.abort_transaction)(PATIENCE_S)
        wanted = [TopicPartition("ends", partition) for partition in range(PARTITIONS)]
        positions.append([found.offset for found in consumer.committed(wanted, PATIENCE_S)])
    consumer.close()
    step("offsets", positions)
    end_of("moved")
    step("moved", read_all("moved", "read_committed"))


def fenced():
    """Another producer takes the transactional id."""
    zombie = transactional("fenced")
    zombie.init_transactions(PATIENCE_S)
    zombie.begin_transaction()
    send(zombie, "fenced", ["zombie-0", "zombie-1"])
    heir = transactional("fenced")
    heir.init_transactions(PATIENCE_S)
    heir.begin_transaction()
    send(heir, "fenced", ["heir-0", "heir-1"])
    step("the zombie commits", outcome(lambda: zombie.commit_transaction(PATIENCE_S)))
    step("the heir commits", outcome(lambda: heir.commit_transaction(PATIENCE_S)))
    end_of("fenced")
    step("after the fencing", read_all("fenced", "read_committed"))


def over_time():
    """The coordinator aborts what takes too long, and the producer is not believed any more."""
    producer = transactional("over-time", timeout_ms=1_000)
    producer.init_transactions(PATIENCE_S)
    producer.begin_transaction()
    send(producer, "over-time", ["late-0", "late-1"])
    # Nobody who reads committed records comes past the open transaction: this waits for its end.
    end_of("over-time")
    step("after the timeout", read_all("over-time", "read_committed"))
    step("the late one commits", outcome(lambda: producer.commit_transaction(PATIENCE_S)))
    follower = transactional("over-time")
    follower.init_transactions(PATIENCE_S)
    follower.begin_transaction()
    send(follower, "over-time", ["next-0", "next-1"])
    step("the next one commits", outcome(lambda: follower.commit_transaction(PATIENCE_S)))
    end_of("over-time")


def refused():
    """What is no transaction is refused."""
    producer = transactional("refused", timeout_ms=900_001)
    step("a timeout above the maximum", outcome(lambda: producer.init_transactions(PATIENCE_S)))
    step("commit before init", outcome(lambda: transactional("early").commit_transaction(PATIENCE_S)))


ends()
moved()
fenced()
over_time()
refused()
