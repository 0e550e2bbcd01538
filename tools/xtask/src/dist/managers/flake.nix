# ko @VERSION@ for Nix: `nix run @FLAKE@`.
{
  description = "@SUMMARY@";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      archives = {
@ARCHIVES@
      };
      package = system:
        let pkgs = nixpkgs.legacyPackages.${system}; in
        pkgs.stdenvNoCC.mkDerivation {
          pname = "ko";
          version = "@VERSION@";
          src = pkgs.fetchurl archives.${system};
          sourceRoot = ".";
          dontConfigure = true;
          dontBuild = true;
          installPhase = ''
            install -Dm755 ko $out/bin/ko
            install -Dm644 -t $out/share/man/man1 man/*.1
            install -Dm644 completions/ko.bash $out/share/bash-completion/completions/ko
            install -Dm644 completions/ko.fish $out/share/fish/vendor_completions.d/ko.fish
            install -Dm644 completions/_ko $out/share/zsh/site-functions/_ko
            install -Dm644 -t $out/share/doc/ko LICENSE THIRD-PARTY-NOTICES.txt
          '';
          meta = {
            description = "@SUMMARY@";
            license = nixpkgs.lib.licenses.asl20;
            mainProgram = "ko";
          };
        };
    in
    {
      packages = builtins.mapAttrs (system: _: rec { ko = package system; default = ko; }) archives;
    };
}
