//! Mistakes in SBOMs and in where they are, in capabilities, and in images
//! for Windows.

use super::{Breakage, breakage};
use crate::edit::name_of;
use serde_json::{Value, json};

const MODULES: &str = "sbom/required";
const INDEX: &str = "breakage/index";
const FILES: &str = "sbom/directory-index";
const CAPABLE: &str = "capabilities/effective-and-permitted";
const WINDOWS: &str = "windows/kodata-link-to-a-file";

/// The mistakes.
pub(super) const ALL: &[Breakage] = &[
    breakage("no SBOM", MODULES, "tags out/", |broken| broken.move_sbom(None)),
    breakage("an SBOM below another tag", MODULES, "tags out/", |broken| {
        broken.move_sbom(Some("latest.sbom"));
    }),
    breakage("an SBOM of another media type", MODULES, "manifest layers[0]/mediaType", |broken| {
        broken.sbom_manifest(|manifest| {
            manifest["layers"][0]["mediaType"] = json!("application/spdx+json");
        });
    }),
    breakage("an SBOM with an artifact type", MODULES, "latest manifest shape", |broken| {
        broken.sbom_manifest(|manifest| manifest["artifactType"] = json!("text/spdx+json"));
    }),
    breakage("an SBOM whose config names another layer", MODULES, "config rootfs", |broken| {
        broken.sbom_config(|config| config["rootfs"]["diff_ids"][0] = json!(testkit::sha256(b"")));
    }),
    breakage("a module missing from the SBOM", MODULES, "latest shape", |broken| {
        broken.sbom(None, |document| drop(packages(document).pop()));
    }),
    breakage("no version of a module", MODULES, "latest shape", |broken| {
        broken.sbom(None, |document| {
            let package = packages(document)[3].as_object_mut();
            package.expect("a module is a package").shift_remove("versionInfo");
        });
    }),
    breakage("the sum of another module", MODULES, "checksums[0]/checksumValue", |broken| {
        broken.sbom(None, |document| {
            let sum = packages(document)[4]["checksums"].clone();
            packages(document)[3]["checksums"] = sum;
        });
    }),
    breakage("a sum in base64", MODULES, "checksums[0]/checksumValue", |broken| {
        broken.sbom(None, |document| {
            packages(document)[3]["checksums"][0]["checksumValue"] = json!("ZVUvjpl84O6Mg7Y=");
        });
    }),
    breakage(
        "a purl with all of its path in small letters",
        MODULES,
        "referenceLocator",
        |broken| {
            broken.sbom_text(None, |text| text.replace("/upper/Case@", "/upper/case@"));
        },
    ),
    breakage("the public proxy as a place", MODULES, "packages[3]/downloadLocation", |broken| {
        broken.sbom(None, |document| {
            packages(document)[3]["downloadLocation"] = json!("https://proxy.example.com/x.zip");
        });
    }),
    breakage("an identifier with letters that SPDX forbids", MODULES, "/SPDXID", |broken| {
        broken.sbom_text(None, |text| text.replace("-devel-", "(devel)"));
    }),
    breakage("no base in the SBOM", MODULES, "latest shape", |broken| {
        broken.sbom(None, |document| drop(packages(document).remove(1)));
    }),
    breakage("no relationship to the base", MODULES, "latest shape", |broken| {
        broken.sbom(None, |document| {
            let list = document["relationships"].as_array_mut();
            list.expect("there are relationships").remove(1);
        });
    }),
    breakage("an SBOM that was made now", MODULES, "creationInfo/created", |broken| {
        broken.sbom(None, |document| {
            document["creationInfo"]["created"] = json!("2026-01-02T03:04:05Z");
        });
    }),
    breakage("an SBOM of a ko without a version", MODULES, "creators[0]", |broken| {
        broken.sbom(None, |document| document["creationInfo"]["creators"][0] = json!("Tool: ko"));
    }),
    breakage("an SBOM of another image", MODULES, "documentNamespace", |broken| {
        broken.sbom(None, |document| {
            let name = format!("http://spdx.org/spdxdocs/ko/{}", testkit::sha256(b"another"));
            document["documentNamespace"] = json!(name);
        });
    }),
    breakage("a compact SBOM", MODULES, "latest written", |broken| {
        broken.sbom_text(None, |text| {
            let value: Value = serde_json::from_str(&text).expect("a document is JSON");
            value.to_string()
        });
    }),
    breakage("an SBOM with its own letters for HTML's", MODULES, "latest written", |broken| {
        broken.sbom_text(None, |text| text.replace("\\u0026", "&"));
    }),
    breakage("an image missing from the SBOM of an index", INDEX, "out:latest shape", |broken| {
        broken.sbom(None, |document| drop(packages(document).pop()));
    }),
    breakage("no platform of an image of an index", INDEX, "sbom out:latest", |broken| {
        broken.sbom(None, |document| {
            packages(document)[2]["versionInfo"] = json!("linux");
        });
    }),
    breakage("ko's wrong base in the SBOM", INDEX, "sbom out:latest packages[1]", |broken| {
        broken.sbom(None, |document| {
            let name = format!("{}/base@{}", "localhost", testkit::sha256(b"nowhere"));
            packages(document)[1]["name"] = json!(name);
        });
    }),
    breakage(
        "the SBOM of a child about another",
        INDEX,
        "manifests[1] packages[0]/name",
        |broken| {
            broken.sbom(Some(1), |document| {
                packages(document)[0]["name"] = json!(testkit::sha256(b"another"));
            });
        },
    ),
    breakage("an SBOM missing from the directory", FILES, "file sboms/", |broken| {
        broken.run.files.remove("sboms/web-linux-arm-v7.spdx.json");
    }),
    breakage("an SBOM of the directory with another name", FILES, "file sboms/", |broken| {
        let files = &mut broken.run.files;
        let content = files.remove("sboms/web-index.spdx.json").expect("the case writes it");
        files.insert("sboms/index.spdx.json".to_owned(), content);
    }),
    breakage("an SBOM of the directory that is cut off", FILES, "file sboms/", |broken| {
        let file = broken.run.files.get_mut("sboms/web-linux-amd64.spdx.json");
        file.expect("the case writes it").truncate(200);
    }),
    breakage("no capabilities", CAPABLE, "only in ko's", |broken| {
        broken.image(|parts| {
            for layer in &mut parts.layers {
                layer.entries.retain(|(header, _)| header.entry_type() != tar::EntryType::XHeader);
            }
        });
    }),
    breakage("capabilities that are not effective", CAPABLE, ": content: ko", |broken| {
        broken.image(|parts| {
            for (header, content) in parts.layers.iter_mut().flat_map(|layer| &mut layer.entries) {
                if header.entry_type() == tar::EntryType::XHeader {
                    let at = content.iter().position(|&byte| byte == b'=').unwrap_or_default();
                    content[at + 1] = 0;
                }
            }
        });
    }),
    breakage("no security descriptor", WINDOWS, "only in ko's", |broken| {
        broken.image(|parts| {
            for layer in &mut parts.layers {
                layer.entries.retain(|(header, _)| header.entry_type() != tar::EntryType::XHeader);
            }
        });
    }),
    breakage("no Hives", WINDOWS, "Hives: only in ko's", |broken| {
        broken.image(|parts| parts.remove_entry("Hives"));
    }),
    breakage("an executable with its ending", WINDOWS, "Files/ko-app/web", |broken| {
        broken.image(|parts| {
            for (header, _) in parts.layers.iter_mut().flat_map(|layer| &mut layer.entries) {
                if name_of(header) == "Files/ko-app/web" {
                    header.set_path("Files/ko-app/web.exe").expect("it is short");
                    header.set_cksum();
                }
            }
        });
    }),
    breakage("no os.version", WINDOWS, "config shape", |broken| {
        broken.image(|parts| {
            let config = parts.config.as_object_mut().expect("a config is an object");
            config.shift_remove("os.version");
        });
    }),
    breakage("a link that is skipped in silence", WINDOWS, "stderr says skipping", |broken| {
        broken.run.stderr = broken.run.stderr.replace("skipping", "leaving out");
    }),
];

fn packages(document: &mut Value) -> &mut Vec<Value> {
    document["packages"].as_array_mut().expect("there are packages")
}
