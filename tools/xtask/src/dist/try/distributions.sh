# Part of try.sh: packages of Linux distributions, in roots of their own.

step "a .deb, which apt can install here, and dpkg installs"
deb=$dir/one/ko_${version}_amd64.deb
(cd / && apt-get --simulate -qq install "$deb" >"$dir/log") || fail "$(cat "$dir/log")"
mkdir -p "$dir/debian/var/lib/dpkg"
touch "$dir/debian/var/lib/dpkg/status"
# The root has no C library for dpkg to find.
dpkg --root="$dir/debian" --force-depends --force-not-root --log="$dir/log" -i "$deb" \
  >/dev/null 2>"$dir/error" || fail "$(cat "$dir/error")"
said "$version" "$("$dir/debian/usr/bin/ko" version)"
dpkg --root="$dir/debian" --verify ko || fail "dpkg finds other files than it installed"
[ -s "$dir/debian/usr/share/doc/ko/THIRD-PARTY-NOTICES.txt" ] || fail "no notices"
man -l "$dir/debian/usr/share/man/man1/ko-build.1.gz" >/dev/null 2>&1 ||
  mandoc "$dir/debian/usr/share/man/man1/ko-build.1.gz" >/dev/null || fail "no manual page"
if command -v lintian >/dev/null; then
  # Nobody is the maintainer of what is packed here.
  nobody=bogus-mail-host,bogus-mail-host-in-debian-changelog
  lintian --allow-root --fail-on error --suppress-tags "$nobody" "$deb" >"$dir/log" 2>&1 ||
    fail "$(cat "$dir/log")"
fi

step "an .rpm, which rpm installs"
if command -v rpm >/dev/null; then
  rpm=$dir/one/ko-$version-1.x86_64.rpm
  mkdir "$dir/fedora"
  rpm --root "$dir/fedora" --nodeps --install "$rpm"
  said "$version" "$("$dir/fedora/usr/bin/ko" version)"
  rpm --root "$dir/fedora" --nodeps --verify ko
  rpm --query --requires --package "$rpm" | grep -q '^libc.so.6(GLIBC_2' || fail "no C library"
fi

step "an .apk, whose sums hold"
python3 - "$dir/one/ko-$version-r0.aarch64.apk" "$version" <<'PYTHON'
"""Reads a package as apk does: a stream of gzip with what it is, and one with its files."""
import hashlib, io, sys, tarfile, zlib

data = open(sys.argv[1], "rb").read()
streams = []
while data:
    stream = zlib.decompressobj(wbits=31)
    text = stream.decompress(data) + stream.flush()
    streams.append((data[: len(data) - len(stream.unused_data)], text))
    data = stream.unused_data
assert len(streams) == 2, len(streams)
with tarfile.open(fileobj=io.BytesIO(streams[0][1])) as control:
    lines = control.extractfile(".PKGINFO").read().decode().splitlines()
about = dict(line.split(" = ", 1) for line in lines if " = " in line)
assert (about["pkgname"], about["pkgver"]) == ("ko", f"{sys.argv[2]}-r0"), about
assert about["datahash"] == hashlib.sha256(streams[1][0]).hexdigest(), "another datahash"
with tarfile.open(fileobj=io.BytesIO(streams[1][1])) as files:
    for file in files:
        if file.isfile():
            sum = hashlib.sha1(files.extractfile(file).read()).hexdigest()
            assert file.pax_headers["APK-TOOLS.checksum.SHA1"] == sum, file.name
    assert files.getmember("usr/bin/ko").mode == 0o755
PYTHON
