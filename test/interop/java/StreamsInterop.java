import java.io.File;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.Stores;

/**
 * Counts words with Kafka Streams, in all and by window, in a process of its own that is closed, or killed, and started
 * again while lines keep coming. Prints a step and what was seen, as JSON, on each line.
 *
 * <p>Nothing is cached, so each word's counts come out as 1, 2, 3 and so on: a record that was counted twice, or whose
 * count was lost or restored wrongly, shows.
 */
public final class StreamsInterop {
    private static final int PARTITIONS = 4;
    private static final int LINES = 900;
    private static final long WINDOW_MS = 60_000;
    private static final long PATIENCE_MS = 240_000;

    private static String bootstrap;
    private static String guarantee;
    private static String application;
    private static long seed;
    private static KafkaProducer<String, String> producer;
    private static final Map<String, KafkaConsumer<String, Long>> watchers = new TreeMap<>();

    // The model, and when its first line was written.
    private static final Map<String, Long> counted = new TreeMap<>();
    private static final Map<String, Long> windowed = new TreeMap<>();
    private static final long start = System.currentTimeMillis() / WINDOW_MS * WINDOW_MS - LINES * 1000L;

    public static void main(String[] args) throws Exception {
        bootstrap = args[1];
        guarantee = args[2];
        application = "app-" + guarantee;
        try {
            if (args[0].equals("application")) application();
            else {
                seed = Long.parseLong(args[3]);
                drive(args[4].split(","));
            }
            System.exit(0);
        } catch (Throwable error) {
            // Java's launcher stumbles over some stack traces.
            error.printStackTrace();
            System.exit(1);
        }
    }

    // The application.

    private static Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        KGroupedStream<String, String> words = builder.<String, String>stream(topic("lines"))
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.as("words"));
        words.count(Materialized.as(Stores.inMemoryKeyValueStore("counts")))
            .toStream()
            .to(topic("counted"), Produced.with(Serdes.String(), Serdes.Long()));
        Duration window = Duration.ofMillis(WINDOW_MS);
        Duration kept = Duration.ofDays(1).plus(window);
        words.windowedBy(TimeWindows.ofSizeAndGrace(window, Duration.ofDays(1)))
            .count(Materialized.as(Stores.inMemoryWindowStore("windows", kept, window, false)))
            .toStream()
            .map((word, count) -> KeyValue.pair(word.key() + "@" + word.window().start(), count))
            .to(topic("windowed"), Produced.with(Serdes.String(), Serdes.Long()));
        return builder.build();
    }

    /** Runs until its input ends, or it is killed. */
    private static void application() throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("application.id", application);
        properties.put("processing.guarantee", guarantee);
        properties.put("num.stream.threads", "2");
        properties.put("commit.interval.ms", "100");
        properties.put("statestore.cache.max.bytes", "0");
        properties.put("repartition.purge.interval.ms", "200");
        properties.put("default.key.serde", Serdes.String().getClass().getName());
        properties.put("default.value.serde", Serdes.String().getClass().getName());
        properties.put("consumer.auto.offset.reset", "earliest");
        // Who was killed has to be missed soon; who is only slow must not lose its tasks, or it would count twice.
        properties.put("consumer.session.timeout.ms", guarantee.equals("exactly_once_v2") ? "2000" : "20000");
        properties.put("consumer.heartbeat.interval.ms", "200");
        if (guarantee.equals("exactly_once_v2")) properties.put("producer.transaction.timeout.ms", "3000");
        properties.put("state.dir", System.getProperty("state.dir"));
        KafkaStreams streams = new KafkaStreams(topology(), properties);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.ERROR) Runtime.getRuntime().halt(2);
        });
        streams.start();
        while (System.in.read() >= 0) continue;
        if (!streams.close(Duration.ofMillis(PATIENCE_MS))) throw new IllegalStateException("it did not close");
    }

    private static Process start() throws Exception {
        List<String> command = new ArrayList<>();
        command.add(ProcessHandle.current().info().command().orElseThrow());
        for (String flag : System.getProperty("jvm.flags").split(" ")) command.add(flag);
        command.add("-Dstate.dir=" + System.getProperty("state.dir") + File.separator + System.nanoTime());
        command.addAll(List.of("-cp", System.getProperty("java.class.path")));
        command.addAll(List.of("StreamsInterop", "application", bootstrap, guarantee));
        Process process = new ProcessBuilder(command)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
        return process;
    }

    /** Closed, it must end well; killed, it must have lived until then. */
    private static void end(Process process, String how) throws Exception {
        if (!process.isAlive()) throw new IllegalStateException("the application ended: " + process.exitValue());
        if (how.equals("kill")) process.destroyForcibly();
        else process.getOutputStream().close();
        if (!process.waitFor(PATIENCE_MS, TimeUnit.MILLISECONDS)) throw new IllegalStateException("the application does not end");
        if (how.equals("close") && process.exitValue() != 0)
            throw new IllegalStateException("the application closed with " + process.exitValue());
    }

    // Who feeds it and reads what it made.

    private static void drive(String[] ends) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            List<NewTopic> topics = new ArrayList<>();
            for (String name : List.of("lines", "counted", "windowed"))
                topics.add(new NewTopic(topic(name), PARTITIONS, (short) 1));
            admin.createTopics(topics).all().get();
            // Who answers for a partition leads it: Apache Kafka may refuse what comes before that, and take what comes behind it.
            Map<TopicPartition, OffsetSpec> latest = new HashMap<>();
            for (NewTopic made : topics)
                for (int partition = 0; partition < PARTITIONS; partition++)
                    latest.put(new TopicPartition(made.name(), partition), OffsetSpec.latest());
            admin.listOffsets(latest).all().get();
        }
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "linger.ms", "0");
        producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
        Random random = new Random(seed);
        int written = 0;
        for (int life = 0; life < ends.length; life++) {
            int until = LINES * (life + 1) / ends.length;
            if (ends[life].equals("kill")) killed(random, written, until);
            else closed(written, until, life == ends.length - 1);
            written = until;
        }
        say("words: all", total(counted));
        say("words: the counts are the model's", compared(read("counted", "read_committed"), counted));
        say("windows: the counts are the model's", compared(read("windowed", "read_committed"), windowed));
        boolean aborted = total(read("counted", "read_uncommitted")) > total(counted);
        say("words: counts that were never committed", aborted);
        describe();
    }

    /** Until it died in the middle of a transaction: it may have committed just then. */
    private static void killed(Random random, int from, int until) throws Exception {
        int next = from;
        do {
            long before = size("counted", "read_uncommitted");
            int third = next + (until - next) / 3;
            int early = third + random.nextInt((until - third) / 2);
            Process process = start();
            try {
                write(next, third);
                waitFor("counts", process, () -> size("counted", "read_uncommitted") > before);
                for (next = third; next < until && (next < early || !isOpen()); Thread.sleep(5)) write(next, ++next);
                end(process, "kill");
            } finally {
                process.destroyForcibly();
            }
        } while (!isOpen() && until - next > 10);
        write(next, until);
    }

    private static void closed(int from, int until, boolean last) throws Exception {
        Process process = start();
        try {
            write(from, until);
            waitFor("all words", process, () -> total(read("counted", "read_committed")) >= total(counted));
            waitFor("all windows", process, () -> total(read("windowed", "read_committed")) >= total(windowed));
            if (last) waitFor("a purge", process, StreamsInterop::purged);
            end(process, "close");
        } finally {
            process.destroyForcibly();
        }
    }

    /** Writes lines and counts their words. */
    private static void write(int from, int to) {
        for (int i = from; i < to; i++) {
            Random random = new Random(seed * LINES + i);
            long time = start + i * 1000L;
            List<String> words = new ArrayList<>();
            for (int n = random.nextInt(4); n >= 0; n--) words.add("w" + random.nextInt(30));
            for (String word : words) {
                counted.merge(word, 1L, Long::sum);
                windowed.merge(word + "@" + time / WINDOW_MS * WINDOW_MS, 1L, Long::sum);
            }
            producer.send(new ProducerRecord<>(topic("lines"), i % PARTITIONS, time, null, String.join(" ", words)));
        }
        producer.flush();
    }

    /** Whether counts were written that no transaction has committed yet. */
    private static boolean isOpen() {
        return size("counted", "read_uncommitted") > size("counted", "read_committed");
    }

    /** The counts of each key, in order. */
    private static Map<String, List<Long>> read(String name, String isolation) {
        Map<String, List<Long>> seen = new TreeMap<>();
        try (KafkaConsumer<String, Long> consumer = consumer(isolation)) {
            List<TopicPartition> partitions = partitions(name);
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(one -> consumer.position(one) < ends.get(one))) {
                consumer.poll(Duration.ofMillis(100)).forEach(record ->
                    seen.computeIfAbsent(record.key(), key -> new ArrayList<>()).add(record.value()));
            }
        }
        return seen;
    }

    private static long total(Map<String, ?> counts) {
        long sum = 0;
        for (Object one : counts.values()) sum += one instanceof Long ? (Long) one : ((List<?>) one).size();
        return sum;
    }

    /** "equal", or which key has other counts than 1, 2, 3 and so on up to the model's. */
    private static String compared(Map<String, List<Long>> seen, Map<String, Long> model) {
        if (!seen.keySet().equals(model.keySet())) return "keys " + seen.keySet() + " for " + model.keySet();
        for (Map.Entry<String, Long> one : model.entrySet()) {
            List<Long> counts = seen.get(one.getKey());
            boolean equal = counts.size() == one.getValue();
            for (int i = 0; equal && i < counts.size(); i++) equal = counts.get(i) == i + 1;
            if (!equal) return one.getKey() + ": " + counts + " for 1 to " + one.getValue();
        }
        return "equal";
    }

    private static long size(String name, String isolation) {
        KafkaConsumer<String, Long> consumer = watchers.computeIfAbsent(isolation, StreamsInterop::consumer);
        return consumer.endOffsets(partitions(name)).values().stream().mapToLong(Long::longValue).sum();
    }

    /** Streams deletes what it has read of a repartition topic. */
    private static boolean purged() {
        try (KafkaConsumer<String, Long> consumer = consumer("read_uncommitted")) {
            Collection<Long> starts = consumer.beginningOffsets(partitions(application + "-words-repartition")).values();
            return starts.stream().allMatch(start -> start > 0);
        }
    }

    /** The topics that Streams made, with the settings that are their own. */
    private static void describe() throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            List<String> names = admin.listTopics().names().get().stream()
                .filter(name -> name.startsWith(application)).sorted().collect(Collectors.toList());
            say("topics", names);
            for (String name : names) {
                ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, name);
                List<String> own = admin.describeConfigs(List.of(resource)).all().get().get(resource).entries().stream()
                    .filter(entry -> entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG)
                    .map(entry -> entry.name() + "=" + entry.value()).sorted().collect(Collectors.toList());
                say(name + ": settings", own);
                say(name + ": partitions", admin.describeTopics(List.of(name)).allTopicNames().get().get(name).partitions().size());
            }
            List<String> committed = new ArrayList<>();
            ListConsumerGroupOffsetsOptions stable = new ListConsumerGroupOffsetsOptions().requireStable(true);
            admin.listConsumerGroupOffsets(application, stable).partitionsToOffsetAndMetadata().get().forEach((one, offset) -> {
                if (one.topic().equals(topic("lines"))) committed.add(one + ": " + offset.offset());
            });
            say("committed offsets", committed.stream().sorted().collect(Collectors.toList()));
        }
    }

    private static KafkaConsumer<String, Long> consumer(String isolation) {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "isolation.level", isolation,
            "enable.auto.commit", "false");
        return new KafkaConsumer<>(config, new StringDeserializer(), new LongDeserializer());
    }

    private static String topic(String name) {
        return guarantee + "-" + name;
    }

    private static List<TopicPartition> partitions(String name) {
        String topic = name.startsWith(application) ? name : topic(name);
        List<TopicPartition> all = new ArrayList<>();
        for (int i = 0; i < PARTITIONS; i++) all.add(new TopicPartition(topic, i));
        return all;
    }

    private static void waitFor(String what, Process process, Callable<Boolean> check) throws Exception {
        for (long end = System.currentTimeMillis() + PATIENCE_MS; !check.call(); Thread.sleep(50)) {
            if (!process.isAlive()) throw new IllegalStateException("the application ended before " + what);
            if (System.currentTimeMillis() > end) throw new IllegalStateException("waited in vain for " + what);
        }
    }

    private static void say(String step, Object value) {
        System.out.println(step + "\t" + json(value));
    }

    private static String json(Object value) {
        if (value instanceof Collection)
            return ((Collection<?>) value).stream().map(StreamsInterop::json).collect(Collectors.joining(",", "[", "]"));
        return value instanceof String ? "\"" + value + "\"" : String.valueOf(value);
    }
}
