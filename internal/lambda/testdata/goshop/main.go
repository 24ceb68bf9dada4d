// Command goshop is a Lambda function as its author would write it: nothing in
// it knows of us.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type order struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// failing breaks off a streamed answer. The library streams only what cannot
// be written as JSON, which functions cannot.
type failing struct {
	io.Reader
	Never func()
}

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		return n, errors.New("broke off")
	}
	return n, err
}

func main() {
	switch os.Getenv("_HANDLER") {
	case "bean":
		lambda.Start(func(o order) (order, error) { o.Count++; return o, nil })
	case "about":
		lambda.Start(func(ctx context.Context) (map[string]any, error) {
			lc, _ := lambdacontext.FromContext(ctx)
			deadline, _ := ctx.Deadline()
			return map[string]any{"id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "tenant": lc.TenantID, "who": lc.Identity.CognitoIdentityID,
				"app": lc.ClientContext.Client.AppTitle, "name": lambdacontext.FunctionName, "memory": lambdacontext.MemoryLimitInMB, "deadline": deadline.UnixMilli(),
				"trace": os.Getenv("_X_AMZN_TRACE_ID")}, nil
		})
	case "fail":
		lambda.Start(func(s string) error { return fmt.Errorf("it is %s", s) })
	case "panic":
		lambda.Start(func(s string) error { panic("panicked " + s) })
	case "stream":
		lambda.Start(func(s string) (io.Reader, error) {
			if s == "broken" {
				return failing{Reader: strings.NewReader("some")}, nil
			}
			return &events.APIGatewayProxyStreamingResponse{StatusCode: 201, Body: strings.NewReader("hello " + s)}, nil
		})
	case "sigterm":
		lambda.StartWithOptions(func() (string, error) { return "served", nil }, lambda.WithEnableSIGTERM(func() { fmt.Println("terminated in order") }))
	}
}
