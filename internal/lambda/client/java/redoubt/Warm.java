package redoubt;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.security.CodeSource;
import java.security.cert.Certificate;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Runs through what a first invocation needs, so that its classes are loaded
 * and its methods compiled before anybody waits. */
final class Warm {
    private Warm() {}

    /** A bean of the usual shape. */
    public static final class Sample {
        private String name;
        private List<Integer> sizes;

        public String getName() {
            return name;
        }

        public void setName(String name) {
            this.name = name;
        }

        public List<Integer> getSizes() {
            return sizes;
        }

        public void setSizes(List<Integer> sizes) {
            this.sizes = sizes;
        }
    }

    /** A handler of the usual shape. */
    public static final class Echo implements RequestHandler<Sample, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Sample in, Context context) {
            return Map.of("name", in.getName(), "sizes", in.getSizes(), "id", context.getAwsRequestId(), "left", context.getRemainingTimeInMillis());
        }
    }

    static void up() throws Exception {
        Main.environment();
        Handler handler = Handler.load(Echo.class.getName(), Warm.class.getClassLoader());
        byte[] event = "{\"name\":\"warm\\u0021\",\"sizes\":[1,2,3],\"other\":{\"a\":[1.5,true,null]}}".getBytes(StandardCharsets.UTF_8);
        Map<String, String> headers = new HashMap<>(Map.of("lambda-runtime-aws-request-id", "warm", "lambda-runtime-deadline-ms", "0"));
        Call call = new Call(new Channel.Response(200, headers, event));
        for (int i = 0; i < 300; i++) {
            try {
                handler.run(event, call);
            } catch (Throwable e) {
                throw new IllegalStateException("warm up", e);
            }
            Bean.write(Bean.read(Json.parse(new String(event, StandardCharsets.UTF_8)), Sample.class));
        }
        call.getLogger();
        try (Loader loader = new Loader()) {
            loader.walk();
        }
    }

    /** Goes through the motions of loading classes from a directory. */
    private static final class Loader extends URLClassLoader {
        private final URL jar = Warm.class.getProtectionDomain().getCodeSource().getLocation();

        Loader() throws IOException {
            super(new URL[0], Warm.class.getClassLoader());
            File file = new File(jar.getPath());
            addURL(new File(file.getParent() + "/").toURI().toURL());
            addURL(jar);
            Main.jars(file.getParent());
        }

        void walk() throws IOException {
            for (String name : new String[] {"runtime.jar", "META-INF/MANIFEST.MF", "absent/Nothing.class"}) {
                try (InputStream in = getResourceAsStream(name)) {
                    if (in != null) in.read();
                }
            }
            for (URL url : getURLs()) getPermissions(new CodeSource(url, (Certificate[]) null));
        }
    }
}
