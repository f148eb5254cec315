#!/bin/sh
# Collects, under the directory given, what a Node binary needs to run in an image that has nothing else.
set -eu
root=$1
node=$(command -v node)

mkdir -p "$root/usr/local/bin" "$root/etc" "$root/var/lib/dpkg/status.d"
cp "$node" "$root/usr/local/bin/node"

# The C library and its loader, at the very paths where the binary looks for them.
libraries=$(ldd "$node" | grep -o '/[^ ]*')
for library in $libraries; do
  cp --parents --dereference "$library" "$root"
done

# What was copied, as Debian packages: scanners read it there, and their licences ask for the copyright files.
for library in $libraries; do
  dpkg-query --search "$(readlink -f "$library")" "$library" "/usr$library" 2>/dev/null || true
done | cut -d: -f1 | sort -u | while read -r package; do
  dpkg-query --status "$package" > "$root/var/lib/dpkg/status.d/$package"
  cp --parents "/usr/share/doc/$package/copyright" "$root" 2>/dev/null || true
done

# Names for the numeric user, and /etc/hosts before DNS.
echo 'broker:x:65532:65532:broker:/:/nonexistent' > "$root/etc/passwd"
echo 'broker:x:65532:' > "$root/etc/group"
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"

"$root/usr/local/bin/node" --version
