// Package route knows which request goes where: host, method and path
// template to a stage's target, and what is to be kept on the way (limits,
// quotas, cross-origin rules, the firewall's settings, an operation's schema).
//
// It decides and sends nothing: package gateway serves, package access says
// who may, package waf says what a request may hold.
//
// # One path, one meaning
//
// Authorization, routing, firewall and function must read the same path, so a
// path has one accepted spelling (see Path):
//
//   - percent escapes are undone once; unreserved characters may be written
//     either way and mean the same, everything else is compared as undone;
//   - refused with 400: an escape that is not %XX, an escaped slash, backslash
//     or NUL (%2F, %5C, %00), a raw backslash, control characters, bytes that
//     are not UTF-8, "." and ".." segments however they are written, an
//     empty segment inside the path ("//"), a segment that still holds
//     an escape after one round (double encoding: "%252e"), and ";" before
//     parameters in a segment ("/a;x/b"), which some servers cut off;
//   - a slash at the end is not another path: "/a/" is "/a";
//   - upper and lower case differ in paths, and not in host names;
//   - a host is compared without its port and without a dot at its end.
//
// What is refused is never rewritten, so no two readers can disagree on it.
//
// # Which route wins
//
// Stage first, then host: the exact name, then the longest wildcard
// ("*.example.com" stands for one or more labels), then any. Within a host the
// path is walked segment by segment: a literal wins over a parameter, a
// parameter over a rest; where the better branch leads to no route, the next
// one is tried. A host's table that has no route for a path passes it to the
// less specific host. Last the method: the exact one, HEAD served by GET, then
// any. A path that is known with other methods answers 405 and names them; it
// does not fall through to a less specific path. Two routes that could not be
// told apart are a conflict, refused when the table is compiled.
package route
