//! Nothing: the dependencies are what counts.

fn main() {}
