import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.Readable;

/**
 * Reads messages with Apache Kafka's own classes and writes them again. Lines in: name, version, bytes as hex, with
 * spaces between. Lines out: the bytes that Kafka writes and its JSON form with a tab between; "none" for a message or
 * version that this Kafka does not have; "error" and the reason for bytes that it refuses or does not read to the end.
 * With the argument "errors" it prints its error codes instead: name, code, whether a client may try again.
 */
public final class ProtocolInterop {
  private static final String[] CLASSES = {
    "org.apache.kafka.common.message.%sData",
    "org.apache.kafka.common.message.%s",
    "org.apache.kafka.common.metadata.%s",
    "org.apache.kafka.raft.generated.%s",
    "org.apache.kafka.coordinator.group.generated.%s",
    "org.apache.kafka.coordinator.transaction.generated.%s",
    "org.apache.kafka.coordinator.share.generated.%s",
  };

  public static void main(String[] args) throws Exception {
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    if (args.length > 0 && args[0].equals("errors")) {
      for (Errors error : Errors.values()) {
        out.println(error.name() + " " + error.code() + " " + (error.exception() instanceof RetriableException));
      }
      out.flush();
      return;
    }
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] parts = line.split(" ", 3);
      out.println(answer(parts[0], Short.parseShort(parts[1]), HexFormat.of().parseHex(parts[2])));
    }
    out.flush();
  }

  private static String answer(String name, short version, byte[] bytes) {
    Class<?> type = find(name);
    if (type == null) return "none";
    try {
      Message message = (Message) type.getConstructor().newInstance();
      if (version < message.lowestSupportedVersion() || version > message.highestSupportedVersion()) return "none";
      ByteBuffer buffer = ByteBuffer.wrap(bytes);
      message = (Message) type.getConstructor(Readable.class, short.class)
          .newInstance(new ByteBufferAccessor(buffer), version);
      if (buffer.hasRemaining()) return "error " + buffer.remaining() + " bytes left";
      return HexFormat.of().formatHex(write(message, version)) + "\t" + json(type, message, version);
    } catch (InvocationTargetException failure) {
      return "error " + failure.getCause();
    } catch (ReflectiveOperationException | RuntimeException failure) {
      return "error " + failure;
    }
  }

  private static Class<?> find(String name) {
    for (String pattern : CLASSES) {
      try {
        return Class.forName(String.format(pattern, name));
      } catch (ClassNotFoundException absent) {
        continue;
      }
    }
    return null;
  }

  private static byte[] write(Message message, short version) {
    ObjectSerializationCache cache = new ObjectSerializationCache();
    ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
    message.write(new ByteBufferAccessor(buffer), cache, version);
    return buffer.array();
  }

  private static JsonNode json(Class<?> type, Message message, short version) throws ReflectiveOperationException {
    Class<?> converter = Class.forName(type.getName() + "JsonConverter");
    Method write = converter.getMethod("write", type, short.class);
    return (JsonNode) write.invoke(null, message, version);
  }
}
