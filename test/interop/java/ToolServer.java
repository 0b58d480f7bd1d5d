import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's command-line tools one after the other in one JVM, because starting a JVM for each costs seconds.
 * A line in: class, standard input, arguments; a line out: exit status, standard output, standard error.
 * Fields are base64, separated by blanks; an empty one is "-".
 */
public final class ToolServer {
    /** Thrown where a tool ends its process. Some tools catch even this and end once more: the first end counts. */
    private static final class Exited extends Error {
        Exited() {
            super(null, null, false, false);
        }
    }

    /** How the running tool ended: its status and how much it had printed by then; null while it runs. */
    private record End(int status, int outSize, int errSize) {}

    private static final List<Runnable> hooks = new ArrayList<>();
    private static ByteArrayOutputStream out = new ByteArrayOutputStream();
    private static ByteArrayOutputStream err = new ByteArrayOutputStream();
    private static End end;

    public static void main(String[] args) throws Exception {
        PrintStream answers = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Exit.Procedure exit = (status, message) -> {
            if (end == null) end = new End(status, out.size(), err.size());
            throw new Exited();
        };
        Exit.setExitProcedure(exit);
        Exit.setHaltProcedure(exit);
        Exit.setShutdownHookAdder((name, hook) -> {
            if (name == null || !name.startsWith("consumer-")) hooks.add(hook);
        });
        answers.println("ready");
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] fields = line.split(" ");
            String[] toolArgs = new String[fields.length - 2];
            for (int i = 2; i < fields.length; i++) toolArgs[i - 2] = text(fields[i]);
            out = new ByteArrayOutputStream();
            err = new ByteArrayOutputStream();
            end = null;
            System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
            System.setIn(new ByteArrayInputStream(bytes(fields[1])));
            int status = runTool(text(fields[0]), toolArgs);
            End first = end == null ? new End(status, out.size(), err.size()) : end;
            answers.println(first.status + " " + field(out, first.outSize) + " " + field(err, first.errSize));
        }
    }

    private static int runTool(String name, String[] args) {
        int status = 0;
        try {
            Class.forName(name).getMethod("main", String[].class).invoke(null, (Object) args);
        } catch (InvocationTargetException e) {
            status = failure(e.getCause());
        } catch (ReflectiveOperationException e) {
            status = failure(e);
        }
        for (Runnable hook : hooks) {
            try {
                hook.run();
            } catch (Throwable e) {
                e.printStackTrace(System.err);
            }
        }
        hooks.clear();
        return status;
    }

    private static int failure(Throwable thrown) {
        if (thrown instanceof Exited) return 0; // `end` knows
        thrown.printStackTrace(System.err);
        return 1;
    }

    private static byte[] bytes(String field) {
        return field.equals("-") ? new byte[0] : Base64.getDecoder().decode(field);
    }

    private static String text(String field) {
        return new String(bytes(field), StandardCharsets.UTF_8);
    }

    private static String field(ByteArrayOutputStream bytes, int size) {
        return size == 0 ? "-" : Base64.getEncoder().encodeToString(Arrays.copyOf(bytes.toByteArray(), size));
    }
}
