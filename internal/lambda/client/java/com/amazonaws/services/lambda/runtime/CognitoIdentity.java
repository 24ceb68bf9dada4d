package com.amazonaws.services.lambda.runtime;

/** Who calls, where Cognito knows. */
public interface CognitoIdentity {
    String getIdentityId();

    String getIdentityPoolId();
}
