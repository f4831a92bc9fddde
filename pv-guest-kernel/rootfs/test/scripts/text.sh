# Text: counted, cut, sorted, searched, changed.
cd "$DATA" || exit 1
echo "== count"
wc letter.txt rivers.csv
wc -l < rivers.csv
echo "== parts"
head -n 3 letter.txt
tail -n 2 letter.txt
sed -n '4,6p' letter.txt
cut -d, -f1,3 rivers.csv | head -n 4
cut -c1-10 letter.txt | tail -n +9
echo "== order"
tail -n +2 rivers.csv | sort | head -n 3
tail -n +2 rivers.csv | sort -t, -k2 -n | head -n 3
tail -n +2 rivers.csv | sort -t, -k3,3 -k2,2nr | cut -d, -f3,1 | head -n 5
tail -n +2 rivers.csv | cut -d, -f3 | sort | uniq -c | sort -rn
tr -cs 'A-Za-z' '\n' < letter.txt | tr 'A-Z' 'a-z' | sort | uniq -d | tr '\n' ' '
echo
echo "== search"
grep -n again letter.txt
grep -c Sea rivers.csv
grep -E '^[MN]' rivers.csv | grep -v -i america
grep -o '[0-9][0-9]*' letter.txt | tr '\n' ' '
echo
fgrep -q 'Grüße' letter.txt && echo "found as it is"
echo "== change"
sed -e 's/[Rr]iver/stream/' -e '/Asia/d' -e '3,$s/,/;/2' rivers.csv | head -n 5
sed -n '/Congo/,/Lena/{s/\([^,]*\),\([0-9]*\),.*/\2 \1/p}' rivers.csv
tr 'a-z' 'A-Z' < letter.txt | head -n 1
rev letter.txt | head -n 1
tac rivers.csv | head -n 2
expand -t 4 letter.txt | grep Tabs
fold -w 24 letter.txt | head -n 5
nl -ba letter.txt | sed -n '2,4p'
paste -d: /dev/fd/3 /dev/fd/4 3<<A 4<<B
1
2
A
one
two
B
echo "== awk"
awk -F, 'NR > 1 { sum[$3] += $2; count[$3]++ }
  END { for (c in sum) printf "%-14s %2d %6d %8.1f\n", c, count[c], sum[c], sum[c] / count[c] }' \
  rivers.csv | sort
awk '{ words += NF; if (length > longest) longest = length } END { print NR, words, longest }' letter.txt
awk 'BEGIN { for (i = 1; i <= 10; i++) f = f * i + 1; print f; print int(-3.7), 7 % 3, 1024 / 3
  print substr("paravane", 5), index("paravane", "van"), toupper("x"), split("a:b:c", p, ":"), p[2] }'
