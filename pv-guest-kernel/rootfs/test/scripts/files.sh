# Files and directories: made, copied, moved, linked, listed, found, removed.
cd "$TMP" && rm -rf files && mkdir files && cd files || exit 1
echo "== make"
sh "$DATA/../scripts/tree.sh" .
find . | sort
find . -type f -name 'file 2' | sort | while read -r name; do wc -l < "$name"; done
find . -type l -exec cat {} \; | md5sum
echo "== copy and move"
cp -r a copy && diff -r a copy && echo "the same"
echo more >> "copy/b/file 1"
diff -rq a copy
diff "a/b/file 1" "copy/b/file 1"
mv copy/b moved && ls copy moved
cp "a/file 1" "a/file 2" d && ls d
cmp "a/file 1" "d/file 1" && echo equal
cmp "a/file 1" "a/file 2"
echo "== links"
ln "a/file 1" hard && ln -s nowhere dangling
stat -c '%h %s %F' hard "a/file 1" dangling
readlink dangling
test -e dangling || echo "leads nowhere"
echo changed > hard && cat "a/file 1"
rm hard && stat -c %h "a/file 1"
ln -s loop loop; cat loop 2>/dev/null || echo "a loop"
echo "== permissions"
umask 027
: > made && mkdir folder && stat -c '%a %F' made folder
chmod u=rx,g+w,o= made && stat -c %a made
chmod 4711 made && stat -c %a made
touch -d '2001-02-03 04:05:06' made && date -u -r made '+%Y-%m-%d %H:%M:%S'
[ made -ot folder ] && echo "older"
echo "== sizes"
dd if=/dev/zero of=zeros bs=1000 count=33 2>/dev/null && stat -c %s zeros
dd if="a/file 3" of=zeros bs=10 seek=5 skip=2 count=1 conv=notrunc 2>/dev/null && od -c zeros
truncate -s 100 zeros && wc -c < zeros
truncate -s 10M sparse && wc -c < sparse && md5sum < sparse
printf 'x' | dd of=sparse bs=1 seek=5000000 conv=notrunc 2>/dev/null && tail -c 5000001 sparse | head -c 1 | wc -c
echo "== names"
: > "$(printf 'a\tb\nc')" && ls | grep -c . 
name=$(printf '%0255d' 7); : > "$name" && ls | grep -c '^0*7$'
(: > "${name}8") 2>/dev/null || echo "too long"
mkdir -p deep/1/2/3/4/5/6/7/8/9 && (cd deep/1/2/3/4/5/6/7/8/9 && cd ../../../.. && basename "$PWD")
echo "== remove"
rmdir a 2>/dev/null || echo "not empty"
rm -r a d moved copy deep 'e f' && ls | wc -l
rm -f nothing && rm nothing 2>/dev/null || echo "is not there"
cd .. && rm -rf files && test ! -e files && echo gone
