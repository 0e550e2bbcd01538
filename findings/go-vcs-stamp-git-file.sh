#!/bin/bash
# Go 1.26.8 stamps a program that is built in a linked worktree with the commit of
# the checkout around it; Go 1.27.3 with the worktree's own.
#
# Behaviour: the worktree lies inside the main checkout, in an ignored folder,
# and is at another commit. Its `.git` is a file. Go 1.26 takes only a directory
# named `.git` for the root of a repository, so it finds the main checkout and
# stamps that commit, although no file of it is built. It also says that nothing
# is modified after a source in the worktree was edited. Go 1.27 accepts the file.
#
# Expected: the stamp is the commit that `git rev-parse HEAD` prints in the folder
# of the build, with every release.
#
# Seen:
#   git rev-parse HEAD   worktree
#   go1.26.8             main checkout, modified=false
#   go1.26.8, edited     main checkout, modified=false
#   go1.27.3             worktree, modified=false
#   go1.27.3, edited     worktree, modified=true
#
# Needs go and git; go fetches the toolchains that it is not itself.
set -euo pipefail

tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
export GOENV=off GOFLAGS=-buildvcs=true GOPATH=$tmp/go CGO_ENABLED=0
export GIT_CONFIG_GLOBAL=$tmp/none GIT_CONFIG_NOSYSTEM=1
unset GIT_DIR GIT_WORK_TREE
for release in go1.26.8 go1.27.3; do
    [ "$(GOTOOLCHAIN=$release go env GOVERSION)" = $release ] ||
        { echo "$release is not to be had"; exit 2; }
done

commit() { git -c user.name=Jane -c user.email=jane@example.com commit -q -m "$1"; }
mkdir "$tmp/repository"
cd "$tmp/repository"
git init -q
printf 'module example.com/app\n\ngo 1.26\n' >go.mod
printf 'package main\n\nfunc main() { println(1) }\n' >main.go
echo /worktrees/ >.gitignore
git add .
commit 'first'
printf 'package main\n\nfunc main() { println(2) }\n' >main.go
git add .
commit 'second'
git worktree add -q --detach worktrees/old HEAD~1

main=$(git rev-parse HEAD)
cd worktrees/old
worktree=$(git rev-parse HEAD)

named() {
    case $1 in
    "$main") printf 'main checkout' ;;
    "$worktree") printf 'worktree' ;;
    *) printf 'other (%s)' "$1" ;;
    esac
}
stamp() {
    GOTOOLCHAIN=$1 go build -o "$tmp/app" .
    local info
    info=$(go version -m "$tmp/app")
    named "$(sed -n 's/.*vcs\.revision=//p' <<<"$info")"
    echo ", modified=$(sed -n 's/.*vcs\.modified=//p' <<<"$info")"
}

{
    echo "git rev-parse HEAD   $(named "$(git rev-parse HEAD)")"
    for release in go1.26.8 go1.27.3; do
        git checkout -q -- main.go
        echo "$release             $(stamp $release)"
        printf 'package main\n\nfunc main() { println(3) }\n' >main.go
        echo "$release, edited     $(stamp $release)"
    done
} >"$tmp/seen"

cat >"$tmp/expected" <<'EOF'
git rev-parse HEAD   worktree
go1.26.8             main checkout, modified=false
go1.26.8, edited     main checkout, modified=false
go1.27.3             worktree, modified=false
go1.27.3, edited     worktree, modified=true
EOF
cat "$tmp/seen"
cmp -s "$tmp/seen" "$tmp/expected" || { echo 'This has changed.'; exit 1; }
