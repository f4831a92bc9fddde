# Makes a tree of files below the folder that is named, the same every time.
for folder in a a/b a/b/c d 'e f'; do
  mkdir -p "$1/$folder"
  for number in 1 2 3; do
    seq "$number" 7 "$((number * 50))" > "$1/$folder/file $number"
  done
done
ln -s ../a/file\ 1 "$1/d/link"
