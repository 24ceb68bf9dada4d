// Package function is the vocabulary of serverless functions: what a person
// deploys (Spec), what stands in the record (Function, Version, Alias), what
// each call left behind (Invocation), and the readers that turn other people's
// files (AWS SAM, serverless.yml, OpenFaaS stack.yml) into Specs. The Registry
// keeps the rules of its life: versions never change, an alias always points
// somewhere, what is disabled is kept. It runs nothing: package runner does.
package function
