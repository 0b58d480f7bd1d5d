import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import kafka.server.KafkaConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigDef.ConfigKey;
import org.apache.kafka.server.config.ConfigSynonym;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.DynamicConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.storage.internals.log.LogConfig;

/**
 * What Apache Kafka declares of its settings. "list" prints all of them as JSON, one a line: the fixtures of
 * test/unit/config are written so. "parse" reads lines of "broker" or "topic", a name and a text in base64, and answers
 * each with "ok" and how Kafka prints the value, or "refused" and Kafka's words, in base64.
 */
public final class SettingsInterop {
  public static void main(String[] args) throws Exception {
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    if (args[0].equals("list")) list(out);
    else parse(out);
    out.flush();
  }

  private static Map<String, ConfigKey> brokerKeys() {
    Map<String, ConfigKey> keys = new TreeMap<>(KafkaConfig.configDef().configKeys());
    // The replication quotas stand only among the dynamic settings.
    DynamicConfig.Broker.configKeys().forEach(keys::putIfAbsent);
    return keys;
  }

  private static Map<String, ConfigKey> topicKeys() {
    return new TreeMap<>(LogConfig.configKeys());
  }

  private static void list(PrintStream out) throws Exception {
    out.println("{\n\"kafka\": " + quoted(version()) + ",\n\"broker\": [");
    Map<String, String> modes = DynamicBrokerConfig.dynamicConfigUpdateModes();
    List<String> lines = new ArrayList<>();
    for (ConfigKey key : brokerKeys().values()) {
      Map<String, Object> facts = factsOf(key);
      if (modes.containsKey(key.name)) facts.put("dynamic", modes.get(key.name));
      List<String> synonyms = DynamicBrokerConfig.brokerConfigSynonyms(key.name, true);
      if (synonyms.size() > 1) facts.put("synonyms", synonyms);
      lines.add(json(facts));
    }
    out.println(String.join(",\n", lines) + "\n],\n\"topic\": [");
    lines.clear();
    for (ConfigKey key : topicKeys().values()) {
      Map<String, Object> facts = factsOf(key);
      List<ConfigSynonym> synonyms = ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.get(key.name);
      if (synonyms != null) facts.put("synonyms", synonyms.stream().map(ConfigSynonym::name).toList());
      lines.add(json(facts));
    }
    out.println(String.join(",\n", lines) + "\n]\n}");
  }

  private static String version() throws Exception {
    Properties properties = new Properties();
    try (InputStream in = ConfigDef.class.getResourceAsStream("/kafka/kafka-version.properties")) {
      properties.load(in);
    }
    return properties.getProperty("version");
  }

  private static Map<String, Object> factsOf(ConfigKey key) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("name", key.name);
    facts.put("type", key.type.name().toLowerCase());
    facts.put("default", key.hasDefault() ? ConfigDef.convertToString(key.defaultValue, key.type) : null);
    facts.put("importance", key.importance.name().toLowerCase());
    if (key.internalConfig) facts.put("internal", true);
    if (key.validator != null && !key.validator.toString().isEmpty()) facts.put("valid", key.validator.toString());
    if (key.type == ConfigDef.Type.LIST) {
      facts.put("emptyAllowed", takes(key, List.of()));
      facts.put("nullAllowed", takes(key, null));
    }
    return facts;
  }

  private static boolean takes(ConfigKey key, Object value) {
    try {
      if (key.validator != null) key.validator.ensureValid(key.name, value);
      return true;
    } catch (RuntimeException refused) {
      return false;
    }
  }

  private static void parse(PrintStream out) throws Exception {
    Map<String, Map<String, ConfigKey>> known = Map.of("broker", brokerKeys(), "topic", topicKeys());
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] parts = line.split(" ", 3);
      String text = new String(Base64.getDecoder().decode(parts[2]), StandardCharsets.UTF_8);
      out.println(parsed(known.get(parts[0]).get(parts[1]), text));
    }
  }

  private static String parsed(ConfigKey key, String text) {
    try {
      ConfigDef one = new ConfigDef().define(key);
      Object value = one.parse(Map.of(key.name, text)).get(key.name);
      return "ok " + base64(String.valueOf(ConfigDef.convertToString(value, key.type)));
    } catch (RuntimeException refused) {
      return "refused " + base64(String.valueOf(refused.getMessage()));
    }
  }

  private static String base64(String text) {
    return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
  }

  private static String json(Map<String, Object> facts) {
    List<String> fields = new ArrayList<>();
    facts.forEach((name, value) -> fields.add(quoted(name) + ": " + json(value)));
    return "{" + String.join(", ", fields) + "}";
  }

  private static String json(Object value) {
    if (value instanceof List<?> list) return "[" + String.join(", ", list.stream().map(one -> quoted(one.toString())).toList()) + "]";
    return value == null || value instanceof Boolean ? String.valueOf(value) : quoted(value.toString());
  }

  private static String quoted(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }
}
