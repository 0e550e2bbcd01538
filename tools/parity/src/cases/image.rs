//! What the command line adds to an image.

use super::{hello, three};
use crate::case::Case;
use testkit::base::{Format, Image};

pub(super) fn cases() -> Vec<Case> {
    let web = |name, words: &str| Case::build(name, &format!("./cmd/web {words}"));
    let on_index = |name, words: &str| {
        web(name, &format!("--bare --platform=all {words}")).base(three(Format::Docker))
    };
    let labelled = Image::oci("linux/amd64").label("a", "base").label("z", "base").build();
    let annotated =
        Image::oci("linux/amd64").annotation("a", "base").annotation("z", "base").build();
    vec![
        web("image/label", "--image-label a=b"),
        web("image/labels", "--image-label z=1,m=2 --image-label a=3"),
        web("image/label-over-base", "--image-label a=ours,b=ours").base(labelled),
        web("image/label-twice", "--image-label a=1 --image-label a=2"),
        web("image/label-with-equals", "--image-label a=b=c --image-label d="),
        web("image/label-quoted", "").arg("--image-label=\"a=1,2\",b=x y"),
        web("image/label-to-escape", "--image-label a=<b>&c"),
        web("image/annotation", "--image-annotation a=b"),
        web("image/annotations", "--image-annotation z=1,m=2 --image-annotation a=b=c"),
        web("image/annotation-over-base", "--image-annotation a=ours,b=ours").base(annotated),
        web("image/annotation-of-ours", "")
            .arg("--image-annotation=org.opencontainers.image.base.name=x")
            .arg("--image-annotation=org.opencontainers.image.base.digest=y"),
        web("image/annotation-to-escape", "").arg("--image-annotation=\"a=<b>&c \"\"d\"\"\""),
        web("image/user", "--image-user 1000:1000"),
        web("image/user-over-base", "--image-user nobody")
            .base(Image::docker("linux/amd64").user("65532").build()),
        web("image/user-empty", "--image-user=").base(Image::oci("linux/amd64").user("1").build()),
        web("image/epoch", "").env("SOURCE_DATE_EPOCH", "1700000000"),
        web("image/epoch-zero", "").env("SOURCE_DATE_EPOCH", "0"),
        web("image/epoch-negative", "").env("SOURCE_DATE_EPOCH", "-1"),
        web("image/epoch-without-base-time", "")
            .env("SOURCE_DATE_EPOCH", "1234567890")
            .base(Image::oci("linux/amd64").created(None).without_history().build()),
        on_index("image/everything-on-an-index", "--image-user 7 --image-label a=b")
            .arg("--image-annotation=c=d")
            .env("SOURCE_DATE_EPOCH", "1700000000"),
        on_index("image/annotation-of-ours-on-an-index", "")
            .arg("--image-annotation=org.opencontainers.image.base.name=x,a=b"),
        Case::build("image/of-a-module-root", ".").module(hello),
        web("image/jobs", "-j 1"),
    ]
}
