//! Finds an object store and who we are there: what the URL says goes before what the
//! tools of the store say in their variables and files.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credentials::Stores;
use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::azure::{AzureAccessKey, AzureCredential, MicrosoftAzureBuilder};
use object_store::client::{CredentialProvider, StaticCredentialProvider};
use object_store::gcp::{GcpCredential, GcpCredentialProvider, GoogleCloudStorageBuilder};
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use registry::{KeychainError, Variables};

use super::http::Connector;
use super::refusal;
use crate::{CacheUrl, Meter, Scheme, StorageError};

/// Where Amazon has what nobody says a region of.
const REGION: &str = "us-east-1";

type Found = Arc<dyn ObjectStore>;

/// The store of a URL.
pub(super) async fn find(
    url: &CacheUrl,
    stores: &Arc<Stores>,
    meter: &Meter,
) -> Result<Found, StorageError> {
    let client = stores.client().build();
    let client = client.map_err(|error| StorageError::Unreachable(Box::new(error)))?;
    let http = Connector::new(client, meter.clone());
    match url.scheme() {
        Scheme::Gs => google(url, stores, http),
        Scheme::Az => azure(url, stores, http),
        _ => s3(url, stores, http).await,
    }
}

/// The first part of the place: a bucket or a container.
pub(super) fn bucket(url: &CacheUrl) -> &str {
    url.place().split('/').next().unwrap_or_default()
}

/// One more attempt, for a connection that was closed while nobody used it.
fn retry() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: std::time::Duration::from_millis(50),
        ..BackoffConfig::default()
    };
    RetryConfig { max_retries: 1, backoff, ..RetryConfig::default() }
}

async fn s3(url: &CacheUrl, stores: &Arc<Stores>, http: Connector) -> Result<Found, StorageError> {
    let known = stores.s3_place().await.map_err(|error| denied(&error))?;
    let region = url.parameter("region").map(str::to_owned).or(known.region);
    let region = region.unwrap_or_else(|| REGION.to_owned());
    let endpoint = url.parameter("endpoint").map(str::to_owned).or(known.endpoint);
    let (stores, bucket) = (Arc::clone(stores), bucket(url));
    let builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&region)
        .with_credentials(Arc::new(S3 { stores, region }))
        .with_allow_http(true)
        // Many that speak like S3 do not know how to delete several at once.
        .with_disable_bulk_delete(true)
        .with_retry(retry())
        .with_http_connector(http);
    // A certificate of a host that begins with the bucket's name has no dots there.
    let is_virtual = match url.parameter("style") {
        Some(style) => style == "virtual",
        None => endpoint.is_none() && !bucket.contains('.'),
    };
    let builder = builder.with_virtual_hosted_style_request(is_virtual);
    let builder = match endpoint {
        Some(endpoint) if is_virtual => {
            builder.with_endpoint(endpoint.replacen("://", &format!("://{bucket}."), 1))
        }
        Some(endpoint) => builder.with_endpoint(endpoint),
        None => builder,
    };
    built(builder.build())
}

fn google(url: &CacheUrl, stores: &Arc<Stores>, http: Connector) -> Result<Found, StorageError> {
    let emulator = stores.variables().text("STORAGE_EMULATOR_HOST");
    let mut credentials: GcpCredentialProvider = Arc::new(Google(Arc::clone(stores)));
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket(url))
        .with_retry(retry())
        .with_http_connector(http);
    // As Google's own clients have it: who has an emulator needs no credentials.
    if let Some(host) = &emulator {
        let host = host.trim_end_matches('/');
        let with_scheme = if host.contains("://") { "" } else { "http://" };
        builder = builder.with_base_url(&format!("{with_scheme}{host}"));
        let nobody = GcpCredential { bearer: "emulator".to_owned() };
        credentials = Arc::new(StaticCredentialProvider::new(nobody));
    }
    if let Some(endpoint) = url.parameter("endpoint") {
        builder = builder.with_base_url(endpoint.trim_end_matches('/'));
    }
    built(builder.with_credentials(credentials).build())
}

fn azure(url: &CacheUrl, stores: &Arc<Stores>, http: Connector) -> Result<Found, StorageError> {
    let variables = stores.variables();
    let connection = variables.text("AZURE_STORAGE_CONNECTION_STRING").unwrap_or_default();
    let of_connection = |name: &str| {
        connection
            .split(';')
            .find_map(|pair| Some(pair.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
    };
    let account = url.parameter("account").map(str::to_owned);
    let account = account.or_else(|| variables.text("AZURE_STORAGE_ACCOUNT"));
    let account = account.or_else(|| of_connection("AccountName")).ok_or_else(|| {
        let message = "there is no storage account: set AZURE_STORAGE_ACCOUNT, or ?account=";
        StorageError::Denied { message: message.to_owned() }
    })?;
    let endpoint = url.parameter("endpoint").map(str::to_owned);
    let endpoint = endpoint.or_else(|| variables.text("AZURE_STORAGE_SERVICE_ENDPOINT"));
    let endpoint = endpoint.or_else(|| of_connection("BlobEndpoint"));
    let builder = MicrosoftAzureBuilder::new()
        .with_account(&account)
        .with_container_name(bucket(url))
        .with_allow_http(true)
        .with_retry(retry())
        .with_http_connector(http);
    let builder = match endpoint {
        Some(endpoint) => builder.with_endpoint(endpoint.trim_end_matches('/').to_owned()),
        None => builder,
    };
    let key = azure_key(variables, of_connection("AccountKey"))?;
    let sas = variables.text("AZURE_STORAGE_SAS_TOKEN");
    let sas = sas.or_else(|| of_connection("SharedAccessSignature"));
    let credentials = match (key, sas) {
        (Some(key), _) => Azure::Known(Arc::new(AzureCredential::AccessKey(key))),
        (None, Some(sas)) => {
            let pairs = sas.trim_start_matches('?').split('&');
            let pairs = pairs.filter_map(|pair| pair.split_once('='));
            // The library encodes what it is given.
            let pairs = pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
            Azure::Known(Arc::new(AzureCredential::SASToken(pairs)))
        }
        (None, None) => Azure::Asked(Arc::clone(stores)),
    };
    built(builder.with_credentials(Arc::new(credentials)).build())
}

fn azure_key(
    variables: &Variables,
    of_connection: Option<String>,
) -> Result<Option<AzureAccessKey>, StorageError> {
    let Some(key) = variables.text("AZURE_STORAGE_KEY").or(of_connection) else { return Ok(None) };
    let key = AzureAccessKey::try_new(&key).ok().filter(|_| STANDARD.decode(&key).is_ok());
    key.map(Some).ok_or_else(|| StorageError::Denied {
        message: "the key of the storage account is not base64".to_owned(),
    })
}

fn decoded(value: &str) -> String {
    let pair = format!("={value}").replace('+', "%2B");
    form_urlencoded::parse(pair.as_bytes()).map(|(_, value)| value.into_owned()).collect()
}

fn built<T: ObjectStore>(store: object_store::Result<T>) -> Result<Found, StorageError> {
    match store {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => Err(StorageError::Unexpected { message: refusal::text(&error) }),
    }
}

fn denied(error: &KeychainError) -> StorageError {
    StorageError::Denied { message: error.to_string() }
}

fn unknown(error: KeychainError) -> object_store::Error {
    object_store::Error::Unauthenticated { path: String::new(), source: Box::new(error) }
}

#[derive(Debug)]
struct S3 {
    stores: Arc<Stores>,
    region: String,
}

#[async_trait]
impl CredentialProvider for S3 {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let keys = self.stores.s3_keys(&self.region).await.map_err(unknown)?;
        Ok(Arc::new(AwsCredential {
            key_id: keys.id,
            secret_key: keys.secret.expose().into_owned(),
            token: keys.session_token.map(|token| token.expose().into_owned()),
        }))
    }
}

#[derive(Debug)]
struct Google(Arc<Stores>);

#[async_trait]
impl CredentialProvider for Google {
    type Credential = GcpCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<GcpCredential>> {
        let token = self.0.google_token().await.map_err(unknown)?;
        Ok(Arc::new(GcpCredential { bearer: token.expose().into_owned() }))
    }
}

/// The first is not printed: it has a key in it.
enum Azure {
    Known(Arc<AzureCredential>),
    Asked(Arc<Stores>),
}

impl std::fmt::Debug for Azure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Azure")
    }
}

#[async_trait]
impl CredentialProvider for Azure {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        match self {
            Self::Known(credential) => Ok(Arc::clone(credential)),
            Self::Asked(stores) => {
                let token = stores.azure_token().await.map_err(unknown)?;
                Ok(Arc::new(AzureCredential::BearerToken(token.expose().into_owned())))
            }
        }
    }
}
