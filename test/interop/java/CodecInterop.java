import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.ByteBufferOutputStream;

/**
 * Both directions of codec and batch compatibility, against Kafka's own client classes.
 *
 *   java -cp 'LIBS/*' CodecInterop.java write DIR   compressed payloads and batches as Java makes them
 *   java -cp 'LIBS/*' CodecInterop.java read DIR    reads `<codec>-<kind>-<length>.bin` and `batch-<codec>.bin`, exits with 1 on a difference
 *
 * The payloads come from the same generator as `test/unit/protocol/compression/payloads.ts`.
 */
public class CodecInterop {
    static final byte MAGIC = RecordBatch.CURRENT_MAGIC_VALUE;
    static final int RECORDS = 24;
    static final String[] CODECS = {"gzip", "snappy", "lz4", "zstd"};

    static final class Seeded {
        private int state;

        Seeded(int seed) {
            state = seed == 0 ? 1 : seed;
        }

        int below(int bound) {
            state ^= state << 13;
            state ^= state >>> 17;
            state ^= state << 5;
            return (int) (Integer.toUnsignedLong(state) % bound);
        }
    }

    static byte[] payload(String kind, int length) {
        byte[] bytes = new byte[length];
        if (kind.equals("period3")) {
            for (int at = 0; at < length; at++) bytes[at] = (byte) ('a' + at % 3);
            return bytes;
        }
        if (kind.equals("random")) {
            Seeded random = new Seeded(length + 5);
            for (int at = 0; at < length; at++) bytes[at] = (byte) random.below(256);
            return bytes;
        }
        Seeded random = new Seeded(length + 31);
        for (int at = 0, id = 0; at < length; id++) {
            String line = "{\"id\":" + id + ",\"user\":\"u" + random.below(500) + "\",\"amount\":" + random.below(100000)
                + ",\"at\":17" + random.below(100000000) + "}";
            byte[] part = line.getBytes(StandardCharsets.US_ASCII);
            int take = Math.min(part.length, length - at);
            System.arraycopy(part, 0, bytes, at, take);
            at += take;
        }
        return bytes;
    }

    static Compression compression(String codec) {
        return Compression.of(CompressionType.forName(codec)).build();
    }

    static byte[] compress(String codec, byte[] plain) throws Exception {
        ByteBufferOutputStream into = new ByteBufferOutputStream(1024);
        try (var out = compression(codec).wrapForOutput(into, MAGIC)) {
            out.write(plain);
        }
        ByteBuffer buffer = into.buffer();
        buffer.flip();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }

    static byte[] decompress(String codec, byte[] packed) throws Exception {
        try (InputStream in = compression(codec).wrapForInput(ByteBuffer.wrap(packed), MAGIC, BufferSupplier.NO_CACHING)) {
            return in.readAllBytes();
        }
    }

    /** The records of every batch file, on both sides. */
    static List<SimpleRecord> batchRecords() {
        List<SimpleRecord> records = new ArrayList<>();
        for (int i = 0; i < RECORDS; i++) {
            byte[] key = i % 3 == 0 ? null : payload("records", i);
            byte[] value = i % 7 == 0 ? null : payload("records", i * i);
            Header[] headers = new Header[i % 4];
            for (int h = 0; h < headers.length; h++) {
                headers[h] = new RecordHeader("h" + h, h == 2 ? null : payload("records", h + i));
            }
            records.add(new SimpleRecord(1700000000000L + i * 37 % 100 * 1000L, key, value, headers));
        }
        return records;
    }

    static byte[] batch(String codec) {
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        try (MemoryRecordsBuilder builder = MemoryRecords.builder(buffer, MAGIC, compression(codec), TimestampType.CREATE_TIME,
                500L, RecordBatch.NO_TIMESTAMP, 4000L, (short) 3, 70, true, 9)) {
            for (SimpleRecord record : batchRecords()) builder.append(record);
            ByteBuffer built = builder.build().buffer();
            byte[] bytes = new byte[built.remaining()];
            built.get(bytes);
            return bytes;
        }
    }

    static void write(Path dir) throws Exception {
        for (String codec : CODECS) {
            for (int length : new int[] {0, 1, 100, 70_000}) {
                Files.write(dir.resolve("java-" + codec + "-records-" + length + ".bin"), compress(codec, payload("records", length)));
            }
            Files.write(dir.resolve("java-" + codec + "-period3-1000000.bin"), compress(codec, payload("period3", 1_000_000)));
            Files.write(dir.resolve("java-" + codec + "-random-1000.bin"), compress(codec, payload("random", 1_000)));
        }
        for (String codec : new String[] {"none", "gzip", "snappy", "lz4", "zstd"}) {
            Files.write(dir.resolve("java-batch-" + codec + ".bin"), batch(codec));
        }
    }

    static String checkBatch(byte[] bytes, String codec) {
        MemoryRecords read = MemoryRecords.readableRecords(ByteBuffer.wrap(bytes));
        RecordBatch batch = read.firstBatch();
        batch.ensureValid();
        String header = batch.baseOffset() + " " + batch.lastOffset() + " " + batch.producerId() + " " + batch.producerEpoch() + " "
            + batch.baseSequence() + " " + batch.isTransactional() + " " + batch.isControlBatch() + " " + batch.partitionLeaderEpoch()
            + " " + batch.compressionType().name + " " + batch.maxTimestamp();
        List<SimpleRecord> expected = batchRecords();
        long latest = expected.stream().mapToLong(SimpleRecord::timestamp).max().getAsLong();
        if (!header.equals("500 " + (500 + RECORDS - 1) + " 4000 3 70 true false 9 " + codec + " " + latest)) return header;
        int index = 0;
        for (Record record : batch) {
            SimpleRecord want = expected.get(index);
            if (record.offset() != 500 + index || !new SimpleRecord(record).equals(want)) return "record " + index;
            index += 1;
        }
        return index == expected.size() ? null : index + " records";
    }

    static String check(Path file) throws Exception {
        String[] parts = file.getFileName().toString().replace(".bin", "").split("-");
        byte[] bytes = Files.readAllBytes(file);
        try {
            if (parts[0].equals("batch")) return checkBatch(bytes, parts[1]);
            byte[] plain = decompress(parts[0], bytes);
            return Arrays.equals(plain, payload(parts[1], Integer.parseInt(parts[2]))) ? null : "other bytes";
        } catch (Exception error) {
            return error.toString();
        }
    }

    static void read(Path dir) throws Exception {
        int wrong = 0;
        int checked = 0;
        try (Stream<Path> files = Files.list(dir)) {
            for (Path file : files.sorted().toList()) {
                String difference = check(file);
                checked += 1;
                if (difference == null) continue;
                wrong += 1;
                System.out.println(file.getFileName() + ": " + difference);
            }
        }
        System.out.println(checked + " files, " + wrong + " wrong");
        if (wrong > 0 || checked == 0) System.exit(1);
    }

    public static void main(String[] arguments) throws Exception {
        Path dir = Path.of(arguments[1]);
        if (arguments[0].equals("write")) write(dir);
        else read(dir);
    }
}
