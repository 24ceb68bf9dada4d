"""Runs a Lambda handler written in Python: loads module.function, asks the
Runtime API for events and posts answers. Start-up is kept short, since every
cold start pays for it: few imports, one socket, no HTTP library."""
import json
import os
import socket
import sys
import time

API = os.environ.get("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")


class Channel:
    """One connection to the Runtime API, opened again where it was lost."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.address = (host.strip("[]"), int(port))
        self.sock = None
        self.left = b""

    def send(self, data):
        if self.sock is None:
            self.sock = socket.create_connection(self.address)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.left = b""
        self.sock.sendall(data)

    def receive(self):
        """Reads one response: status, headers in lower case, body."""
        data = self.left
        while True:
            end = data.find(b"\r\n\r\n")
            if end >= 0:
                break
            part = self.sock.recv(65536)
            if not part:
                raise ConnectionError("the Runtime API closed the connection")
            data += part
        lines = data[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body, length = data[end + 4:], int(headers.get("content-length", 0))
        if len(body) < length:
            parts, have = [body], len(body)
            while have < length:
                part = self.sock.recv(min(1 << 20, length - have))
                if not part:
                    raise ConnectionError("the Runtime API closed the connection")
                parts.append(part)
                have += len(part)
            body = b"".join(parts)
        self.left = body[length:]
        return int(lines[0].split(" ", 2)[1]), headers, body[:length]


def get(path):
    return ("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (path, API)).encode()


def post(path, body, headers=""):
    return ("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n"
            % (path, API, headers, len(body))).encode() + body


NEXT = get("/2018-06-01/runtime/invocation/next")


class Identity:
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, given):
        self.cognito_identity_id = given.get("cognitoIdentityId")
        self.cognito_identity_pool_id = given.get("cognitoIdentityPoolId")


class Client:
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")

    def __init__(self, given):
        for name in self.__slots__:
            setattr(self, name, given.get(name))


class ClientContext:
    __slots__ = ("client", "custom", "env")

    def __init__(self, given):
        self.client = Client(given["client"]) if isinstance(given.get("client"), dict) else None
        self.custom = given.get("custom")
        self.env = given.get("env")


class LambdaContext:
    """What a handler gets as its second argument."""

    def __init__(self, headers):
        env = os.environ.get
        self.aws_request_id = headers.get("lambda-runtime-aws-request-id", "")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn", "")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        self.function_name = env("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = env("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = env("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = env("AWS_LAMBDA_LOG_STREAM_NAME")
        given = headers.get("lambda-runtime-client-context")
        self.client_context = ClientContext(json.loads(given)) if given else None
        given = headers.get("lambda-runtime-cognito-identity")
        self.identity = Identity(json.loads(given) if given else {})
        self._deadline = int(headers.get("lambda-runtime-deadline-ms", 0))

    def get_remaining_time_in_millis(self):
        return max(self._deadline - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        fields = ("aws_request_id", "log_group_name", "log_stream_name", "function_name", "memory_limit_in_mb",
                  "function_version", "invoked_function_arn", "client_context", "identity", "tenant_id")
        return "LambdaContext([%s])" % ",".join("%s=%s" % (f, getattr(self, f)) for f in fields)


class Fault(Exception):
    """A handler that cannot be used, in the contract's words."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


request_id = ""


def set_up_logging():
    """The root logger writes lines that carry the request id, as on Lambda.
    The import is put off until the handler has asked for it: it costs as much
    as the rest of this file."""
    logging = sys.modules.get("logging")
    if logging is None or getattr(set_up_logging, "done", False):
        return
    set_up_logging.done = True

    class Handler(logging.Handler):
        def emit(self, record):
            try:
                sys.stdout.write(self.format(record))
                sys.stdout.flush()
            except Exception:
                self.handleError(record)

    class Filter(logging.Filter):
        def filter(self, record):
            record.aws_request_id = request_id
            return True

    formatter = logging.Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = Handler()
    handler.setFormatter(formatter)
    handler.addFilter(Filter())
    logging.root.addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    if level in ("DEBUG", "INFO", "WARN", "ERROR", "FATAL"):
        logging.root.setLevel(level)


class LoggingHook:
    """Sets the root logger up as soon as code imports logging, so that what a
    module configures on top of it while it is loaded works as on Lambda."""

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        import importlib.util
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            set_up_logging()

        spec.loader.exec_module = exec_module
        return spec


def search_path():
    """The path modules are found on: the code, then layers, then Python."""
    root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    version = "python%d.%d" % sys.version_info[:2]
    opt = os.environ.get("_REDOUBT_OPT", "/opt")
    layers = [opt + "/python/lib/" + version + "/site-packages", opt + "/python"]
    extra = [p for p in os.environ.get("PYTHONPATH", "").split(":") if p]
    here = os.path.dirname(os.path.abspath(__file__))
    rest = [p for p in sys.path if p not in (here, root, "") and p not in layers and p not in extra]
    sys.path[:] = [root] + extra + layers + rest


def load(name):
    """Returns the function that "dir/module.function" names."""
    module, dot, function = name.rpartition(".")
    if not dot or not module or not function:
        raise Fault("Runtime.MalformedHandlerName", "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % name)
    module = module.replace("/", ".")
    from importlib import import_module
    try:
        loaded = import_module(module)
    except ImportError as e:
        raise Fault("Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module, e)) from e
    except SyntaxError as e:
        raise Fault("Runtime.UserCodeSyntaxError", "Syntax error in module '%s': %s" % (module, e)) from e
    try:
        return getattr(loaded, function)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (function, module)) from None


def describe(error, kind=None):
    """An exception as the contract's document; frames of this file are left
    out."""
    import traceback
    frames = traceback.extract_tb(error.__traceback__)
    while frames and (frames[0].filename == __file__ or "importlib" in frames[0].filename):
        frames = frames[1:]
    doc = {"errorMessage": str(error), "errorType": kind or type(error).__name__, "requestId": request_id,
           "stackTrace": traceback.format_list(frames)}
    if isinstance(error, SyntaxError):
        doc["stackTrace"] = ["  File \"%s\" Line %s\n    %s" % (error.filename, error.lineno, (error.text or "").strip())]
    sys.stdout.flush()
    print("[ERROR] %s: %s%s%s" % (doc["errorType"], doc["errorMessage"], "\nTraceback (most recent call last):\n" if doc["stackTrace"] else "",
                                  "".join(doc["stackTrace"])), flush=True)
    return doc


def encode(value):
    if isinstance(value, bytes):
        value = value.decode()
    return json.dumps(value, ensure_ascii=False, default=plain).encode("utf-8", "surrogatepass")


def plain(value):
    """What json does not know: a Decimal, as boto3 gives them, becomes a number."""
    if type(value).__name__ == "Decimal":
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


def serve(channel, handler):
    global request_id
    channel.send(NEXT)
    base = "/2018-06-01/runtime/invocation/"
    while True:
        status, headers, body = channel.receive()
        if status != 200:
            raise SystemExit("the Runtime API refused the next event: %d %s" % (status, body.decode("utf-8", "replace")))
        request_id = headers["lambda-runtime-aws-request-id"]
        trace = headers.get("lambda-runtime-trace-id")
        if trace:
            os.environ["_X_AMZN_TRACE_ID"] = trace
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        set_up_logging()
        try:
            event = json.loads(body)
        except ValueError as e:
            answer = failure(base, describe(Fault("", "Unable to parse input as json: %s" % e), "Runtime.UnmarshalError"))
        else:
            answer = invoke(base, handler, event, headers)
        sys.stdout.flush()
        # The answer and the question for the next event go out together.
        channel.send(answer + NEXT)
        status, _, body = channel.receive()
        if status != 202:
            print("[ERROR] the Runtime API refused the answer: %s" % body.decode("utf-8", "replace"), flush=True)


def invoke(base, handler, event, headers):
    try:
        result = handler(event, LambdaContext(headers))
    except Exception as e:
        return failure(base, describe(e))
    try:
        return post(base + request_id + "/response", encode(result))
    except Exception as e:
        return failure(base, describe(Fault("", "Unable to marshal response: %s" % e), "Runtime.MarshalError"))


def failure(base, doc):
    return post(base + request_id + "/error", json.dumps(doc).encode(),
                "Lambda-Runtime-Function-Error-Type: %s\r\n" % doc["errorType"])


def attach(channel):
    """A pre-started runtime waits here until it is told whose it is."""
    channel.send(get("/2018-06-01/redoubt/attach"))
    status, _, body = channel.receive()
    if status != 200:
        raise SystemExit("no code was attached: %d" % status)
    doc = json.loads(body)
    os.environ.pop("_REDOUBT_STEM", None)
    os.environ.update(doc["env"])
    os.environ["_HANDLER"] = doc["handler"]
    os.chdir(os.environ["LAMBDA_TASK_ROOT"])  # the code was not there when this started
    if "TZ" in doc["env"]:
        time.tzset()


def main():
    sys.stdout.reconfigure(line_buffering=True)
    channel = Channel(API)
    if os.environ.get("_REDOUBT_STEM"):
        import importlib.util  # what loading a handler needs, before anybody waits
        json.loads(json.dumps({"warm": 1}))
        attach(channel)
    search_path()
    sys.meta_path.insert(0, LoggingHook())
    try:
        handler = load(os.environ["_HANDLER"])
    except BaseException as e:
        kind = e.kind if isinstance(e, Fault) else "Runtime.ExitError" if isinstance(e, SystemExit) else None
        cause = e.__cause__ if isinstance(e, Fault) and e.__cause__ is not None else e
        doc = describe(cause, kind)
        doc["errorMessage"] = str(e)
        channel.send(post("/2018-06-01/runtime/init/error", json.dumps(doc).encode(),
                          "Lambda-Runtime-Function-Error-Type: %s\r\n" % doc["errorType"]))
        channel.receive()
        sys.exit(1)
    serve(channel, handler)


if __name__ == "__main__":
    main()
