#!/bin/sh
# Stands for the archiver of a target that is only checked: the library that it is asked for
# is there, and empty.
for word; do
  case $word in
  -out:* | -OUT:* | /OUT:*) : >"${word#*:}" ;;
  *.a | *.lib) : >"$word" ;;
  esac
done
