//! Values of flags: lists as CSV, sizes, durations. What is written as RFC 4180 has it is
//! read as it was.
#![no_main]
#![allow(
    dead_code,
    unused_imports,
    reason = "modules of another crate, of which this takes a part"
)]

#[path = "../../crates/ko/src/cli/csv.rs"]
mod csv;
#[path = "../../crates/ko/src/cli/quantity.rs"]
mod quantity;

use libfuzzer_sys::fuzz_target;

fn quoted(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}

fuzz_target!(|text: &str| {
    if let Ok(fields) = csv::record(text) {
        let again: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
        assert_eq!(csv::record(&again.join(",")), Ok(fields));
    }
    // Only the first line counts.
    let line = text.replace(['\n', '\r'], "");
    let fields: Vec<&str> = line.split('|').collect();
    let record: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    assert_eq!(csv::record(&record.join(",")).expect("it is quoted"), fields);
    if let Ok(bytes) = quantity::size(text) {
        let _ = quantity::readable(bytes);
    }
    let _ = quantity::duration(text);
});
