package redoubt;

import java.io.File;
import java.io.IOException;
import java.lang.reflect.Field;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Runs a Lambda handler written in Java: loads it, asks the Runtime API for
 * events and posts answers. */
public final class Main {
    private static final String BASE = "/2018-06-01/runtime/";
    private static final int MAX_CAUSES = 10;

    private Main() {}

    public static void main(String[] args) throws Exception {
        Channel channel = new Channel(System.getenv().getOrDefault("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"));
        if (System.getenv("_REDOUBT_STEM") != null) attach(channel);
        Handler handler;
        try {
            ClassLoader loader = code();
            Thread.currentThread().setContextClassLoader(loader);
            handler = Handler.load(String.valueOf(System.getenv("_HANDLER")), loader);
        } catch (Throwable e) {
            initFailed(channel, e);
            return;
        }
        serve(channel, handler);
    }

    private static void serve(Channel channel, Handler handler) throws IOException {
        byte[] next = channel.get(BASE + "invocation/next");
        channel.send(next);
        while (true) {
            Channel.Response event = channel.receive();
            if (event.status() != 200) throw new IOException("the Runtime API refused the next event: " + event.status() + " " + event.text());
            String id = event.header("lambda-runtime-aws-request-id");
            String trace = event.header("lambda-runtime-trace-id");
            if (trace != null) System.setProperty("com.amazonaws.xray.traceHeader", trace);
            else System.clearProperty("com.amazonaws.xray.traceHeader");
            byte[] head;
            byte[] body;
            boolean fatal = false;
            try {
                body = handler.run(event.body(), new Call(event));
                head = channel.head(BASE + "invocation/" + id + "/response", "", body.length);
            } catch (Throwable e) {
                body = report(e);
                head = channel.head(BASE + "invocation/" + id + "/error", type(e.getClass().getName()), body.length);
                fatal = e instanceof VirtualMachineError;
            }
            System.out.flush();
            System.err.flush();
            if (fatal) {
                channel.send(head, body);
                channel.receive();
                System.exit(1);
            }
            // The answer and the question for the next event go out together.
            channel.send(head, body, next);
            Channel.Response said = channel.receive();
            if (said.status() != 202) System.out.println("the Runtime API refused the answer: " + said.text());
        }
    }

    private static void initFailed(Channel channel, Throwable e) throws IOException {
        Throwable cause = e instanceof Handler.Unusable && e.getCause() != null ? e.getCause() : e;
        String kind = e instanceof Handler.Unusable u ? u.kind : e.getClass().getName();
        Map<String, Object> doc = describe(cause, 0);
        doc.put("errorMessage", e.getMessage());
        doc.put("errorType", kind);
        System.out.println(e.getMessage() + ": " + kind);
        byte[] body = Bean.write(doc).getBytes(StandardCharsets.UTF_8);
        channel.send(channel.head(BASE + "init/error", type(kind), body.length), body);
        channel.receive();
        System.exit(1);
    }

    private static String type(String name) {
        return "Lambda-Runtime-Function-Error-Type: " + name.replaceAll("[^ -~]", "?") + "\r\n";
    }

    private static byte[] report(Throwable e) {
        StringBuilder text = new StringBuilder().append(e.getMessage()).append(": ").append(e.getClass().getName());
        for (StackTraceElement frame : frames(e)) text.append("\n\tat ").append(frame);
        System.out.println(text);
        return Bean.write(describe(e, 0)).getBytes(StandardCharsets.UTF_8);
    }

    private static Map<String, Object> describe(Throwable e, int depth) {
        Map<String, Object> doc = new LinkedHashMap<>();
        doc.put("errorMessage", e.getMessage());
        doc.put("errorType", e.getClass().getName());
        doc.put("stackTrace", frames(e).stream().map(StackTraceElement::toString).toList());
        if (e.getCause() != null && depth < MAX_CAUSES) doc.put("cause", describe(e.getCause(), depth + 1));
        return doc;
    }

    /** The frames of the user's code: those below reflection are ours. */
    private static List<StackTraceElement> frames(Throwable e) {
        StackTraceElement[] all = e.getStackTrace();
        int end = all.length;
        for (int i = 0; i < all.length && end == all.length; i++) {
            String c = all[i].getClassName();
            if (c.startsWith("redoubt.") || c.startsWith("jdk.internal.reflect.")) end = i;
        }
        return Arrays.asList(all).subList(0, end == 0 ? all.length : end);
    }

    /** Classes and jars of the bundle, then of layers. */
    private static ClassLoader code() throws IOException {
        String root = System.getenv().getOrDefault("LAMBDA_TASK_ROOT", "/var/task");
        List<URL> path = new ArrayList<>();
        path.add(new File(root + "/").toURI().toURL());
        for (String dir : new String[] {root + "/lib", root, System.getenv().getOrDefault("_REDOUBT_OPT", "/opt") + "/java/lib"}) {
            path.addAll(jars(dir));
        }
        return new URLClassLoader(path.toArray(new URL[0]), Main.class.getClassLoader());
    }

    static List<URL> jars(String dir) throws IOException {
        List<URL> found = new ArrayList<>();
        File[] jars = new File(dir).listFiles((d, name) -> name.endsWith(".jar"));
        if (jars == null) return found;
        Arrays.sort(jars);
        for (File jar : jars) found.add(jar.toURI().toURL());
        return found;
    }

    /** A pre-started runtime warms up, then waits until it is told whose it is. */
    private static void attach(Channel channel) throws Exception {
        Warm.up();
        channel.send(channel.get("/2018-06-01/redoubt/attach"));
        Channel.Response got = channel.receive();
        if (got.status() != 200) throw new IOException("no code was attached: " + got.status());
        Map<?, ?> doc = (Map<?, ?>) Json.parse(got.text());
        Map<String, String> env = environment();
        env.remove("_REDOUBT_STEM");
        for (Map.Entry<?, ?> e : ((Map<?, ?>) doc.get("env")).entrySet()) env.put((String) e.getKey(), (String) e.getValue());
        env.put("_HANDLER", (String) doc.get("handler"));
    }

    /** The map behind System.getenv, which has no other door. */
    @SuppressWarnings("unchecked")
    static Map<String, String> environment() throws ReflectiveOperationException {
        Field inner = Class.forName("java.util.Collections$UnmodifiableMap").getDeclaredField("m");
        inner.setAccessible(true);
        return (Map<String, String>) inner.get(System.getenv());
    }
}
