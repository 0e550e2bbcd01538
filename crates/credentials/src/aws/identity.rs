//! Proves to others who we are at AWS: a signed request that says so is sent by
//! them (`GetCallerIdentity`).

use std::sync::Arc;

use registry::Secret;
use reqwest::Method;
use serde_json::json;

use super::chain::Chain;
use super::metadata;
use super::sign::{self, Service};
use crate::http::{Ask, Reach};
use crate::machine::Machine;
use crate::problem::{Problem, Result};

/// The request for Google's token server, which is called `audience`. `{region}`
/// in the URL stands for where we are.
pub(crate) async fn proof(machine: &Arc<Machine>, url: &str, audience: &str) -> Result<Secret> {
    let variables = &machine.variables;
    let named = variables.text("AWS_REGION").or_else(|| variables.text("AWS_DEFAULT_REGION"));
    let region = match named {
        Some(region) => region,
        None => metadata::region(machine).await?,
    };
    let keys = Chain::new(Arc::clone(machine)).keys(&region).await?;
    let ask = Ask::new(Method::POST, &url.replace("{region}", &region), Reach::Net)?
        .header("x-goog-cloud-target-resource", audience)?;
    let ask = sign::sign(ask, &keys, Service { region: &region, name: "sts" }, sign::now())?;
    let (method, url, headers, _) = ask.parts();
    let host = url.host_str().ok_or_else(|| Problem::malformed(url, "it has no host"))?;
    let mut list = vec![json!({ "key": "host", "value": host })];
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        list.push(json!({ "key": name.as_str(), "value": value }));
    }
    let request = json!({ "url": url.as_str(), "method": method.as_str(), "headers": list });
    let text: String = form_urlencoded::byte_serialize(request.to_string().as_bytes()).collect();
    // A blank in whichever way this is undone.
    Ok(Secret::new(text.replace('+', "%20")))
}
