import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
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
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.errors.UnreleasedInstanceIdException;
import org.apache.kafka.common.errors.UnsupportedAssignorException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Consumes in groups of the new protocol (KIP-848), and in groups with members of both, with Kafka's own consumer. Prints
 * what each step gave: its name, a tab, and JSON.
 */
public final class ConsumerGroupInterop {
  private static final int PARTITIONS = 6;
  private static final int RECORDS = 600;
  private static final long PATIENCE_MS = 180_000;

  private static String bootstrap;
  private static Admin admin;

  public static void main(String[] args) throws Exception {
    bootstrap = args[0];
    admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    try {
      share("uniform");
      share("range");
      expressions();
      staticMembers();
      commits();
      refusals();
      migrate(RangeAssignor.class);
      migrate(CooperativeStickyAssignor.class);
    } finally {
      admin.close();
    }
  }

  private static void step(String name, Object value) {
    System.out.println(name + "\t" + value);
  }

  private static String quoted(Object value) {
    return '"' + String.valueOf(value) + '"';
  }

  private static void waitFor(String what, BooleanSupplier check) throws InterruptedException {
    for (long end = System.currentTimeMillis() + PATIENCE_MS; !check.getAsBoolean(); Thread.sleep(20)) {
      if (System.currentTimeMillis() > end) throw new IllegalStateException("waited in vain for " + what);
    }
  }

  private static void createTopic(String topic, int partitions) throws Exception {
    admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
  }

  private static void write(String topic, int partitions, int from, int to) {
    Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "linger.ms", "0", "enable.idempotence", "false");
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
      for (int i = from; i < to; i++) producer.send(new ProducerRecord<>(topic, i % partitions, null, topic + i));
    }
  }

  private static KafkaConsumer<String, String> consumer(String group, Map<String, String> more) {
    Properties config = new Properties();
    config.put("bootstrap.servers", bootstrap);
    config.put("group.id", group);
    config.put("group.protocol", "consumer");
    config.put("auto.offset.reset", "earliest");
    config.put("auto.commit.interval.ms", "100");
    config.put("fetch.max.wait.ms", "50");
    config.put("metadata.max.age.ms", "1000");
    config.putAll(more);
    return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
  }

  private static Map<String, String> classic(Class<?> assignor) {
    return Map.of(
        "group.protocol", "classic",
        "partition.assignment.strategy", assignor.getName(),
        "heartbeat.interval.ms", "200",
        "session.timeout.ms", "60000");
  }

  /** A member in a thread of its own, until it is closed. */
  private static final class Member implements ConsumerRebalanceListener {
    final Map<String, Integer> got;
    final Set<TopicPartition> owned = ConcurrentHashMap.newKeySet();
    final CompletableFuture<Throwable> ended = new CompletableFuture<>();
    volatile int revocations;
    private volatile boolean closing;

    Member(String group, Map<String, Integer> got, Map<String, String> config, List<String> topics) {
      this(group, got, config, (consumer, self) -> consumer.subscribe(topics, self));
    }

    Member(String group, Map<String, Integer> got, Map<String, String> config, Subscription subscription) {
      this.got = got;
      KafkaConsumer<String, String> consumer = consumer(group, config);
      Thread thread = new Thread(() -> {
        Throwable reason = null;
        try (consumer) {
          subscription.on(consumer, this);
          while (!closing) consumer.poll(Duration.ofMillis(50)).forEach(record -> got.merge(record.value(), 1, Integer::sum));
        } catch (Throwable error) {
          reason = error;
        }
        ended.complete(reason);
      });
      thread.setDaemon(true);
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
      if (!partitions.isEmpty()) revocations += 1;
      owned.removeAll(partitions);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
      owned.removeAll(partitions);
    }
  }

  private interface Subscription {
    void on(KafkaConsumer<String, String> consumer, ConsumerRebalanceListener listener);
  }

  private static BooleanSupplier evenly(int partitions, List<Member> members) {
    return () -> {
      Set<TopicPartition> all = new HashSet<>();
      for (Member member : members) {
        if (member.owned.size() != partitions / members.size()) return false;
        all.addAll(member.owned);
      }
      return all.size() == partitions;
    };
  }

  private static ConsumerGroupDescription describe(String group) {
    try {
      return admin.describeConsumerGroups(List.of(group)).describedGroups().get(group).get();
    } catch (Exception error) {
      throw new IllegalStateException(error);
    }
  }

  private static long committed(String group) throws Exception {
    long sum = 0;
    for (OffsetAndMetadata offset : admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().values()) {
      sum += offset.offset();
    }
    return sum;
  }

  /** Three members share the partitions; one leaves and one comes while records keep coming. */
  private static void share(String assignor) throws Exception {
    String topic = "shared-" + assignor;
    String group = "group-" + assignor;
    createTopic(topic, PARTITIONS);
    Map<String, String> config = Map.of("group.remote.assignor", assignor);
    Map<String, Integer> got = new ConcurrentHashMap<>();
    List<Member> members = new ArrayList<>();
    write(topic, PARTITIONS, 0, RECORDS / 3);
    for (int i = 0; i < 3; i++) members.add(new Member(group, got, config, List.of(topic)));
    waitFor("three members with two partitions each", evenly(PARTITIONS, members));
    waitFor("the first third", () -> got.size() == RECORDS / 3);
    waitFor("a stable group", () -> describe(group).groupState().toString().equals("Stable"));
    step(assignor + ": described", quoted(describe(group).type() + " " + describe(group).partitionAssignor() + " " + describe(group).members().size()));
    write(topic, PARTITIONS, RECORDS / 3, 2 * RECORDS / 3);
    members.remove(0).close();
    waitFor("two members with three partitions each", evenly(PARTITIONS, members));
    waitFor("the second third", () -> got.size() == 2 * RECORDS / 3);
    members.add(new Member(group, got, config, List.of(topic)));
    write(topic, PARTITIONS, 2 * RECORDS / 3, RECORDS);
    waitFor("three members again", evenly(PARTITIONS, members));
    waitFor("all", () -> got.size() == RECORDS);
    for (Member member : members) member.close();
    step(assignor + ": distinct records", got.size());
    step(assignor + ": committed", committed(group));
    waitFor("an empty group", () -> describe(group).groupState().toString().equals("Empty"));
  }

  /** A regular expression that the broker evaluates, and one that the client does. */
  private static void expressions() throws Exception {
    for (String topic : List.of("re-one", "re-two", "other")) createTopic(topic, 2);
    Map<String, Integer> got = new ConcurrentHashMap<>();
    for (String topic : List.of("re-one", "re-two", "other")) write(topic, 2, 0, 10);
    Member broker = new Member("by-broker", got, Map.of(), (consumer, self) -> consumer.subscribe(new SubscriptionPattern("re-.*"), self));
    waitFor("four partitions", () -> broker.owned.size() == 4);
    waitFor("what is in them", () -> got.size() == 20);
    Member second = new Member("by-broker", got, Map.of(), (consumer, self) -> consumer.subscribe(new SubscriptionPattern("re-t.*|other"), self));
    waitFor("a topic for each, and one for both", () -> broker.owned.size() == 3 && second.owned.size() == 3);
    waitFor("what is in the other", () -> got.size() == 30);
    createTopic("re-three", 2);
    write("re-three", 2, 0, 10);
    waitFor("what is in the topic that came", () -> got.size() == 40);
    step("expressions: by the broker", got.size());
    second.close();
    broker.close();
    got.clear();
    Member client = new Member("by-client", got, Map.of(), (consumer, self) -> consumer.subscribe(Pattern.compile("re-(?!one).*"), self));
    waitFor("what matches", () -> got.size() == 20);
    step("expressions: by the client", got.size());
    client.close();
  }

  /** A static member that is away for a moment disturbs nobody; one that is there twice is refused. */
  private static void staticMembers() throws Exception {
    createTopic("static", PARTITIONS);
    Map<String, Integer> got = new ConcurrentHashMap<>();
    Map<String, String> first = Map.of("group.instance.id", "one");
    Map<String, String> second = Map.of("group.instance.id", "two");
    Member one = new Member("static", got, first, List.of("static"));
    Member two = new Member("static", got, second, List.of("static"));
    waitFor("two members with three partitions each", evenly(PARTITIONS, List.of(one, two)));
    Set<TopicPartition> before = Set.copyOf(two.owned);
    int revocations = one.revocations;
    two.close();
    write("static", PARTITIONS, 0, 60);
    Member again = new Member("static", got, second, List.of("static"));
    waitFor("the same partitions", () -> again.owned.equals(before));
    waitFor("all", () -> got.size() == 60);
    step("static: revocations of the other meanwhile", one.revocations - revocations);
    Member impostor = new Member("static", got, second, List.of("static"));
    Throwable reason = impostor.ended.get(PATIENCE_MS, TimeUnit.MILLISECONDS);
    step("static: the one that comes is refused", reason instanceof UnreleasedInstanceIdException);
    step("static: the one that is there goes on", again.owned.equals(before) && !again.ended.isDone());
    one.close();
    again.close();
  }

  /** commitSync, commitAsync, committed, unsubscribe, and another member that goes on from there. */
  private static void commits() throws Exception {
    createTopic("commits", 1);
    write("commits", 1, 0, 20);
    TopicPartition zero = new TopicPartition("commits", 0);
    Map<String, String> byHand = Map.of("enable.auto.commit", "false", "max.poll.records", "5");
    try (KafkaConsumer<String, String> consumer = consumer("commits", byHand)) {
      consumer.subscribe(List.of("commits"));
      List<Long> offsets = poll(consumer, 5);
      step("commits: first", offsets);
      consumer.commitSync();
      step("commits: after commitSync", consumer.committed(Set.of(zero)).get(zero).offset());
      poll(consumer, 5);
      CompletableFuture<Exception> async = new CompletableFuture<>();
      consumer.commitAsync(Map.of(zero, new OffsetAndMetadata(8, "by hand")), (committed, error) -> async.complete(error));
      while (!async.isDone()) consumer.poll(Duration.ofMillis(10));
      step("commits: commitAsync", async.get());
      step("commits: after commitAsync", quoted(consumer.committed(Set.of(zero)).get(zero).metadata()));
      consumer.unsubscribe();
      waitFor("nobody", () -> describe("commits").members().isEmpty());
      step("commits: assigned after unsubscribe", consumer.assignment().size());
      consumer.subscribe(List.of("commits"));
      step("commits: from where it was committed", poll(consumer, 5).get(0));
      consumer.seek(zero, 18);
      step("commits: from a seek", poll(consumer, 2).get(0));
    }
    try (KafkaConsumer<String, String> next = consumer("commits", byHand)) {
      next.subscribe(List.of("commits"));
      step("commits: another goes on", poll(next, 5).get(0));
    }
  }

  private static List<Long> poll(KafkaConsumer<String, String> consumer, int count) {
    List<Long> offsets = new ArrayList<>();
    for (long end = System.currentTimeMillis() + PATIENCE_MS; offsets.size() < count && System.currentTimeMillis() < end; ) {
      consumer.poll(Duration.ofMillis(100)).forEach(record -> offsets.add(record.offset()));
    }
    return offsets;
  }

  private static void refusals() throws Exception {
    step("refused: an unknown assignor", endOf(Map.of("group.remote.assignor", "nonsense"), consumer -> consumer.subscribe(List.of("commits"))) instanceof UnsupportedAssignorException);
    step("refused: a bad expression", endOf(Map.of(), consumer -> consumer.subscribe(new SubscriptionPattern("(?=a)"))) instanceof InvalidRegularExpression);
  }

  private static Throwable endOf(Map<String, String> config, Consumer<KafkaConsumer<String, String>> subscribe) throws Exception {
    Member member = new Member("refused", new ConcurrentHashMap<>(), config, (consumer, self) -> subscribe.accept(consumer));
    return member.ended.get(PATIENCE_MS, TimeUnit.MILLISECONDS);
  }

  /** Members of the old protocol give way to members of the new, one by one, and back, and nothing is missed. */
  private static void migrate(Class<?> assignor) throws Exception {
    String name = "migration of " + assignor.getSimpleName();
    String topic = "migrates-" + assignor.getSimpleName();
    String group = "group-" + topic;
    createTopic(topic, PARTITIONS);
    Map<String, Integer> got = new ConcurrentHashMap<>();
    Map<String, String> older = classic(assignor);
    List<String> topics = List.of(topic);
    List<Member> members = new ArrayList<>();
    for (int i = 0; i < 2; i++) members.add(new Member(group, got, older, topics));
    waitFor("two classic members", evenly(PARTITIONS, members));
    write(topic, PARTITIONS, 0, 120);
    waitFor("the first part", () -> got.size() == 120);
    step(name + ": at first", quoted(describe(group).type()));

    members.add(new Member(group, got, Map.of(), topics));
    write(topic, PARTITIONS, 120, 240);
    waitFor("a consumer member among them", evenly(PARTITIONS, members));
    waitFor("the second part", () -> got.size() == 240);
    Map<Boolean, Integer> upgraded = new TreeMap<>();
    describe(group).members().forEach(member -> upgraded.merge(member.upgraded().orElse(false), 1, Integer::sum));
    step(name + ": mixed", quoted(describe(group).type() + " " + upgraded));

    members.remove(0).close();
    members.remove(0).close();
    members.add(new Member(group, got, Map.of(), topics));
    write(topic, PARTITIONS, 240, 360);
    waitFor("two consumer members", evenly(PARTITIONS, members));
    waitFor("the third part", () -> got.size() == 360);
    step(name + ": new ones only", quoted(describe(group).type()));

    members.add(new Member(group, got, older, topics));
    write(topic, PARTITIONS, 360, 480);
    waitFor("a classic member among them", evenly(PARTITIONS, members));
    members.remove(0).close();
    members.remove(0).close();
    waitFor("the classic member alone", evenly(PARTITIONS, members));
    members.add(new Member(group, got, older, topics));
    write(topic, PARTITIONS, 480, RECORDS);
    waitFor("two classic members again", evenly(PARTITIONS, members));
    waitFor("all", () -> got.size() == RECORDS);
    step(name + ": in the end", quoted(describe(group).type()));
    for (Member member : members) member.close();
    step(name + ": distinct records", got.size());
    step(name + ": committed", committed(group));
  }
}
