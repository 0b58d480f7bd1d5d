import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * Transactions of the Java clients from 1.1 to 4.4: what changed in between is called by reflection. Prints a step and
 * what was seen, as JSON, on each line.
 */
public final class TransactionInterop {
    private static final String STRING = "org.apache.kafka.common.serialization.String";
    private static final int PARTITIONS = 2;
    private static final long PATIENCE_NS = 180_000_000_000L;
    private static String bootstrap;
    private static String prefix;

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        prefix = args[1];
        try {
            commitAndAbort();
            offsets();
            zombie();
            timeout();
            random(Integer.parseInt(args[2]));
            System.exit(0);
        } catch (Throwable error) {
            // Java's launcher stumbles over some stack traces.
            error.printStackTrace();
            System.exit(1);
        }
    }

    /** Committed records are there, aborted ones are not; who does not care sees both. */
    private static void commitAndAbort() throws Exception {
        String topic = prefix + "-plain";
        try (KafkaProducer<String, String> producer = producer("plain", 600_000)) {
            producer.initTransactions();
            send(producer, topic, "a", 5);
            producer.commitTransaction();
            send(producer, topic, "b", 5);
            producer.flush();
            producer.abortTransaction();
            producer.beginTransaction();
            producer.commitTransaction();
            producer.beginTransaction();
            producer.abortTransaction();
            send(producer, topic, "c", 5);
            producer.commitTransaction();
        }
        say("plain: committed", read(topic, "read_committed"));
        say("plain: all", read(topic, "read_uncommitted"));
        try (KafkaProducer<String, String> open = producer("open", 600_000)) {
            open.initTransactions();
            send(open, topic, "d", 3);
            open.flush();
            try (KafkaProducer<String, String> other = producer("other", 600_000)) {
                other.initTransactions();
                send(other, topic, "e", 3);
                other.commitTransaction();
            }
            say("plain: while one is open", readToStableEnd(topic).size());
            open.commitTransaction();
        }
        say("plain: once it has ended", read(topic, "read_committed").size());
    }

    /** Offsets move with the transaction, or not at all. */
    private static void offsets() throws Exception {
        String topic = prefix + "-offsets";
        String group = prefix + "-group";
        try (KafkaProducer<String, String> producer = producer("offsets", 600_000)) {
            producer.initTransactions();
            for (boolean commits : new boolean[] {true, false, true}) {
                long before = position(topic, group);
                producer.beginTransaction();
                producer.send(new ProducerRecord<>(topic, 0, "k", "v" + before)).get();
                sendOffsets(producer, topic, before + 3, group);
                if (commits) producer.commitTransaction();
                else producer.abortTransaction();
                waitForMarkers(producer, topic);
                say("offsets: after a transaction from " + before + (commits ? " committed" : " aborted"),
                    position(topic, group));
            }
            producer.beginTransaction();
            sendOffsets(producer, topic, 100, group);
            producer.commitTransaction();
            waitForMarkers(producer, topic);
            say("offsets: after one with nothing else", position(topic, group));
        }
    }

    /** Who comes back under the same transactional id ends what the one before left open. */
    private static void zombie() throws Exception {
        String topic = prefix + "-zombie";
        KafkaProducer<String, String> zombie = producer("zombie", 600_000);
        zombie.initTransactions();
        send(zombie, topic, "lost", 3);
        zombie.flush();
        try (KafkaProducer<String, String> next = producer("zombie", 600_000)) {
            next.initTransactions();
            send(next, topic, "kept", 3);
            next.commitTransaction();
            say("zombie: commits", thrown(zombie::commitTransaction));
            say("zombie: aborts", thrown(zombie::abortTransaction));
            send(next, topic, "after", 3);
            next.commitTransaction();
        }
        say("zombie: committed", read(topic, "read_committed"));
        zombie.close();
        KafkaProducer<String, String> sender = producer("sender", 600_000);
        sender.initTransactions();
        sender.beginTransaction();
        try (KafkaProducer<String, String> next = producer("sender", 600_000)) {
            next.initTransactions();
            say("zombie: writes", thrown(() -> sender.send(new ProducerRecord<>(topic, 0, "k", "never")).get()));
        }
        sender.close();
        say("zombie: committed after all", read(topic, "read_committed").size());
    }

    /** A transaction that takes too long is aborted by the broker. */
    private static void timeout() throws Exception {
        String topic = prefix + "-timeout";
        try (KafkaProducer<String, String> early = producer("early", 600_000)) {
            // The topic comes with its first use, which takes its time; the slow one shall have time to write.
            early.initTransactions();
            send(early, topic, "early", PARTITIONS);
            early.abortTransaction();
        }
        try (KafkaProducer<String, String> slow = producer("slow", 3000)) {
            slow.partitionsFor(topic);
            slow.initTransactions();
            send(slow, topic, "late", 3);
            slow.flush();
            try (KafkaProducer<String, String> other = producer("quick", 600_000)) {
                other.initTransactions();
                send(other, topic, "fine", 3);
                other.commitTransaction();
            }
            say("timeout: committed", read(topic, "read_committed"));
            say("timeout: the slow one commits", thrown(slow::commitTransaction));
        }
    }

    /** Many short transactions over two partitions; what is committed is seen, whole and in order. */
    private static void random(int seed) throws Exception {
        String topic = prefix + "-random";
        Random random = new Random(seed);
        List<List<String>> model = new ArrayList<>();
        for (int i = 0; i < PARTITIONS; i++) model.add(new ArrayList<>());
        try (KafkaProducer<String, String> producer = producer("random", 600_000)) {
            producer.initTransactions();
            for (int i = 0; i < 150; i++) {
                boolean commits = random.nextInt(3) > 0;
                producer.beginTransaction();
                for (int n = random.nextInt(6); n >= 0; n--) {
                    int partition = random.nextInt(PARTITIONS);
                    String value = i + "." + n;
                    producer.send(new ProducerRecord<>(topic, partition, "k", value));
                    if (commits) model.get(partition).add(partition + ":" + value);
                }
                if (!commits && random.nextBoolean()) producer.flush();
                if (commits) producer.commitTransaction();
                else producer.abortTransaction();
            }
        }
        List<String> wanted = new ArrayList<>();
        for (List<String> partition : model) wanted.addAll(partition);
        List<String> seen = new ArrayList<>();
        for (int i = 0; i < PARTITIONS; i++) {
            for (String one : read(topic, "read_committed")) if (one.startsWith(i + ":")) seen.add(one);
        }
        say("random: all that was committed and nothing else", seen.equals(wanted));
        say("random: records", wanted.size());
    }

    private static void send(KafkaProducer<String, String> producer, String topic, String what, int count) {
        producer.beginTransaction();
        for (int i = 0; i < count; i++) {
            producer.send(new ProducerRecord<>(topic, i % PARTITIONS, "k", what + i));
        }
    }

    private static KafkaProducer<String, String> producer(String id, int timeoutMs) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("transactional.id", prefix + "-" + id);
        properties.put("transaction.timeout.ms", String.valueOf(timeoutMs));
        properties.put("enable.idempotence", "true");
        properties.put("key.serializer", STRING + "Serializer");
        properties.put("value.serializer", STRING + "Serializer");
        return new KafkaProducer<>(properties);
    }

    private static KafkaConsumer<String, String> consumer(String group, String isolation) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("group.id", group);
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "earliest");
        properties.put("isolation.level", isolation);
        properties.put("key.deserializer", STRING + "Deserializer");
        properties.put("value.deserializer", STRING + "Deserializer");
        return new KafkaConsumer<>(properties);
    }

    /**
     * All records, by partition. Transactions that have been decided get their markers later than their producers hear of it: who reads
     * what is committed waits for them.
     */
    private static List<String> read(String topic, String isolation) throws Exception {
        long deadline = System.nanoTime() + PATIENCE_NS;
        for (int i = 0; i < PARTITIONS; i++) {
            TopicPartition partition = new TopicPartition(topic, i);
            while (end(partition, "read_committed") < end(partition, "read_uncommitted")) {
                if (System.nanoTime() > deadline) throw new IllegalStateException("still open: " + partition);
                Thread.sleep(50);
            }
        }
        return readToEnd(topic, isolation);
    }

    /** What is committed in front of the first transaction that is open. */
    private static List<String> readToStableEnd(String topic) throws Exception {
        return readToEnd(topic, "read_committed");
    }

    private static long end(TopicPartition partition, String isolation) {
        try (KafkaConsumer<String, String> consumer = consumer(prefix + "-nobody", isolation)) {
            return consumer.endOffsets(Collections.singleton(partition)).get(partition);
        }
    }

    /** The producer's last transaction is over when its next one has begun. */
    private static void waitForMarkers(KafkaProducer<String, String> producer, String topic) throws Exception {
        producer.beginTransaction();
        producer.send(new ProducerRecord<>(topic, 0, "k", "next")).get();
        producer.abortTransaction();
    }

    /** All records up to where the partitions end for this reader, by partition. */
    private static List<String> readToEnd(String topic, String isolation) throws Exception {
        List<String> seen = new ArrayList<>();
        for (int i = 0; i < PARTITIONS; i++) {
            TopicPartition partition = new TopicPartition(topic, i);
            try (KafkaConsumer<String, String> consumer = consumer(prefix + "-nobody", isolation)) {
                consumer.assign(Collections.singleton(partition));
                consumer.seek(partition, 0);
                long end = consumer.endOffsets(Collections.singleton(partition)).get(partition);
                while (consumer.position(partition) < end) {
                    for (ConsumerRecord<String, String> one : poll(consumer)) seen.add(i + ":" + one.value());
                }
            }
        }
        return seen;
    }

    private static long position(String topic, String group) {
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaConsumer<String, String> consumer = consumer(group, "read_committed")) {
            consumer.assign(Collections.singleton(partition));
            return consumer.position(partition);
        }
    }

    /** poll(long) until 3.9, poll(Duration) since 2.0. */
    @SuppressWarnings("unchecked")
    private static ConsumerRecords<String, String> poll(KafkaConsumer<String, String> consumer) throws Exception {
        Method poll;
        Object wait;
        try {
            poll = KafkaConsumer.class.getMethod("poll", Duration.class);
            wait = Duration.ofMillis(200);
        } catch (NoSuchMethodException old) {
            poll = KafkaConsumer.class.getMethod("poll", long.class);
            wait = 200L;
        }
        return (ConsumerRecords<String, String>) poll.invoke(consumer, wait);
    }

    /** With the group's id until 3.9, with what its consumer knows of it since 2.5. */
    private static void sendOffsets(KafkaProducer<String, String> producer, String topic, long offset, String group)
            throws Exception {
        Map<TopicPartition, OffsetAndMetadata> offsets =
            Collections.singletonMap(new TopicPartition(topic, 0), new OffsetAndMetadata(offset));
        Class<?> metadata;
        try {
            metadata = Class.forName("org.apache.kafka.clients.consumer.ConsumerGroupMetadata");
        } catch (ClassNotFoundException old) {
            call(KafkaProducer.class.getMethod("sendOffsetsToTransaction", Map.class, String.class),
                producer, offsets, group);
            return;
        }
        Object known = metadata.getConstructor(String.class).newInstance(group);
        call(KafkaProducer.class.getMethod("sendOffsetsToTransaction", Map.class, metadata), producer, offsets, known);
    }

    private static void call(Method method, Object on, Object... arguments) throws Exception {
        try {
            method.invoke(on, arguments);
        } catch (InvocationTargetException failed) {
            throw (Exception) failed.getCause();
        }
    }

    private interface Step {
        void run() throws Exception;
    }

    /** The exception's name, or what wrapped it. */
    private static String thrown(Step step) {
        try {
            step.run();
            return "nothing";
        } catch (Exception error) {
            Throwable cause = error;
            while (cause.getCause() != null) cause = cause.getCause();
            return cause.getClass().getSimpleName();
        }
    }

    private static void say(String step, Object value) {
        System.out.println(step + "\t" + json(value));
    }

    private static String json(Object value) {
        if (value instanceof Collection) {
            List<String> all = new ArrayList<>();
            for (Object one : (Collection<?>) value) all.add(json(one));
            return "[" + String.join(",", all) + "]";
        }
        return value instanceof String ? "\"" + value + "\"" : String.valueOf(value);
    }
}
