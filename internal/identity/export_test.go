package identity

import "golang.org/x/crypto/argon2"

// WeakHash is a hash as an earlier version with lesser parameters made it.
func WeakHash(password string) string {
	salt := []byte("0123456789abcdef")
	return phc(1024, 1, 1, salt, argon2.IDKey([]byte(password), salt, 1, 1024, 1, argonKey))
}
