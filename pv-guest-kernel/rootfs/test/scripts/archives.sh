# Archives and sums: what is packed comes back as it was.
cd "$TMP" && rm -rf archives && mkdir archives && cd archives || exit 1
sh "$DATA/../scripts/tree.sh" tree
cp "$DATA"/* tree/a
sums() { (cd "$1" && find . -type f | sort | while read -r name; do md5sum "$name"; done | md5sum); }
echo "== sums"
sums tree
sha256sum < "$DATA/rivers.csv"
sha1sum < "$DATA/letter.txt"
sha512sum < "$DATA/letter.txt" | cut -c1-40
seq 100000 | md5sum
echo "== tar"
tar cf tree.tar tree && tar tf tree.tar | sort | head -n 4
mkdir out && tar xf tree.tar -C out && sums out/tree
tar czf tree.tgz tree && rm -r out && mkdir out && gunzip -c tree.tgz | tar xf - -C out && sums out/tree
readlink out/tree/d/link
tar cf - tree | (mkdir piped && cd piped && tar xf -) && sums piped/tree
echo "== compression"
for program in gzip bzip2; do
  seq 20000 > numbers
  $program numbers && test ! -e numbers && $program -d numbers.* && md5sum < numbers
done
gzip -c "$DATA/letter.txt" | gunzip | cmp - "$DATA/letter.txt" && echo "gzip and back"
zcat tree.tgz | md5sum | wc -c
head -c 100 tree.tgz | gunzip > /dev/null 2>&1 || echo "a cut archive is refused"
echo "== cpio"
(cd tree && find . | sort | cpio -o -H newc 2>/dev/null) > tree.cpio
mkdir unpacked && (cd unpacked && cpio -id 2>/dev/null < ../tree.cpio) && sums unpacked
echo "== codes"
base64 < "$DATA/rivers.csv" | head -n 2
base64 < "$DATA/rivers.csv" | base64 -d | cmp - "$DATA/rivers.csv" && echo "base64 and back"
printf 'Paravane\n' | xxd
printf '\001\002\377' | od -An -tx1
printf '\0\1\2\3' | hexdump -C | head -n 1
cd .. && rm -rf archives
