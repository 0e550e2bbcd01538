//! The two cases that most mistakes of `--breakages` are made in: an image
//! and an index with as much to get wrong as fits.

use super::{assets, three};
use crate::case::Case;
use testkit::base::{Format, Image};

pub(super) fn cases() -> Vec<Case> {
    let rich = Image::oci("linux/amd64")
        .env("PATH=/usr/bin:/bin")
        .env("BASE=1")
        .user("65532")
        .label("base", "1")
        .config("Cmd", vec!["sh"]);
    vec![
        Case::build("breakage/image", "./cmd/web -B --image-user 1000 --image-annotation note=x")
            .module(assets)
            .arg("--image-label=first=1,second=2")
            .base(rich.build()),
        Case::build("breakage/index", "./cmd/web --bare --platform=all --image-label a=b")
            .base(three(Format::Oci))
            .names_real_base("out:latest"),
    ]
}
