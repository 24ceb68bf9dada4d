package redoubt;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.nio.charset.StandardCharsets;
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
    }
}
