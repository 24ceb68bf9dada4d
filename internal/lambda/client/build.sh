#!/bin/sh
# Rebuilds the compiled runtime clients from their sources and notes what they
# were made of. The same sources and compilers give the same files; a test
# compares the note with the sources. Needs javac 17 or later, mcs (mono-mcs)
# and python3.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Concatenation at run time costs a first invocation 15 ms; inline it is free.
javac --release 17 -XDstringConcat=inline -g:source,lines -Xlint:all -d "$work/java" $(find java -name '*.java' | LC_ALL=C sort)
# A jar is a zip: written here with fixed times and order, since jar's own
# options for that came later than Java 17.
python3 - "$work/java" java/runtime.jar <<'PY'
import os, sys, zipfile
root, out = sys.argv[1:]
names = sorted(os.path.relpath(os.path.join(d, f), root) for d, _, fs in os.walk(root) for f in fs)
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as jar:
    for name, data in [("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\r\n\r\n")] + [(n, open(os.path.join(root, n), "rb").read()) for n in names]:
        info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
        jar.writestr(info, data)
PY

# mcs stamps a time and a random id into what it writes; both are set to zero.
mcs -nologo -optimize+ -warn:4 -out:"$work/runtime.exe" $(find dotnet -name '*.cs' | LC_ALL=C sort)
python3 - "$work/runtime.exe" dotnet/runtime.exe <<'PY'
import struct, sys
data = bytearray(open(sys.argv[1], "rb").read())
pe = struct.unpack_from("<I", data, 0x3c)[0]
struct.pack_into("<I", data, pe + 8, 0)
at = data.index(b"#GUID\0\0\0")
offset, size = struct.unpack_from("<II", data, at - 8)
root = data.index(b"BSJB")
data[root + offset:root + offset + size] = bytes([1] * size)
open(sys.argv[2], "wb").write(data)
PY

digest() { find "$1" -name "$2" | LC_ALL=C sort | xargs sha256sum; }
{ digest java '*.java'; digest dotnet '*.cs'; sha256sum java/runtime.jar dotnet/runtime.exe; } >SOURCES
