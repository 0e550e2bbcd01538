//! Builds programs of the module in the working directory into an OCI image
//! layout, and prints what became of them:
//!
//! ```sh
//! cargo run -p ko-engine --example build -- ./cmd/app
//! ```

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a program of its own")]

use std::error::Error;

use ko_engine::{
    DestinationOptions, Engine, Environment, Event, Layout, Limits, Network, Observer, Options,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let environment = Environment::from_iter(std::env::vars_os());

    let mut destination = DestinationOptions::new("");
    destination.layout = Some(Layout { path: "images".into(), named: true });
    let mut options = Options::new(
        std::env::current_dir()?,
        environment,
        Limits::default(),
        destination,
        Network::default(),
    );
    options.cache = Some(std::env::temp_dir().join("ko-example"));

    // Called from any thread, so it must not block; `Observer::channel` has a
    // receiver instead.
    let observer = Observer::new(|event| {
        if let Event::Stale { import_path, platform, reason } = event {
            println!("{import_path} for {platform} is built: {reason}");
        }
    });
    let engine = Engine::start(options, observer).await?;
    let plan = engine.plan(&words).await?;
    println!("{}", serde_json::to_string_pretty(&plan)?);
    for published in engine.execute(&plan).await? {
        println!("{} {}", published.import_path, published.artifact.digest());
    }
    engine.settle().await;
    Ok(())
}
