#!/bin/bash
# libfaketime 0.9.10 (Debian 12): a program that was killed keeps another from starting.
#
# Behaviour: each program that runs with libfaketime preloaded makes a file in /dev/shm
# that is called by its process ID, and removes it when it ends. After SIGKILL the
# file stays. When the system gives that ID to another program with
# libfaketime, that ends with 1 before its main has begun.
#
# Expected: the program runs; nobody else uses the file. IDs come again after 32,768
# processes where the system has its default, which takes a long test suite minutes,
# so a test fails now and then, and has said nothing of its own.
#
# Seen:
#   killed: left faketime_shm_ID
#   next with this ID: exit 1, In ft_shm_create(), shm_open failed: File exists
#   without the file: exit 0
#
# Needs libfaketime 0.9.10 (Debian 12 has it).
set -euo pipefail

[ "$(dpkg-query -W -f '${Version}' libfaketime 2>/dev/null)" = 0.9.10-2.1 ] || exit 2
tmp=$(mktemp -d)
left=()
trap 'rm -rf "$tmp"; [ ${#left[@]} = 0 ] || rm -f "${left[@]}"' EXIT
faked=(env 'LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1' FAKETIME=-1d)

"${faked[@]}" sleep 60 &
killed=$!
until [ -e "/dev/shm/faketime_shm_$killed" ]; do sleep 0.1; done
kill -KILL "$killed"
wait "$killed" 2>"$tmp/said" || true
left+=("/dev/shm/faketime_shm_$killed" "/dev/shm/sem.faketime_sem_$killed")
seen="killed: left $(ls /dev/shm | grep "^faketime_shm_$killed$" | sed "s/$killed/ID/")"

# A process that knows its ID stands for the system, which would come to it in time.
code=0
bash -c 'echo $$ >"$0"; : >"/dev/shm/faketime_shm_$$"; exec "$@"' "$tmp/id" "${faked[@]}" true 2>"$tmp/said" || code=$?
id=$(cat "$tmp/id")
left+=("/dev/shm/faketime_shm_$id" "/dev/shm/sem.faketime_sem_$id")
seen+=$'\n'"next with this ID: exit $code, $(sed -n 's/^libfaketime: //p' "$tmp/said")"
code=0
"${faked[@]}" true || code=$?
seen+=$'\n'"without the file: exit $code"
echo "$seen"
[ "$seen" = "killed: left faketime_shm_ID
next with this ID: exit 1, In ft_shm_create(), shm_open failed: File exists
without the file: exit 0" ]
