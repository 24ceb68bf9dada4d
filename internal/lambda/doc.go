// Package lambda speaks the AWS Lambda contract, so that code written for
// Lambda runs unchanged: the Runtime API (2018-06-01) and the Extensions API
// (2020-01-01) of one environment, the runtime clients that load a handler and
// talk to that API, and the variables code finds in its environment. It starts
// no process and isolates nothing: whoever runs the code hands it a listener
// only that code can reach. What of the contract is kept, differs or is left
// out stands in docs/LAMBDA.md; event shapes are in lambda/event.
package lambda
