//! Images for Windows: which versions are meant, and what their layers hold.

use std::process::Command;

use serde_json::{Value, json};
use testkit::base::{Image, Index};
use testkit::registry::TestRegistry;

use crate::fixture::{Built, Fixture};
use crate::services::run;

/// A base of two releases of Windows, one of them with two sets of patches,
/// and of Linux.
fn fixture() -> Fixture {
    let mut base = Index::oci().image(Image::oci("linux/amd64"));
    for version in ["10.0.17763.1234", "10.0.17763.5678", "10.0.20348.1"] {
        base = base.image(Image::oci(&format!("windows/amd64:{version}")));
    }
    let fixture = Fixture::on(TestRegistry::start(), &base.build());
    let config = "builds:\n- linux_capabilities: net_raw=ep\n";
    let _ = fixture.module().main(".").special_kodata(".").file(".ko.yaml", config);
    fixture
}

#[test]
fn versions_choose_among_the_images_of_the_base() {
    let fixture = fixture();
    let versions = |platform: &str| {
        let words = format!("--bare --platform={platform}");
        let _ = fixture.build(&words).output().success();
        let built = fixture.built("out", "latest");
        let images = match built.manifest["manifests"].is_array() {
            true => fixture.children("out", &built),
            false => vec![built],
        };
        let version = |image: &Built| image.config["os.version"].as_str().map(str::to_owned);
        images.iter().map(|image| version(image).unwrap_or_default()).collect::<Vec<_>>()
    };
    let all = ["10.0.17763.1234", "10.0.17763.5678", "10.0.20348.1"];
    assert_eq!(versions("windows/amd64"), all);
    assert_eq!(versions("windows/amd64:10.0.17763"), all[..2]);
    assert_eq!(versions("windows/amd64:10.0.17763.5678"), all[1..2]);
    assert_eq!(versions("linux/amd64,windows:10.0.20348"), ["", all[2]]);
    for platform in ["windows/amd64:10.0", "windows/amd64:10.0.20348.1.0", "windows/arm64"] {
        let output = fixture.build(&format!("--platform={platform}")).output().failure(1);
        let want = "no matching platforms in base image index";
        assert!(output.stderr.contains(want), "{platform}: {}", output.stderr);
    }
}

/// Each entry as its kind, name and PAX records.
fn entries(fixture: &Fixture, layer: &Value) -> Vec<Value> {
    let path = fixture.sandbox.root().join("layer.tar.gz");
    let blob = fixture.registry.blob("out", layer["digest"].as_str().unwrap()).unwrap();
    std::fs::write(&path, blob).unwrap();
    let script = "import sys, tarfile, json\n\
        print(json.dumps([[m.isdir(), m.name, m.pax_headers] for m in tarfile.open(sys.argv[1])]))";
    let read = run(Command::new("python3").arg("-c").arg(script).arg(path));
    serde_json::from_slice(&read).unwrap()
}

#[test]
fn layers_have_hives_and_descriptors_and_no_links() {
    let fixture = fixture();
    let words = "--bare --platform=windows/amd64:10.0.20348";
    let output = fixture.build(words).output().success();
    for link in ["link.txt", "linked"] {
        let notice = format!("skipping symlink in kodata for windows: {link}\n");
        assert_eq!(output.stderr.matches(&notice).count(), 1, "{}", output.stderr);
    }
    let image = fixture.built("out", "latest");
    let [.., kodata, binary] = &image.manifest["layers"].as_array().unwrap()[..] else {
        unreachable!("two layers")
    };
    let descriptor = json!({
        "MSWINDOWS.rawsd": "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAhAgAAAQIAAAAAAAUgAAAAIQIAAA==",
    });
    // Capabilities are of Linux.
    assert_eq!(
        entries(&fixture, binary),
        [
            json!([true, "Hives", {}]),
            json!([true, "Files", {}]),
            json!([true, "Files/ko-app", {}]),
            json!([false, "Files/ko-app/app", descriptor]),
        ]
    );
    let kodata = entries(&fixture, kodata);
    let parents = ["Hives", "Files", "Files/var", "Files/var/run", "Files/var/run/ko"];
    for (entry, parent) in kodata.iter().zip(parents) {
        assert_eq!(*entry, json!([true, parent, {}]));
    }
    let names: Vec<&str> =
        kodata[parents.len()..].iter().map(|entry| entry[1].as_str().unwrap()).collect();
    for name in ["plain.txt", "nested/deep/file.txt", "empty", ".git/HEAD"] {
        assert!(names.contains(&&*format!("Files/var/run/ko/{name}")), "{names:#?}");
    }
    assert!(!names.iter().any(|name| name.contains("link")), "{names:#?}");
    for entry in &kodata {
        let has = entry[2]["MSWINDOWS.rawsd"] == descriptor["MSWINDOWS.rawsd"];
        assert_eq!(has, entry[0] == false, "{entry}");
    }
}
