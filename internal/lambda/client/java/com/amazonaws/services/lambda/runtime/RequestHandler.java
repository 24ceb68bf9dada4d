package com.amazonaws.services.lambda.runtime;

/** A handler that takes and returns values: JSON becomes I, O becomes JSON. */
public interface RequestHandler<I, O> {
    O handleRequest(I input, Context context);
}
