import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Drives a broker with the Java clients of the class path, from 0.10.2 on. Prints, one JSON object a line, what each step
 * gave. Arguments: bootstrap servers, name of the client.
 */
public final class OldClients {
    private static final long BASE = 1_700_000_000_000L;
    private static String bootstrap;

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        String name = args[1];
        for (String codec : new String[] {"none", "gzip", "snappy", "lz4"}) {
            String topic = name + "-" + codec;
            produce(topic, codec);
            consume(topic, topic, -1, 6, 1_048_576);
            consume(topic + " from 3", topic, 3, 3, 1_048_576);
        }
        consume(name + " small fetches", name + "-none", 0, 6, 100);
        for (String topic : new String[] {"modern-none", "modern-gzip", "modern-snappy", "modern-lz4"}) {
            consume(name + " " + topic, topic, -1, 3, 1_048_576);
        }
        times(name, name + "-none");
    }

    private static void produce(String topic, String codec) throws Exception {
        Properties properties = properties();
        properties.put("acks", "all");
        properties.put("compression.type", codec);
        properties.put("linger.ms", "200");
        properties.put("key.serializer", ByteArraySerializer.class.getName());
        properties.put("value.serializer", ByteArraySerializer.class.getName());
        List<Object> offsets = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                byte[] key = i == 4 ? null : ("k" + i).getBytes(StandardCharsets.UTF_8);
                byte[] value = i == 5 ? null : ("value " + i).getBytes(StandardCharsets.UTF_8);
                if (i == 4) {
                    value = new byte[50_000];
                    Arrays.fill(value, (byte) 'x');
                }
                sent.add(producer.send(new ProducerRecord<>(topic, 0, BASE + i, key, value)));
            }
            for (Future<RecordMetadata> one : sent) {
                RecordMetadata metadata = one.get(180, TimeUnit.SECONDS);
                offsets.add("[" + metadata.offset() + "," + metadata.timestamp() + "]");
            }
        }
        step(topic + " produce", offsets);
    }

    @SuppressWarnings("deprecation")
    private static void consume(String label, String topic, long from, int count, int partitionBytes) {
        TopicPartition partition = new TopicPartition(topic, 0);
        List<Object> rows = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(partitionBytes)) {
            consumer.assign(Collections.singletonList(partition));
            if (from < 0) consumer.seekToBeginning(Collections.singletonList(partition));
            else consumer.seek(partition, from);
            for (int polls = 0; rows.size() < count && polls < 360; polls++) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(500)) {
                    rows.add("[" + record.offset() + "," + shown(record.key()) + "," + shown(record.value()) + ","
                        + record.timestamp() + "]");
                }
            }
        }
        step(label + " consume", rows);
    }

    private static void times(String name, String topic) {
        TopicPartition partition = new TopicPartition(topic, 0);
        List<Object> seen = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(1_048_576)) {
            for (long time : new long[] {0, BASE + 2, BASE + 5, BASE + 6}) {
                seen.add(quoted(String.valueOf(consumer.offsetsForTimes(Collections.singletonMap(partition, time)).get(partition))));
            }
            seen.add(consumer.beginningOffsets(Collections.singletonList(partition)).get(partition));
            seen.add(consumer.endOffsets(Collections.singletonList(partition)).get(partition));
        }
        step(name + " times", seen);
    }

    private static KafkaConsumer<byte[], byte[]> consumer(int partitionBytes) {
        Properties properties = properties();
        properties.put("enable.auto.commit", "false");
        properties.put("max.partition.fetch.bytes", String.valueOf(partitionBytes));
        properties.put("key.deserializer", ByteArrayDeserializer.class.getName());
        properties.put("value.deserializer", ByteArrayDeserializer.class.getName());
        return new KafkaConsumer<>(properties);
    }

    private static Properties properties() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        return properties;
    }

    private static String shown(byte[] bytes) {
        if (bytes == null) return "null";
        return quoted(bytes.length > 100 ? bytes.length + " bytes" : new String(bytes, StandardCharsets.UTF_8));
    }

    private static String quoted(String text) {
        return "\"" + text + "\"";
    }

    private static void step(String name, List<Object> values) {
        List<String> texts = new ArrayList<>();
        for (Object value : values) texts.add(String.valueOf(value));
        System.out.println("{\"step\":" + quoted(name) + ",\"value\":[" + String.join(",", texts) + "]}");
    }
}
