package iam

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/chacha20poly1305"

	"redoubt.dev/redoubt/internal/fault"
)

// Sealer encrypts what must be kept but not be readable from a copy of the
// database: secrets of access keys and private keys of signers, and the
// session tokens given to clients. It is XChaCha20-Poly1305 with a random
// nonce under a key of 32 bytes in a file that only its owner may read. Who
// has that file and the database has the secrets: back them up apart.
type Sealer struct{ aead cipher.AEAD }

// OpenSealer reads the key file at path or makes one. A file that others may
// read is fault.Invalid.
func OpenSealer(path string) (*Sealer, error) {
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(path)
	}
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(key)
	return &Sealer{aead}, err
}

func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fault.New(fault.Invalid, "key file %s can be read by others: chmod 600 it, and replace the access keys", path)
	}
	if info.Size() != chacha20poly1305.KeySize {
		return nil, fault.New(fault.Invalid, "key file %s has %d bytes instead of %d: restore it; without it access keys must be made anew", path, info.Size(), chacha20poly1305.KeySize)
	}
	return os.ReadFile(path)
}

// makeKey writes a new key so that it is there whole or not at all.
func makeKey(path string) ([]byte, error) {
	key := make([]byte, chacha20poly1305.KeySize)
	rand.Read(key)
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(key)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
		return readKey(path) // somebody else was first
	} else if err != nil {
		return nil, err
	}
	return key, nil
}

// seal encrypts text for one purpose; it opens for that purpose only.
func (s *Sealer) seal(purpose string, text []byte) []byte {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(text)+s.aead.Overhead())
	rand.Read(nonce)
	return s.aead.Seal(nonce, nonce, text, []byte(purpose))
}

func (s *Sealer) open(purpose string, sealed []byte) ([]byte, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("sealed text is too short")
	}
	return s.aead.Open(nil, sealed[:n], sealed[n:], []byte(purpose))
}
