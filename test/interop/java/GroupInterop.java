import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Consumes in classic groups with Kafka's own consumer and prints what each step gave: its name, a tab, and JSON. */
public final class GroupInterop {
  private static final int PARTITIONS = 6;
  private static final int RECORDS = 600;
  private static final long PATIENCE_MS = 180_000;
  private static final long FIRST_TIME_MS = 1_700_000_000_000L;

  private static String bootstrap;

  public static void main(String[] args) throws Exception {
    bootstrap = args[0];
    for (Class<?> assignor : List.of(RangeAssignor.class, RoundRobinAssignor.class, StickyAssignor.class, CooperativeStickyAssignor.class)) {
      share(assignor);
    }
    staticMembers();
    byHand();
  }

  private static void step(String name, Object value) {
    System.out.println(name + "\t" + value);
  }

  private static void waitFor(String what, BooleanSupplier check) throws InterruptedException {
    for (long end = System.currentTimeMillis() + PATIENCE_MS; !check.getAsBoolean(); Thread.sleep(20)) {
      if (System.currentTimeMillis() > end) throw new IllegalStateException("waited in vain for " + what);
    }
  }

  private static void createTopic(String topic) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      admin.createTopics(List.of(new NewTopic(topic, PARTITIONS, (short) 1))).all().get();
      // Who answers for a partition leads it. Without that, Apache Kafka may refuse the first of five produces in flight and take the second,
      // after which the first is out of order until its producer gives it up.
      Map<TopicPartition, OffsetSpec> latest = new HashMap<>();
      for (int partition = 0; partition < PARTITIONS; partition++) latest.put(new TopicPartition(topic, partition), OffsetSpec.latest());
      admin.listOffsets(latest).all().get();
    }
  }

  private static void write(String topic, int from, int to) {
    Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "linger.ms", "0");
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
      for (int i = from; i < to; i++) {
        producer.send(new ProducerRecord<>(topic, i % PARTITIONS, FIRST_TIME_MS + i * 1000L, null, "v" + i));
      }
    }
  }

  private static KafkaConsumer<String, String> consumer(String group, Map<String, String> more) {
    Properties config = new Properties();
    config.put("bootstrap.servers", bootstrap);
    config.put("group.id", group);
    config.put("group.protocol", "classic");
    config.put("auto.offset.reset", "earliest");
    config.put("auto.commit.interval.ms", "100");
    config.put("heartbeat.interval.ms", "200");
    config.put("session.timeout.ms", "60000");
    config.put("fetch.max.wait.ms", "50");
    config.putAll(more);
    return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
  }

  /** A member in a thread of its own, until it is closed. */
  private static final class Member implements ConsumerRebalanceListener {
    final Map<String, Integer> got;
    final Set<TopicPartition> owned = ConcurrentHashMap.newKeySet();
    final CompletableFuture<Throwable> ended = new CompletableFuture<>();
    volatile int revocations;
    private volatile boolean closing;

    Member(String group, String topic, Map<String, Integer> got, Map<String, String> config) {
      this.got = got;
      KafkaConsumer<String, String> consumer = consumer(group, config);
      Thread thread = new Thread(() -> {
        Throwable reason = null;
        try (consumer) {
          consumer.subscribe(List.of(topic), this);
          while (!closing) consumer.poll(Duration.ofMillis(50)).forEach(record -> got.merge(record.value(), 1, Integer::sum));
        } catch (Throwable error) {
          reason = error;
        }
        ended.complete(reason);
      });
      thread.setDaemon(true); // a step that fails ends the program at once
      thread.start();
    }

    void close() throws Exception {
      closing = true;
      Throwable reason = ended.get(PATIENCE_MS, TimeUnit.MILLISECONDS);
      if (reason != null) throw new IllegalStateException(reason);
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      owned.addAll(partitions);
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      revocations += 1;
      owned.removeAll(partitions);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
      owned.removeAll(partitions);
    }
  }

  private static BooleanSupplier evenly(List<Member> members) {
    return () -> {
      Set<TopicPartition> all = new HashSet<>();
      for (Member member : members) {
        if (member.owned.size() != PARTITIONS / members.size()) return false;
        all.addAll(member.owned);
      }
      return all.size() == PARTITIONS;
    };
  }

  /** Three members share the partitions; one leaves and one comes while records keep coming. */
  private static void share(Class<?> assignor) throws Exception {
    String name = assignor.getSimpleName();
    String topic = "shared-" + name;
    String group = "group-" + name;
    createTopic(topic);
    Map<String, String> config = Map.of("partition.assignment.strategy", assignor.getName());
    Map<String, Integer> got = new ConcurrentHashMap<>();
    List<Member> members = new ArrayList<>();
    write(topic, 0, RECORDS / 3);
    for (int i = 0; i < 3; i++) members.add(new Member(group, topic, got, config));
    waitFor("three members with two partitions each", evenly(members));
    waitFor("the first third", () -> got.size() == RECORDS / 3);
    write(topic, RECORDS / 3, 2 * RECORDS / 3);
    members.remove(0).close();
    waitFor("two members with three partitions each", evenly(members));
    waitFor("the second third", () -> got.size() == 2 * RECORDS / 3);
    members.add(new Member(group, topic, got, config));
    write(topic, 2 * RECORDS / 3, RECORDS);
    waitFor("three members again", evenly(members));
    waitFor("all", () -> got.size() == RECORDS);
    for (Member member : members) member.close();
    step(name + ": distinct records", got.size());
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      long sum = 0;
      for (OffsetAndMetadata offset : admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().values()) {
        sum += offset.offset();
      }
      step(name + ": committed", sum);
    }
  }

  /** A static member that is away for a moment disturbs nobody; one that is there twice is fenced. */
  private static void staticMembers() throws Exception {
    createTopic("static");
    Map<String, Integer> got = new ConcurrentHashMap<>();
    Map<String, String> first = Map.of("group.instance.id", "one");
    Map<String, String> second = Map.of("group.instance.id", "two");
    Member one = new Member("static", "static", got, first);
    Member two = new Member("static", "static", got, second);
    waitFor("two members with three partitions each", evenly(List.of(one, two)));
    Set<TopicPartition> before = Set.copyOf(two.owned);
    int revocations = one.revocations;
    two.close();
    write("static", 0, 60);
    Member again = new Member("static", "static", got, second);
    waitFor("the same partitions", () -> again.owned.equals(before));
    waitFor("all", () -> got.size() == 60);
    step("static: rebalances of the other meanwhile", one.revocations - revocations);
    Member impostor = new Member("static", "static", got, second);
    Throwable reason = again.ended.get(PATIENCE_MS, TimeUnit.MILLISECONDS);
    step("static: the one that was there is fenced", reason instanceof FencedInstanceIdException);
    waitFor("the same partitions for who came", () -> impostor.owned.equals(before));
    one.close();
    impostor.close();
  }

  /** assign, seek, offsetsForTimes, commitSync, commitAsync, committed. */
  private static void byHand() throws Exception {
    createTopic("by-hand");
    write("by-hand", 0, 60);
    TopicPartition zero = new TopicPartition("by-hand", 0);
    TopicPartition one = new TopicPartition("by-hand", 1);
    try (KafkaConsumer<String, String> consumer = consumer("by-hand", Map.of("enable.auto.commit", "false"))) {
      consumer.assign(List.of(zero, one));
      step("by hand: committed before", consumer.committed(Set.of(zero)).get(zero));
      consumer.seek(zero, 7);
      consumer.seekToEnd(List.of(one));
      List<String> values = new ArrayList<>();
      for (long end = System.currentTimeMillis() + PATIENCE_MS; values.size() < 3 && System.currentTimeMillis() < end; ) {
        consumer.poll(Duration.ofMillis(100)).forEach(record -> values.add('"' + record.value() + '"'));
      }
      step("by hand: from a seek", values);
      step("by hand: position at the end", consumer.position(one));
      step("by hand: offset for a time", consumer.offsetsForTimes(Map.of(zero, FIRST_TIME_MS + 18_001)).get(zero).offset());
      consumer.commitSync(Map.of(zero, new OffsetAndMetadata(4, "by hand")));
      CompletableFuture<Exception> async = new CompletableFuture<>();
      consumer.commitAsync(Map.of(one, new OffsetAndMetadata(5)), (offsets, error) -> async.complete(error));
      while (!async.isDone()) consumer.poll(Duration.ofMillis(10));
      step("by hand: commitAsync", async.get());
      Map<String, String> committed = new TreeMap<>();
      consumer.committed(Set.of(zero, one)).forEach((partition, offset) ->
        committed.put("\"" + partition + "\"", "\"" + offset.offset() + " " + offset.metadata() + "\""));
      step("by hand: committed", committed.toString().replace("=", ":"));
    }
    try (KafkaConsumer<String, String> next = consumer("by-hand", Map.of())) {
      next.assign(List.of(zero));
      List<Long> offsets = new ArrayList<>();
      for (long end = System.currentTimeMillis() + PATIENCE_MS; offsets.size() < 6 && System.currentTimeMillis() < end; ) {
        next.poll(Duration.ofMillis(100)).forEach(record -> offsets.add(record.offset()));
      }
      step("by hand: goes on from what was committed", offsets);
    }
  }
}
