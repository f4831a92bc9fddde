# Processes: in the background, waited for, ended by signals; what /proc says of them.
cd "$TMP" && rm -rf jobs && mkdir jobs && cd jobs || exit 1
echo "== in the background"
for i in 1 2 3; do (exit $i) & eval "p$i=$!"; done
for i in 3 1 2; do eval "wait \$p$i"; echo $?; done
(echo first; echo done > flag) & wait; cat flag
wait; echo $?
echo "== ended by signals"
sleep 1000 & kill $!; wait $! 2>/dev/null; echo $?
sleep 1000 & kill -KILL $!; wait $! 2>/dev/null; echo $?
sh -c 'trap "echo told; exit 9" TERM; while :; do sleep 0.01; done' & 
sleep 0.5; kill $!; wait $!; echo $?
kill -0 $! 2>/dev/null || echo "is gone"
timeout 0.2 sleep 1000 2>/dev/null; echo $?
timeout -s KILL 0.2 sh -c 'trap "" TERM; while :; do :; done' 2>/dev/null; echo $?
timeout 100 true; echo $?
echo "== stopped"
(while :; do :; done) & kill -STOP $!
sleep 0.1; sed 's/.*) \(.\) .*/\1/' /proc/$!/stat
kill -CONT $!; sleep 0.1; sed 's/.*) \(.\) .*/\1/' /proc/$!/stat
kill $!; wait $! 2>/dev/null; echo $?
echo "== many"
i=0; while [ $i -lt 40 ]; do sleep 0.05 & i=$((i + 1)); done; wait; echo "all have ended"
seq 30 | xargs -n 1 -P 6 sh -c 'echo $0' | sort -n | md5sum
mkfifo pipe && (seq 5000 > pipe &) && md5sum < pipe
(sleep 0.1; echo late) | cat
echo "== /proc"
line=$(sh -c 'cat /proc/self/cmdline' a b | tr '\0' ' '); echo "${line##*/}"
number=$(sh -c 'echo $$ > own; exec cat /proc/self/stat' | cut -d' ' -f1)
[ "$number" = "$(cat own)" ] && echo "the number is right"
sh -c 'sed -n "s/^PPid:[^0-9]*//p" /proc/self/status; echo $$' | uniq | wc -l
grep -c '^MemTotal: *[0-9]* kB$' /proc/meminfo
awk '/^MemTotal/ { total = $2 } /^MemFree/ { free = $2 } END { print (free > 0 && free < total) }' /proc/meminfo
cut -d' ' -f1 /proc/uptime | grep -c '^[0-9]*\.[0-9][0-9]$'
sh -c 'exec 7< /dev/null; ls /proc/self/fd | grep -c "^7$"'
grep -c '\[stack\]' /proc/self/maps
ps | grep -q '[j]obs.sh' && echo "it is listed"
free | awk '/^Mem/ { print ($2 == $3 + $4 + $6 || $2 > $3) }'
cd .. && rm -rf jobs
