# The shell: expansion, control, functions, redirections, subshells, traps.
cd "$TMP" && rm -rf shell && mkdir shell && cd shell || exit 1
echo "== expansion"
word=paravane
echo "${#word} ${word%vane} ${word#para} ${word:-none} ${nothing:-none} ${word/a/A}"
echo $((7 * 6)) $((1 << 20)) $((17 % 5)) $((-7 / 2)) $((0x1f ^ 3)) $((5 > 3 && 2 > 1))
set -- one 'two words' three
echo $# "$2" "$*"
for argument in "$@"; do echo "<$argument>"; done
shift 2; echo "$1"
touch b1 b2 c1; echo b* [bc]1 x*
echo "$(echo nested "$(echo deeper)")" `echo old`
IFS=:; path=a:b::c; set -- $path; echo $#; unset IFS
echo "== control"
for i in 1 2 3 4 5; do [ $i = 2 ] && continue; [ $i = 5 ] && break; echo -n "$i "; done; echo
i=0; while [ $i -lt 3 ]; do i=$((i + 1)); done; echo $i
until [ $i -eq 0 ]; do i=$((i - 1)); done; echo $i
case $word in p?ra*) echo matches ;; *) echo "does not" ;; esac
if false; then echo no; elif true; then echo yes; fi
true && echo and || echo or; ! true || echo never
(exit 3); echo $?
sh -c 'exit 200'; echo $?
nowhere 2>/dev/null; echo $?
./b1 2>/dev/null; echo $?
false | true; echo $?
echo "== functions"
factorial() { if [ "$1" -le 1 ]; then echo 1; else echo $(($1 * $(factorial $(($1 - 1))))); fi; }
factorial 10
change() { local word=inside; echo $word; return 4; }
change; echo $? $word
echo "== redirection"
echo out > file; echo more >> file; cat < file
{ echo to-output; echo to-errors >&2; } 2> errors; cat errors
{ echo one; echo two >&2; } > both 2>&1; sort both
cat <<END
here is $word and $((1 + 1))
END
cat <<'END'
here is $word
END
exec 5> five; echo five >&5; exec 5>&-; cat five
exec 6< file; read -r line <&6; read -r next <&6; exec 6<&-; echo "$line $next"
echo x 2>/dev/null > /dev/full || echo "no room"
(set -C; echo no > file) 2>/dev/null || echo "is kept"
echo "== subshells and pipes"
x=1; (x=2; echo $x); echo $x
seq 10 | while read -r n; do [ $((n % 5)) = 0 ] && echo $n; done
seq 1000 | sed 's/$/ line/' | grep 7 | tail -n 3 | tr ' ' _
yes | head -n 1000 | sort | uniq -c | tr -s ' '
seq 20 | xargs -n 7 echo
printf 'a b\nc\n' | xargs -I{} echo '<{}>'
echo "== traps"
sh -c 'trap "echo at the end" EXIT; echo before; exit 5'; echo $?
sh -c 'trap "echo caught" TERM; kill $$; echo after'
sh -c 'trap "" INT; kill -INT $$; echo ignored'
sh -c 'kill -TERM $$; echo never' 2>/dev/null; echo $?
sh -e -c 'false; echo never'; echo $?
sh -u -c 'echo $nothing' 2>/dev/null; [ $? -ne 0 ] && echo "unset is an error"
echo "== numbers"
printf '%05d|%-6s|%x|%o|%c|%s\n' 42 left 255 8 xyz end
printf '%s=%d\n' a 1 b 2
seq -s, 2 3 14; seq -w 8 10
expr 3 + 4 \* 2; expr length abcdef; expr substr abcdef 2 3
echo '2 ^ 100; scale = 5; 1 / 7' | bc
echo '3 4 + p 5 * p' | dc
test 10 -gt 9 && test abc != abd && test -n x && test ! -d file && echo true
cd .. && rm -rf shell
