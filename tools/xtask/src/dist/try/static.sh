# Part of try.sh: the packages of a static binary, if one is given. They install for both C
# libraries, and run where there is none.

if [ -n "$static" ]; then
  step "packages of a static binary"
  bare=$dir/static
  cargo xtask dist --out "$bare" --binary "x86_64-unknown-linux-musl=$static" >"$dir/log"
  wheel=$stem-manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64.whl
  for platform in manylinux_2_17_x86_64 manylinux2014_x86_64 musllinux_1_1_x86_64; do
    foreign "$platform" "$wheel" "$bare"
  done
  pip install --no-index --find-links "$bare" ko-build
  cmp "$static" "$dir/venv/bin/ko"
  pip uninstall --yes ko-build

  # Of npm's package, whose registry serves the other one here, no C library is asked for.
  mkdir "$dir/package"
  tar -xzf "$bare/ko-build-ko-linux-x64-$version.tgz" -C "$dir/package"
  cmp "$static" "$dir/package/package/bin/ko"
  if grep -q '"libc"' "$dir/package/package/package.json"; then fail "npm asks for a C library"; fi

  if [ "$(id -u)" = 0 ]; then
    # No loader, no library, no shell.
    mkdir "$dir/empty"
    cp "$static" "$dir/empty/ko"
    said "$version" "$(chroot "$dir/empty" /ko version)"
  fi
fi
