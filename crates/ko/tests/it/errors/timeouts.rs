//! Time limits, and how often something is tried.

use super::{fails, last_words};
use crate::fixture::Fixture;
use crate::leftovers;
use std::time::Duration;
use testkit::registry::{Class, Fault, Rule};

#[test]
fn a_run_that_takes_too_long_says_what_it_waits_for() {
    let fixture = Fixture::new();
    let hang = Fault::Hang(Duration::from_secs(3600));
    fixture.registry.inject(Rule::new(hang).class(Class::ManifestGet));
    let output = fixture.build("--bare --timeout=2s").output();
    let words = last_words(&output);
    let host = fixture.registry.host();
    let wait = format!(
        "Error: timed out after 2s with this under way: GET http://{host}/v2/base/manifests/latest for "
    );
    assert!(output.stderr.contains(&wait), "{}", output.stderr);
    assert!(words.trim_end().ends_with("\nhint: --timeout gives a run more time"), "{words}");
    leftovers::assert_none(&fixture.sandbox, &[&fixture.sandbox.work()]);
    assert_eq!(fixture.registry.tags("out"), Vec::<String>::new());
}

#[test]
fn what_fails_for_ever_is_tried_as_often_as_the_user_wants() {
    let fixture = Fixture::new();
    let fault = Fault::status(503, "UNAVAILABLE");
    fixture.registry.inject(Rule::new(fault).class(Class::ManifestGet));
    let words = fails(fixture.build("--bare --retries=0"));
    assert_eq!(fixture.registry.counts().of(Class::ManifestGet), 1);
    assert!(words.contains("UNAVAILABLE: injected fault\nhint: "), "{words}");
    fixture.registry.reset();
    let words = fails(fixture.build("--bare --retries=1"));
    assert_eq!(fixture.registry.counts().of(Class::ManifestGet), 2);
    assert!(words.contains("UNAVAILABLE: injected fault (2 attempts in "), "{words}");
}
