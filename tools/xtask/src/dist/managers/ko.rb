# The formula of ko @VERSION@, for a tap of Homebrew.
class Ko < Formula
  desc "@SUMMARY@"
  homepage "@REPOSITORY@"
  version "@VERSION@"
  license "Apache-2.0"

@DOWNLOADS@

  def install
    bin.install "ko"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/ko.bash" => "ko"
    fish_completion.install "completions/ko.fish"
    zsh_completion.install "completions/_ko"
    pkgshare.install "THIRD-PARTY-NOTICES.txt"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/ko version")
  end
end
