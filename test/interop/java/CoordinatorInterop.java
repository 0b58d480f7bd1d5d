import com.dynatrace.hash4j.hashing.Hashing;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;
import org.apache.kafka.coordinator.group.Utils;
import org.apache.kafka.coordinator.group.api.assignor.ConsumerGroupPartitionAssignor;
import org.apache.kafka.coordinator.group.api.assignor.GroupAssignment;
import org.apache.kafka.coordinator.group.api.assignor.SubscribedTopicDescriber;
import org.apache.kafka.coordinator.group.api.assignor.SubscriptionType;
import org.apache.kafka.coordinator.group.assignor.RangeAssignor;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;
import org.apache.kafka.coordinator.group.modern.Assignment;
import org.apache.kafka.coordinator.group.modern.GroupSpecImpl;
import org.apache.kafka.coordinator.group.modern.MemberSubscriptionAndAssignmentImpl;

/**
 * What Apache Kafka's own classes of the group coordinator decide, one line of JSON each: "assignments SEED GROUPS",
 * "hashes SEED", or "patterns", which reads patterns from its input, then topic names after an empty line.
 */
public final class CoordinatorInterop {
  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
  private static PrintStream out;

  public static void main(String[] args) throws Exception {
    out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    switch (args[0]) {
      case "assignments" -> assignments(new Random(Long.parseLong(args[1])), Integer.parseInt(args[2]));
      case "hashes" -> hashes(new Random(Long.parseLong(args[1])));
      case "patterns" -> patterns();
      default -> throw new IllegalArgumentException(args[0]);
    }
    out.flush();
  }

  // Assignments.

  private record Member(String instanceId, Set<Uuid> topics, Map<Uuid, Set<Integer>> assignment) {}

  /** A group that lives through some changes, and is assigned after each of them. */
  private static final class Life {
    final Random random;
    final Map<String, Member> members = new HashMap<>();
    final Map<Uuid, Integer> topics = new LinkedHashMap<>();
    final boolean mixed;
    final ConsumerGroupPartitionAssignor assignor;
    int instances;

    Life(Random random, int size) {
      this.random = random;
      mixed = random.nextBoolean();
      assignor = random.nextInt(4) == 0 ? new RangeAssignor() : new UniformAssignor();
      int topicCount = 1 + random.nextInt(1 + size / 2);
      boolean same = random.nextInt(3) == 0;
      int partitions = random.nextInt(2 * size);
      for (int i = 0; i < topicCount; i++) addTopic(same ? partitions : random.nextInt(2 * size));
      int memberCount = 1 + random.nextInt(size);
      for (int i = 0; i < memberCount; i++) join();
    }

    void addTopic(int partitions) {
      topics.put(uuid(random), partitions);
    }

    Set<Uuid> subscription() {
      if (!mixed) return new HashSet<>(topics.keySet());
      // Few subscriptions that many share now, one of its own for everybody then.
      List<Uuid> all = new ArrayList<>(topics.keySet());
      Set<Uuid> some = new HashSet<>();
      for (Uuid topic : all) if (random.nextInt(3) > 0) some.add(topic);
      return some;
    }

    void join() {
      String instance = random.nextInt(3) == 0 ? "instance-" + random.nextInt(100) + "-" + instances++ : null;
      members.put(uuid(random).toString(), new Member(instance, subscription(), Map.of()));
    }

    String anyone() {
      List<String> ids = new ArrayList<>(members.keySet());
      return ids.get(random.nextInt(ids.size()));
    }

    void change() {
      switch (random.nextInt(7)) {
        case 0 -> {
          for (int i = random.nextInt(3); i >= 0; i--) join();
        }
        case 1 -> {
          for (int i = random.nextInt(3); i >= 0 && members.size() > 1; i--) members.remove(anyone());
        }
        case 2 -> {
          List<Uuid> all = new ArrayList<>(topics.keySet());
          Uuid topic = all.get(random.nextInt(all.size()));
          topics.merge(topic, 1 + random.nextInt(10), Integer::sum);
        }
        case 3 -> {
          addTopic(random.nextInt(12));
          if (!mixed) members.replaceAll((id, member) -> new Member(member.instanceId, subscription(), member.assignment));
        }
        case 4 -> {
          if (mixed) members.computeIfPresent(anyone(), (id, member) -> new Member(member.instanceId, subscription(), member.assignment));
          else if (topics.size() > 1) {
            topics.remove(topics.keySet().iterator().next());
            members.replaceAll((id, member) -> new Member(member.instanceId, subscription(), member.assignment));
          }
        }
        case 5 -> {
          // A static member that comes back has another id, and what it had.
          Member member = members.remove(anyone());
          members.put(uuid(random).toString(), member);
        }
        default -> {}
      }
    }

    void assign() {
      Map<String, MemberSubscriptionAndAssignmentImpl> specs = new HashMap<>();
      Map<Uuid, Map<Integer, String>> inverted = new HashMap<>();
      Set<Set<Uuid>> subscriptions = new HashSet<>();
      members.forEach((id, member) -> {
        subscriptions.add(member.topics);
        specs.put(id, new MemberSubscriptionAndAssignmentImpl(
            Optional.empty(), Optional.ofNullable(member.instanceId), member.topics, new Assignment(member.assignment)));
        member.assignment.forEach((topic, partitions) -> {
          for (int partition : partitions) inverted.computeIfAbsent(topic, t -> new HashMap<>()).put(partition, id);
        });
      });
      boolean homogeneous = subscriptions.size() == 1;
      SubscriptionType type = homogeneous ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS;
      GroupSpecImpl spec = new GroupSpecImpl(specs, type, inverted);
      SubscribedTopicDescriber describer = new SubscribedTopicDescriber() {
        @Override
        public int numPartitions(Uuid topic) {
          return topics.getOrDefault(topic, -1);
        }

        @Override
        public Set<String> racksForPartition(Uuid topic, int partition) {
          return Set.of();
        }
      };
      ObjectNode line = JSON.objectNode().put("assignor", assignor.name()).put("isHomogeneous", homogeneous);
      ObjectNode counts = line.putObject("topics");
      topics.forEach((topic, count) -> counts.put(topic.toString(), count));
      ArrayNode given = line.putArray("members");
      for (String id : spec.memberIds()) {
        Member member = members.get(id);
        ObjectNode node = given.addObject().put("memberId", id).put("instanceId", member.instanceId);
        ArrayNode topicIds = node.putArray("topicIds");
        new HashSet<>(member.topics).forEach(topic -> topicIds.add(topic.toString()));
        write(node.putArray("assignment"), member.assignment, false);
      }
      GroupAssignment made = assignor.assign(spec, describer);
      ObjectNode result = line.putObject("result");
      for (String id : spec.memberIds()) {
        Map<Uuid, Set<Integer>> assignment = made.members().containsKey(id) ? made.members().get(id).partitions() : Map.of();
        write(result.putArray(id), assignment, true);
        members.computeIfPresent(id, (key, member) -> new Member(member.instanceId, member.topics, copy(assignment)));
      }
      out.println(line);
    }
  }

  private static Map<Uuid, Set<Integer>> copy(Map<Uuid, Set<Integer>> assignment) {
    Map<Uuid, Set<Integer>> copied = new HashMap<>();
    assignment.forEach((topic, partitions) -> copied.put(topic, new HashSet<>(partitions)));
    return copied;
  }

  private static void write(ArrayNode into, Map<Uuid, Set<Integer>> assignment, boolean sorted) {
    assignment.forEach((topic, partitions) -> {
      if (partitions.isEmpty()) return;
      ArrayNode numbers = into.addArray().add(topic.toString()).addArray();
      Collection<Integer> ordered = sorted ? new TreeSet<>(partitions) : partitions;
      ordered.forEach(numbers::add);
    });
  }

  private static void assignments(Random random, int groups) {
    for (int group = 0; group < groups; group++) {
      Life life = new Life(random, group % 10 == 9 ? 60 : 8);
      for (int step = 0; step < 6; step++) {
        life.assign();
        life.change();
      }
    }
  }

  private static Uuid uuid(Random random) {
    return new Uuid(random.nextLong(), random.nextLong());
  }

  // Hashes.

  private record Topic(String name, Uuid id, List<List<String>> racks) implements CoordinatorMetadataImage.TopicMetadata {
    @Override
    public int partitionCount() {
      return racks.size();
    }

    @Override
    public List<String> partitionRacks(int partition) {
      return new ArrayList<>(racks.get(partition));
    }
  }

  private static void hashes(Random random) {
    for (int length = 0; length < 2600; length += length < 300 ? 1 : 37) {
      byte[] bytes = new byte[length];
      for (int i = 0; i < length; i++) bytes[i] = (byte) (i * 31 + length);
      String hash = Long.toString(Hashing.xxh3_64().hashBytesToLong(bytes));
      out.println(JSON.objectNode().put("length", length).put("hash", hash));
    }
    String[] racks = {"a", "b", "eu-west-1c", "größe", ""};
    for (int group = 0; group < 40; group++) {
      Map<String, Long> topicHashes = new HashMap<>();
      ObjectNode line = JSON.objectNode();
      ArrayNode topics = line.putArray("topics");
      for (int i = random.nextInt(5); i > 0; i--) {
        List<List<String>> ofPartitions = new ArrayList<>();
        for (int partition = random.nextInt(group + 1); partition >= 0; partition--) {
          List<String> ofPartition = new ArrayList<>();
          for (int replica = group % 2 * random.nextInt(4); replica > 0; replica--) ofPartition.add(racks[random.nextInt(racks.length)]);
          ofPartitions.add(ofPartition);
        }
        Topic topic = new Topic("topic-" + random.nextInt(1000) + "x".repeat(random.nextInt(60)), uuid(random), ofPartitions);
        CoordinatorMetadataImage image = (CoordinatorMetadataImage) Proxy.newProxyInstance(
            CoordinatorInterop.class.getClassLoader(),
            new Class<?>[] {CoordinatorMetadataImage.class},
            (proxy, method, arguments) -> Optional.of(topic));
        long hash = Utils.computeTopicHash(topic.name, image);
        topicHashes.put(topic.name, hash);
        ObjectNode node = topics.addObject().put("name", topic.name).put("topicId", topic.id.toString()).put("hash", Long.toString(hash));
        ArrayNode all = node.putArray("racks");
        for (List<String> ofPartition : ofPartitions) {
          ArrayNode some = all.addArray();
          ofPartition.forEach(some::add);
        }
      }
      out.println(line.put("hash", Long.toString(Utils.computeGroupHash(topicHashes))));
    }
  }

  // Patterns.

  private static void patterns() throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    List<String> given = new ArrayList<>();
    for (String line = in.readLine(); line != null && !line.isEmpty(); line = in.readLine()) given.add(line);
    List<String> names = in.lines().toList();
    for (String text : given) {
      ObjectNode line = JSON.objectNode().put("pattern", text);
      try {
        Pattern pattern = Pattern.compile(text);
        ArrayNode matches = line.putArray("matches");
        for (String name : names) if (pattern.matcher(name).matches()) matches.add(name);
      } catch (PatternSyntaxException e) {
        line.put("isInvalid", true);
      }
      out.println(line);
    }
  }
}
