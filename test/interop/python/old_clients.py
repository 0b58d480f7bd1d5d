"""Drives a broker with kafka-python as it speaks to old ones. Prints, one JSON object a line, what each step gave."""
import json
import sys

sys.path.insert(0, sys.argv[1])
from kafka import KafkaConsumer, KafkaProducer, TopicPartition  # noqa: E402

bootstrap = sys.argv[2]
BASE = 1_700_000_000_000
VERSIONS = {"0.9": (0, 9), "0.10": (0, 10)}
CODECS = [None, "gzip", "snappy", "lz4"]


def step(name, value):
    print(json.dumps({"step": name, "value": value}), flush=True)


def shown(data):
    if data is None:
        return None
    return data.decode() if len(data) <= 100 else f"{len(data)} bytes"


def values():
    rows = [(f"k{i}".encode(), f"value {i}".encode()) for i in range(4)]
    return rows + [(None, b"x" * 50_000), (b"k5", None)]


def produce(label, version, topic, codec):
    producer = KafkaProducer(
        bootstrap_servers=bootstrap, api_version=version, compression_type=codec, acks="all", retries=0, linger_ms=200
    )
    times = version >= (0, 10)
    futures = [
        producer.send(topic, value, key, partition=0, timestamp_ms=BASE + i if times else None)
        for i, (key, value) in enumerate(values())
    ]
    step(f"{label} produce", [future.get(timeout=180).offset for future in futures])
    producer.close()


def consume(label, version, topic, start, count, **more):
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, api_version=version, group_id=None, enable_auto_commit=False,
        consumer_timeout_ms=180_000, **more
    )
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    if start is None:
        consumer.seek_to_beginning(partition)
    else:
        consumer.seek(partition, start)
    rows = []
    for record in consumer:
        time = record.timestamp if version >= (0, 10) else None
        rows.append([record.offset, shown(record.key), shown(record.value), time])
        if len(rows) == count:
            break
    step(f"{label} consume", rows)
    ends = [consumer.beginning_offsets([partition])[partition], consumer.end_offsets([partition])[partition]]
    step(f"{label} ends", ends)
    consumer.close()


for name, version in VERSIONS.items():
    for codec in CODECS:
        topic = f"python-{name}-{codec or 'none'}"
        produce(topic, version, topic, codec)
        consume(topic, version, topic, None, 6)
        consume(f"{topic} from 3", version, topic, 3, 3)
    consume(f"python-{name} small fetches", version, f"python-{name}-none", 0, 6, max_partition_fetch_bytes=60_000)
    for topic in ["modern-none", "modern-gzip", "modern-snappy", "modern-lz4"]:
        consume(f"python-{name} {topic}", version, topic, None, 3)
