//! Where an image goes beside, or instead of, a registry.

use super::three;
use crate::case::Case;
use testkit::base::Format;

const LAYOUT_AS_REPOSITORY: &str =
    "ko takes the path for a repository name, and fails when everything is written";

pub(super) fn cases() -> Vec<Case> {
    let web = |name, words: &str| Case::build(name, &format!("./cmd/web {words}"));
    let on_index = |name, words: &str| {
        web(name, &format!("--bare --platform=all {words}")).base(three(Format::Docker))
    };
    vec![
        web("publish/nothing", "--push=false").pushed_by("./cmd/web"),
        web("publish/nothing-tag", "--push=false -t v1").pushed_by("./cmd/web"),
        web("publish/nothing-tags", "--push=false -t v2,v1").pushed_by("./cmd/web"),
        web("publish/nothing-tag-only", "--push=false -t v1,v2 --tag-only"),
        web("publish/nothing-tag-only-latest", "--push=false --tag-only"),
        web("publish/nothing-import-path", "--push=false -P").pushed_by("./cmd/web"),
        Case::build("publish/nothing-upper-case", "./cmd/web --push=false")
            .module(super::upper_case)
            .pushed_by("./cmd/web")
            .differs(
                "stdout",
                Some("{host}/out/web-a565b91425c9491d60376a2fdde58a72:latest@[out/web-a565b91425c9491d60376a2fdde58a72:latest]"),
                "ko lower-cases the import path in the name only when it pushes",
            ),
        web("publish/nothing-no-repository", "--push=false")
            .unset("KO_DOCKER_REPO")
            .pushed_by("./cmd/web"),
        on_index("publish/nothing-index", "--push=false").pushed_by("./cmd/web --platform=all"),
        web("publish/layout", "--oci-layout-path=layout --push=false"),
        web("publish/layout-and-push", "--oci-layout-path=layout"),
        web("publish/layout-nested", "--oci-layout-path=./some/dir --push=false"),
        web("publish/layout-upper-case", "--oci-layout-path={work}/Layout --push=false")
            .differs("exit code", Some("0"), LAYOUT_AS_REPOSITORY)
            .differs("stdout", Some("{work}/Layout@[Layout[0]]"), LAYOUT_AS_REPOSITORY),
        on_index("publish/layout-index", "--oci-layout-path=layout --push=false"),
        on_index("publish/layout-index-and-push", "--oci-layout-path=layout -t v1"),
        Case::build(
            "publish/layout-two-mains",
            "./cmd/web ./cmd/worker --oci-layout-path=layout --push=false",
        ),
        web("publish/image-refs", "--image-refs=refs.txt"),
        web("publish/image-refs-tag", "--image-refs=refs.txt -t v1"),
        web("publish/image-refs-tags", "--image-refs=refs.txt -t v1,v2"),
        web("publish/image-refs-tag-only", "--image-refs=refs.txt -t v1 --tag-only"),
        on_index("publish/image-refs-index", "--image-refs=refs.txt"),
        on_index("publish/image-refs-index-tag", "--image-refs=refs.txt -t v1"),
        web("publish/image-refs-not-pushed", "--image-refs=refs.txt --push=false")
            .pushed_by("./cmd/web"),
        web("publish/image-refs-layout", "--image-refs=refs.txt --oci-layout-path=layout"),
        web("publish/image-refs-truncated", "--image-refs=refs.txt")
            .file("refs.txt", "what was here before\n"),
        Case::build("publish/image-refs-two-mains", "./cmd/web ./cmd/worker --image-refs=refs.txt")
            .order(&["web-", "worker-"]),
        web("publish/insecure-registry", "--insecure-registry"),
    ]
}
