package redoubt;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import java.io.PrintStream;

/** Writes log lines to standard output, each ended. */
public final class Log implements LambdaLogger {
    @Override
    public void log(String message) {
        PrintStream out = System.out;
        synchronized (out) {
            out.print(message);
            if (message == null || !message.endsWith("\n")) out.print('\n');
            out.flush();
        }
    }

    @Override
    public void log(byte[] message) {
        log(message == null ? null : new String(message, java.nio.charset.StandardCharsets.UTF_8));
    }
}
