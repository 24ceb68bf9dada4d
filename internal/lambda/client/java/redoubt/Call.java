package redoubt;

import com.amazonaws.services.lambda.runtime.Client;
import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.CognitoIdentity;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;
import java.util.Map;

/** The context of one invocation. */
final class Call implements Context {
    private static final LambdaLogger LOGGER = com.amazonaws.services.lambda.runtime.LambdaRuntime.getLogger();
    private final Channel.Response next;
    private final long deadline;

    Call(Channel.Response next) {
        this.next = next;
        this.deadline = Long.parseLong(next.headers().getOrDefault("lambda-runtime-deadline-ms", "0"));
    }

    private static String env(String name) {
        return System.getenv(name);
    }

    @Override
    public String getAwsRequestId() {
        return next.header("lambda-runtime-aws-request-id");
    }

    @Override
    public String getLogGroupName() {
        return env("AWS_LAMBDA_LOG_GROUP_NAME");
    }

    @Override
    public String getLogStreamName() {
        return env("AWS_LAMBDA_LOG_STREAM_NAME");
    }

    @Override
    public String getFunctionName() {
        return env("AWS_LAMBDA_FUNCTION_NAME");
    }

    @Override
    public String getFunctionVersion() {
        return env("AWS_LAMBDA_FUNCTION_VERSION");
    }

    @Override
    public String getInvokedFunctionArn() {
        return next.header("lambda-runtime-invoked-function-arn");
    }

    @Override
    public int getRemainingTimeInMillis() {
        return (int) Math.max(0, deadline - System.currentTimeMillis());
    }

    @Override
    public int getMemoryLimitInMB() {
        String size = env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
        return size == null ? 0 : Integer.parseInt(size);
    }

    @Override
    public LambdaLogger getLogger() {
        return LOGGER;
    }

    @Override
    public String getTenantId() {
        return next.header("lambda-runtime-aws-tenant-id");
    }

    @Override
    public String getXrayTraceId() {
        return next.header("lambda-runtime-trace-id");
    }

    private Map<?, ?> json(String header) {
        String text = next.header(header);
        return text != null && Json.parse(text) instanceof Map<?, ?> m ? m : null;
    }

    private static String string(Map<?, ?> m, String key) {
        return m.get(key) instanceof String s ? s : null;
    }

    @Override
    public CognitoIdentity getIdentity() {
        Map<?, ?> m = json("lambda-runtime-cognito-identity");
        Map<?, ?> given = m == null ? Map.of() : m;
        return new CognitoIdentity() {
            @Override
            public String getIdentityId() {
                return string(given, "cognitoIdentityId");
            }

            @Override
            public String getIdentityPoolId() {
                return string(given, "cognitoIdentityPoolId");
            }
        };
    }

    @Override
    public ClientContext getClientContext() {
        Map<?, ?> given = json("lambda-runtime-client-context");
        return given == null ? null : new Caller(given);
    }

    /** What the calling application says of itself. */
    private record Caller(Map<?, ?> given) implements ClientContext, Client {
        private String client(String key) {
            return given.get("client") instanceof Map<?, ?> m ? string(m, key) : null;
        }

        @SuppressWarnings("unchecked")
        private Map<String, String> strings(String key) {
            return given.get(key) instanceof Map<?, ?> m ? (Map<String, String>) m : null;
        }

        @Override
        public Client getClient() {
            return given.get("client") == null ? null : this;
        }

        @Override
        public Map<String, String> getCustom() {
            return strings("custom");
        }

        @Override
        public Map<String, String> getEnvironment() {
            return strings("env");
        }

        @Override
        public String getInstallationId() {
            return client("installation_id");
        }

        @Override
        public String getAppTitle() {
            return client("app_title");
        }

        @Override
        public String getAppVersionName() {
            return client("app_version_name");
        }

        @Override
        public String getAppVersionCode() {
            return client("app_version_code");
        }

        @Override
        public String getAppPackageName() {
            return client("app_package_name");
        }
    }
}
