package com.amazonaws.services.lambda.runtime;

/** Gives the logger to code that has no context at hand. */
public final class LambdaRuntime {
    private static volatile LambdaLogger logger = new redoubt.Log();

    private LambdaRuntime() {}

    public static LambdaLogger getLogger() {
        return logger;
    }
}
