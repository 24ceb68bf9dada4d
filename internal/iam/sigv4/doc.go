// Package sigv4 checks requests signed with AWS Signature Version 4, as every
// AWS SDK sends them: in the Authorization header or in the query of a
// presigned address, with the body hashed, unsigned, or in signed chunks. It
// checks that who sent the request holds the secret, that nothing signed was
// changed and that it is not late; it knows neither where secrets are kept nor
// what their owner may do.
//
// The rules, each with its test:
//
//   - host, the date and every X-Amz-* header that is there must be signed;
//   - a request is good for five minutes around its date; a presigned address
//     from five minutes before its date until the end it was signed for, which
//     is at most Config.Longest after it;
//   - a signature comes once: in the header or in the query, not both or twice;
//   - a body of unsigned bytes is taken for the service s3 only;
//   - with Want.Once the same signature does not work twice. What was signed
//     before this process started is refused then, since it may have been used.
package sigv4
