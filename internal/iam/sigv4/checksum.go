package sigv4

import (
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strings"
)

// nvme is the CRC-64 of the NVMe specification, which S3 calls CRC64NVME, in
// the bit-reversed form of package crc64.
const nvme = 0x9a6c9329ac4bc9b5

// checksum returns the hash a trailer of that name holds, nil where unknown.
// They guard against damage; against change the signature does.
func checksum(trailer string) hash.Hash {
	switch name, _ := strings.CutPrefix(trailer, "x-amz-checksum-"); name {
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "crc64nvme":
		return crc64.New(crc64.MakeTable(nvme))
	case "sha1":
		return sha1.New()
	case "sha256":
		return sha256.New()
	}
	return nil
}
