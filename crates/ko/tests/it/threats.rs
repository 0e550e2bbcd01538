//! Each promise of the threat model and of the page on reliability names its tests: they
//! have to be there.

use std::fs;
use std::path::Path;

use regex::Regex;

const PAGES: [&str; 2] = ["docs/design/0028-threat-model.md", "docs/reliability.md"];

#[test]
fn every_test_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let name = Regex::new(r"`([a-z-]+)::([a-z_:]+)::([a-z0-9_]+)`").unwrap();
    for page in PAGES {
        let text = fs::read_to_string(root.join(page)).unwrap();
        let mut count = 0;
        for found in name.captures_iter(&text) {
            let (file, test) = (found[2].replace("::", "/"), &found[3]);
            let dir = root.join("crates").join(&found[1]);
            let places = [format!("tests/it/{file}.rs"), format!("src/{file}.rs")];
            let signature = format!("fn {test}()");
            let exists = places.iter().any(|place| {
                fs::read_to_string(dir.join(place)).is_ok_and(|text| text.contains(&signature))
            });
            assert!(exists, "{page}: {}", &found[0]);
            count += 1;
        }
        assert!(count >= 10, "{page} names {count} tests");
    }
}
