# Part of try.sh: what package managers read, by the managers that are here, or by what
# stands in for them. Each installs the archive of this machine from `file://`.

step "what managers read, of archives that are files here"
# A binary that needs the C library is no package for Nix, so one without stands in.
managed=$dir/managed
cargo xtask dist --out "$managed" --repository "file://$dir/tap" --base-url "file://$managed" \
  --binary "$host=$binary" --binary "x86_64-unknown-linux-musl=$dir/x86_64-unknown-linux-musl" \
  --binary "x86_64-pc-windows-msvc=$dir/x86_64-pc-windows-msvc" \
  --binary "aarch64-apple-darwin=$dir/aarch64-apple-darwin" >"$dir/log"

if command -v ruby >/dev/null; then
  step "the formula, in a stand-in of Homebrew"
  mkdir "$dir/cellar"
  cat >"$dir/brew.rb" <<'RUBY'
# What a formula says of itself, and where its files go, as Homebrew has it.
require "digest"
require "fileutils"

class Pathname < String
  def install(files)
    FileUtils.mkdir_p(self)
    (files.is_a?(Hash) ? files : [files].flatten.to_h { |file| [file, File.basename(file)] })
      .each { |file, name| FileUtils.cp(file, File.join(self, name)) }
  end
end

class Formula
  class << self
    %i[desc homepage version license test].each { |name| define_method(name) { |*| nil } }
    def on_macos; end
    def on_linux = yield
    def on_arm; end
    def on_intel = yield
    def url(address) = @url = address
    def sha256(sum) = @sum = sum
    attr_reader :sum
    def archive = @url.delete_prefix("file://")
  end
  DIRS = { bin: "bin", man1: "share/man/man1", pkgshare: "share/ko",
           bash_completion: "etc/bash_completion.d",
           fish_completion: "share/fish/vendor_completions.d",
           zsh_completion: "share/zsh/site-functions" }.freeze
  DIRS.each { |name, dir| define_method(name) { Pathname.new("#{ARGV[1]}/#{dir}") } }
end

require File.expand_path(ARGV[0])
abort "another sum" unless Digest::SHA256.file(Ko.archive).hexdigest == Ko.sum
Dir.chdir(ARGV[2])
system("tar", "-xzf", Ko.archive) || abort
Ko.new.install
RUBY
  mkdir "$dir/unpacked"
  ruby -w "$dir/brew.rb" "$managed/ko.rb" "$dir/cellar" "$dir/unpacked"
  said "not ko" "$("$dir/cellar/bin/ko" 2>&1)"
  [ -s "$dir/cellar/share/man/man1/ko-build.1" ] || fail "the formula installs no pages"
fi

if command -v nix >/dev/null; then
  step "the flake, built by Nix with a stand-in of nixpkgs"
  mkdir "$dir/flake" "$dir/nixpkgs"
  cp "$managed/flake.nix" "$dir/flake"
  cat >"$dir/nixpkgs/flake.nix" <<'NIX'
{
  outputs = { self }: {
    lib.licenses.asl20 = "Apache-2.0";
    legacyPackages.x86_64-linux = {
      fetchurl = { url, hash }: builtins.fetchurl { inherit url; sha256 = hash; };
      stdenvNoCC.mkDerivation = about: derivation {
        name = "${about.pname}-${about.version}";
        system = "x86_64-linux";
        builder = "/bin/sh";
        args = [ "-ec" ''
          export PATH=/usr/bin:/bin
          tar -xzf ${about.src}
          ${about.installPhase}
        '' ];
      };
    };
  };
}
NIX
  nix_() {
    NIX_REMOTE="local?root=$dir/nix" nix --extra-experimental-features 'nix-command flakes' \
      --option sandbox-paths "/bin /lib /lib64 /usr" --option substitute false --option build-users-group '' "$@"
  }
  made=$(nix_ build --impure --no-link --no-write-lock-file --json \
    --override-input nixpkgs "path:$dir/nixpkgs" "path:$dir/flake#ko" 2>"$dir/log") ||
    fail "$(cat "$dir/log")"
  made=$(python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["outputs"]["out"])' <<<"$made")
  said "not ko" "$("$dir/nix$made/bin/ko" 2>&1)"
  chmod -R u+w "$dir/nix"
fi

step "the plug-in of asdf, whose repository has the tags"
mkdir "$dir/tap" "$dir/plugin"
git -C "$dir/tap" init --quiet
git -C "$dir/tap" -c user.name=x -c user.email=x@localhost commit --quiet --allow-empty -m x
for tag in v0.0.9 "v$version" v9.0.0-rc.1 other; do git -C "$dir/tap" tag "$tag"; done
tar -xzf "$managed/ko_${version}_asdf.tar.gz" -C "$dir/plugin"
said "0.0.9 $version" "$("$dir/plugin/bin/list-all")"
asdf() {
  ASDF_INSTALL_VERSION=$version ASDF_INSTALL_TYPE=version ASDF_DOWNLOAD_PATH=$dir/asdf/download \
    ASDF_INSTALL_PATH=$dir/asdf/install "$dir/plugin/bin/$1"
}
asdf download
# The static one of two.
said "not ko" "$("$dir/asdf/download/ko" 2>&1)"
cp "$binary" "$dir/asdf/download/ko"
asdf install
said "$version" "$("$dir/asdf/install/bin/ko" version)"
rm -r "$dir/asdf"
cp -r "$managed" "$dir/damaged"
printf x >>"$dir/damaged/ko_${version}_Linux_x86_64.tar.gz"
ASDF_KO_URL=file://$dir/damaged refuses "is damaged" asdf download
[ ! -e "$dir/asdf/download/ko" ] || fail "a damaged archive was unpacked"

mise=$(find target/tools/ -path '*/bin/mise' -type f 2>/dev/null | head -n 1)
if [ -n "$mise" ]; then
  step "the same plug-in, by mise"
  mise_() {
    MISE_DATA_DIR=$dir/mise MISE_CONFIG_DIR=$dir/mise/config MISE_CACHE_DIR=$dir/mise/cache \
      MISE_STATE_DIR=$dir/mise/state MISE_YES=1 "$mise" "$@"
  }
  # Of the archives that have the real ko alone.
  export ASDF_KO_URL=file://$dir/one
  mise_ plugin link ko "$dir/plugin" >"$dir/log" 2>&1 || fail "$(cat "$dir/log")"
  said "0.0.9 $version" "$(mise_ ls-remote ko 2>"$dir/log" | paste -sd ' ' -)"
  mise_ install "ko@$version" >"$dir/log" 2>&1 || fail "$(cat "$dir/log")"
  said "$version" "$(mise_ exec "ko@$version" -- ko version 2>/dev/null)"
  unset ASDF_KO_URL
fi
