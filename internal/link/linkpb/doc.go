// Package linkpb is generated from link.proto, the wire between a defender and
// its console; package link alone uses it.
//
// Generating needs protoc, which is Debian's protobuf-compiler; the two plugins
// are tools of go.mod.
package linkpb

//go:generate sh -c "protoc -I. --plugin=protoc-gen-go=$(go tool -n protoc-gen-go) --plugin=protoc-gen-connect-go=$(go tool -n protoc-gen-connect-go) --go_out=. --go_opt=paths=source_relative --connect-go_out=. --connect-go_opt=paths=source_relative,simple,package_suffix link.proto"
