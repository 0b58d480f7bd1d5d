import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.jar.JarFile;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;

/**
 * Fills every version of every message class on the class path and prints what it makes of it, a line each: name,
 * version, case, bytes as hex, Kafka's JSON form, with tabs between. Which fields a version has, their types and which
 * may be null is asked of Kafka's own schemas.
 *
 * Lines in: "offset MESSAGE FIELD" for fields that are read as numbers, so that they stay within 2^53 except in the
 * case "beyond"; "known MESSAGE VERSION" for the lowest version that there is already. With the argument "older" only
 * known messages are written, in versions below that.
 */
public final class CorpusWriter {
  private static final String[] PACKAGES = {
    "org/apache/kafka/common/message/",
    "org/apache/kafka/common/metadata/",
    "org/apache/kafka/raft/generated/",
    "org/apache/kafka/coordinator/group/generated/",
    "org/apache/kafka/coordinator/transaction/generated/",
    "org/apache/kafka/coordinator/share/generated/",
  };
  private static final String[] CASES = {"defaults", "lowest", "highest", "random 1", "random 2", "random 3", "beyond"};
  private static final String[] TEXTS = {"", "a", "orders-7", "größe", "日本語", "\uD83D\uDE00", "\u0000", "y".repeat(127), "é".repeat(70)};
  private static final long SAFE = (1L << 53) - 1;

  private static final Set<String> offsets = new HashSet<>();
  private static final Map<String, Integer> known = new HashMap<>();

  private final String message;
  private final String what;
  private final Random random;
  private final boolean withRecords;
  private boolean wentBeyond = false;

  private CorpusWriter(String message, int version, String what, boolean withRecords) {
    this.message = message;
    this.what = what;
    // Seeds that lie close to each other give alike first numbers.
    this.random = new Random((message + " " + version + " " + what).hashCode() * 0x9e3779b97f4a7c15L);
    this.withRecords = withRecords;
  }

  public static void main(String[] args) throws Exception {
    boolean older = args.length > 0 && args[0].equals("older");
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] parts = line.split(" ");
      if (parts[0].equals("offset")) offsets.add(parts[1] + " " + plain(parts[2]));
      if (parts[0].equals("known")) known.put(parts[1], Integer.parseInt(parts[2]));
    }
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    for (Map.Entry<String, Class<?>> entry : messageClasses().entrySet()) {
      String name = entry.getKey();
      Schema[] schemas = (Schema[]) entry.getValue().getField("SCHEMAS").get(null);
      int end = older ? Math.min(schemas.length, known.getOrDefault(name, 0)) : schemas.length;
      for (short version = 0; version < end; version++) {
        if (schemas[version] == null) continue;
        for (String what : CASES) {
          String line = line(entry.getValue(), name, version, schemas[version], what);
          if (line != null) out.println(line);
        }
      }
    }
    out.flush();
  }

  /** By the name in the protocol; only requests, responses and headers have another class name. */
  private static Map<String, Class<?>> messageClasses() throws Exception {
    Map<String, Class<?>> found = new TreeMap<>();
    for (String path : System.getProperty("java.class.path").split(File.pathSeparator)) {
      if (!path.endsWith(".jar")) continue;
      try (JarFile jar = new JarFile(path)) {
        for (String entry : jar.stream().map(one -> one.getName()).toList()) {
          if (!entry.endsWith(".class") || entry.contains("$") || entry.contains("-info")) continue;
          boolean isOurs = false;
          for (String prefix : PACKAGES) isOurs |= entry.startsWith(prefix);
          if (!isOurs) continue;
          Class<?> type = Class.forName(entry.substring(0, entry.length() - 6).replace('/', '.'));
          if (!Message.class.isAssignableFrom(type) || Modifier.isAbstract(type.getModifiers())) continue;
          found.put(type.getSimpleName().replaceFirst("(Request|Response|Header)Data$", "$1"), type);
        }
      }
    }
    return found;
  }

  private static String line(Class<?> type, String name, short version, Schema schema, String what) throws Exception {
    CorpusWriter writer = new CorpusWriter(name, version, what, false);
    Message value = (Message) type.getConstructor().newInstance();
    byte[] bytes;
    try {
      if (!what.equals("defaults")) writer.fill(value, schema);
      bytes = write(value, version);
    } catch (NullPointerException recordsAreNeeded) {
      writer = new CorpusWriter(name, version, what, true);
      value = (Message) type.getConstructor().newInstance();
      writer.fill(value, schema);
      bytes = write(value, version);
    }
    if (what.equals("beyond") && !writer.wentBeyond) return null;
    Message back = (Message) type.getConstructor().newInstance();
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    back.read(new ByteBufferAccessor(buffer), version);
    if (buffer.hasRemaining()) throw new IllegalStateException(name + " v" + version + ": bytes left");
    String hex = HexFormat.of().formatHex(bytes);
    if (!HexFormat.of().formatHex(write(back, version)).equals(hex)) {
      throw new IllegalStateException(name + " v" + version + " " + what + ": Kafka does not write what it read");
    }
    return String.join("\t", name, Short.toString(version), what, hex, json(type, back, version).toString());
  }

  private static byte[] write(Message message, short version) {
    ObjectSerializationCache cache = new ObjectSerializationCache();
    ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
    message.write(new ByteBufferAccessor(buffer), cache, version);
    if (buffer.hasRemaining()) throw new IllegalStateException("another size than it said");
    return buffer.array();
  }

  private static JsonNode json(Class<?> type, Message message, short version) throws Exception {
    Method write = Class.forName(type.getName() + "JsonConverter").getMethod("write", type, short.class);
    return withLongsAsText((JsonNode) write.invoke(null, message, version));
  }

  /** A JSON parser would round integers beyond 2^53. */
  private static JsonNode withLongsAsText(JsonNode node) {
    JsonNodeFactory make = JsonNodeFactory.instance;
    if (node.isObject()) {
      ObjectNode copy = make.objectNode();
      node.fieldNames().forEachRemaining(name -> copy.set(name, withLongsAsText(node.get(name))));
      return copy;
    }
    if (node.isArray()) {
      ArrayNode copy = make.arrayNode();
      node.forEach(element -> copy.add(withLongsAsText(element)));
      return copy;
    }
    boolean isLarge = node.isIntegralNumber() && (node.longValue() > SAFE || node.longValue() < -SAFE);
    return isLarge ? make.textNode(node.asText()) : node;
  }

  private void fill(Object target, Schema schema) throws Exception {
    for (BoundField bound : schema.fields()) {
      if (bound.def.type instanceof TaggedFields tagged) {
        for (org.apache.kafka.common.protocol.types.Field field : fieldsOf(tagged).values()) {
          if (!isRandom() || random.nextBoolean()) set(target, field.name, field.type);
        }
        addUnknown(target);
      } else {
        set(target, bound.def.name, bound.def.type);
      }
    }
  }

  /** Kafka 3.9 has no method for it. */
  @SuppressWarnings("unchecked")
  private static Map<Integer, org.apache.kafka.common.protocol.types.Field> fieldsOf(TaggedFields tagged)
      throws ReflectiveOperationException {
    Field fields = TaggedFields.class.getDeclaredField("fields");
    fields.setAccessible(true);
    return (Map<Integer, org.apache.kafka.common.protocol.types.Field>) fields.get(tagged);
  }

  /** Tagged fields that no version knows. */
  private void addUnknown(Object target) {
    if (!what.equals("highest") && !(isRandom() && random.nextInt(6) == 0)) return;
    List<RawTaggedField> unknown = ((Message) target).unknownTaggedFields();
    unknown.add(new RawTaggedField(100 + random.nextInt(100), bytesOf(random.nextInt(5))));
    unknown.add(new RawTaggedField(1_000_000 + random.nextInt(100), bytesOf(random.nextInt(5))));
  }

  private void set(Object target, String snakeName, Type type) throws Exception {
    for (Field field : target.getClass().getDeclaredFields()) {
      if (Modifier.isStatic(field.getModifiers()) || !plain(field.getName()).equals(plain(snakeName))) continue;
      field.setAccessible(true);
      field.set(target, value(type, field.getGenericType(), plain(snakeName)));
      return;
    }
    throw new IllegalStateException(message + " has no field " + snakeName);
  }

  private Object value(Type type, java.lang.reflect.Type javaType, String field) throws Exception {
    boolean isRecords = type.toString().contains("RECORDS");
    if (type.isNullable() && !(isRecords && withRecords)) {
      if (what.equals("lowest") || (isRandom() && random.nextInt(4) == 0)) return null;
    }
    if (type.isArray()) return array(type.arrayElementType().get(), javaType, field);
    if (type instanceof Schema schema) {
      Object struct = ((Class<?>) javaType).getConstructor().newInstance();
      fill(struct, schema);
      return struct;
    }
    if (isRecords) return records(bytes());
    switch (type.toString()) {
      case "BOOLEAN":
        return what.equals("highest") || (isRandom() && random.nextBoolean());
      case "INT8":
        return (byte) integer(Byte.MIN_VALUE, Byte.MAX_VALUE);
      case "INT16":
        return (short) integer(Short.MIN_VALUE, Short.MAX_VALUE);
      case "UINT16":
        return (int) integer(0, 0xffff);
      case "INT32":
        return (int) integer(Integer.MIN_VALUE, Integer.MAX_VALUE);
      case "INT64":
        return int64(field);
      case "FLOAT64":
        return what.equals("lowest") ? -Double.MAX_VALUE : what.equals("highest") ? Double.MIN_VALUE : random.nextGaussian();
      case "UUID":
        return what.equals("lowest") ? Uuid.ZERO_UUID : new Uuid(integer(Long.MIN_VALUE, Long.MAX_VALUE), random.nextLong());
      case "STRING", "NULLABLE_STRING", "COMPACT_STRING", "COMPACT_NULLABLE_STRING":
        return text();
      case "BYTES", "NULLABLE_BYTES", "COMPACT_BYTES", "COMPACT_NULLABLE_BYTES":
        return javaType == byte[].class ? bytes() : ByteBuffer.wrap(bytes());
      default:
        throw new IllegalStateException(message + "." + field + " has the type " + type);
    }
  }

  private Object array(Type element, java.lang.reflect.Type javaType, String field) throws Exception {
    Collection<Object> values;
    java.lang.reflect.Type elementType;
    if (javaType instanceof ParameterizedType list) {
      values = new ArrayList<>();
      elementType = list.getActualTypeArguments()[0];
    } else {
      @SuppressWarnings("unchecked")
      Collection<Object> made = (Collection<Object>) ((Class<?>) javaType).getConstructor().newInstance();
      values = made;
      elementType = ((ParameterizedType) ((Class<?>) javaType).getGenericSuperclass()).getActualTypeArguments()[0];
    }
    int count = isRandom() ? random.nextInt(4) : what.equals("highest") ? 2 : 1;
    for (int index = 0; index < count; index++) values.add(value(element, elementType, field));
    return values;
  }

  private long int64(String field) {
    if (!offsets.contains(message + " " + field)) return integer(Long.MIN_VALUE, Long.MAX_VALUE);
    if (!what.equals("beyond")) return integer(-SAFE, SAFE);
    wentBeyond = true;
    return random.nextBoolean() ? SAFE + 1 + random.nextInt(3) : random.nextBoolean() ? Long.MIN_VALUE : Long.MAX_VALUE;
  }

  private long integer(long lowest, long highest) {
    if (what.equals("lowest")) return lowest;
    if (what.equals("highest")) return highest;
    switch (random.nextInt(4)) {
      case 0:
        return random.nextInt(100);
      case 1:
        return lowest == 0 ? 0 : -1;
      case 2:
        return random.nextBoolean() ? lowest : highest;
      default:
        return lowest == Long.MIN_VALUE ? random.nextLong() : lowest + Math.floorMod(random.nextLong(), highest - lowest + 1);
    }
  }

  private String text() {
    if (what.equals("lowest")) return "";
    return what.equals("highest") ? "é".repeat(64) : TEXTS[random.nextInt(isRandom() ? TEXTS.length : 3)];
  }

  private byte[] bytes() {
    return what.equals("lowest") ? new byte[0] : bytesOf(what.equals("highest") ? 130 : random.nextInt(12));
  }

  private byte[] bytesOf(int size) {
    byte[] bytes = new byte[size];
    random.nextBytes(bytes);
    return bytes;
  }

  /** The class moved to another package with Kafka 4. */
  private static Object records(byte[] bytes) throws Exception {
    Class<?> type;
    try {
      type = Class.forName("org.apache.kafka.common.record.internal.MemoryRecords");
    } catch (ClassNotFoundException older) {
      type = Class.forName("org.apache.kafka.common.record.MemoryRecords");
    }
    try {
      return type.getMethod("readableRecords", ByteBuffer.class).invoke(null, ByteBuffer.wrap(bytes));
    } catch (InvocationTargetException failure) {
      throw new IllegalStateException(failure.getCause());
    }
  }

  private boolean isRandom() {
    return what.startsWith("random");
  }

  private static String plain(String name) {
    return name.replace("_", "").toLowerCase(Locale.ROOT);
  }
}
