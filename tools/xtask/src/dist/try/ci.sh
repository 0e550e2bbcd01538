# Part of try.sh: what installs ko in CI, with what stands in for a runner.

step "the action, step by step, as a runner would"
runner() {
  env -i HOME="$HOME" PATH="$dir/runner/bin:/usr/bin:/bin" RUNNER_OS=Linux RUNNER_ARCH=X64 \
    RUNNER_TEMP="$dir/runner/temp" GITHUB_ENV="$dir/runner/env" GITHUB_PATH="$dir/runner/path" \
    GITHUB_OUTPUT="$dir/runner/output" GITHUB_REPOSITORY=Some/App GH_TOKEN=secret \
    KO_VERSION=v"$version" KO_BASE_URL="file://$dir/one" USE_SUDO=false REPOSITORY=unused \
    DOCKER_CONFIG="$dir/runner/docker" "$@"
}
mkdir -p "$dir/runner/temp" "$dir/runner/bin" "$dir/runner/docker"
# As another user: /usr/local/bin is not theirs.
nobody=$(command -v setpriv >/dev/null && [ "$(id -u)" = 0 ] && echo setpriv --reuid 65534 --clear-groups || true)
chmod 755 "$dir" && chmod -R a+rwX "$dir/runner" "$HOME" && chmod -R a+rX "$dir/one"
cp -r setup-ko "$dir/action"
runner $nobody bash "$dir/action/install.sh" >"$dir/log" || fail "$(cat "$dir/log")"
said "installed ko $version as $dir/runner/temp/ko/bin/ko" "$(tail -n 1 "$dir/log")"
said "$dir/runner/temp/ko/bin" "$(cat "$dir/runner/path")"
said "version=$version
cache=$dir/runner/temp/ko-cache" "$(cat "$dir/runner/output")"
cp "$dir/runner/temp/ko/bin/ko" "$dir/runner/bin"
runner $nobody bash "$dir/action/login.sh" >"$dir/log" 2>&1 || fail "$(cat "$dir/log")"
said "KOCACHE=$dir/runner/temp/ko-cache
KO_DOCKER_REPO=ghcr.io/some/app" "$(cat "$dir/runner/env")"
grep -q '"ghcr.io"' "$dir/runner/docker/config.json" || fail "ko is not logged in"
grep -q secret "$dir/log" && fail "the log has the token"
refuses "there is no ko for RISCV64" runner RUNNER_ARCH=RISCV64 bash "$dir/action/install.sh"
refuses "there is no release v9" runner KO_VERSION=v9 KO_BASE_URL=file:///nowhere bash "$dir/action/install.sh"
refuses "is damaged" runner KO_BASE_URL="file://$dir/bad" bash "$dir/action/install.sh"

step "what describes them, by the schemas of GitHub and GitLab"
if [ -x target/tools/venv/bin/check-jsonschema ]; then
  check=target/tools/venv/bin/check-jsonschema
  $check --quiet --builtin-schema vendor.github-actions setup-ko/action.yml
  $check --quiet --builtin-schema vendor.github-workflows .github/workflows/release.yml
  sed -e '1,/^---$/d' -e 's|\$\[\[ inputs.stage \]\]|build|' -e 's|\$\[\[ inputs.[a-z-]* \]\]|value|g' \
    integrations/gitlab/templates/ko.yml >"$dir/gitlab.yml"
  $check --quiet --builtin-schema vendor.gitlab-ci "$dir/gitlab.yml"
fi
