//! A server that speaks Bazel's Remote Execution API v2, as a cache alone. Blobs are in
//! its content-addressable storage. A record is there as well; the action cache names it
//! as the output of an action whose digest is that of the record's name.
//!
//! Blobs are not compressed on the way, since what a build leaves in a cache is compressed
//! already. The API has no condition for an action's result: what two write at once is
//! lost for one of them. It lists and removes nothing: servers remove what was not used
//! for long.

mod channel;
mod messages;

use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use credentials::Stores;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use oci::Digest;
use tokio::sync::OnceCell;
use tonic::{Code, Status};

use crate::storage::{ByteStream, Entry, EntryId, Storage, Version, Versioned, Written};
use crate::{BlobId, Body, CacheUrl, Meter, RecordName, StorageError};

use channel::Channel;
use messages::{
    ActionResult, BatchUpdateBlobsRequest, BatchUpdateBlobsResponse, CacheCapabilities,
    FindMissingBlobsRequest, FindMissingBlobsResponse, GetActionResultRequest,
    GetCapabilitiesRequest, ReadRequest, ReadResponse, SHA256, ServerCapabilities,
    UpdateActionResultRequest, UpdateBlob, WriteRequest, WriteResponse,
};

const CAPABILITIES: &str = "/build.bazel.remote.execution.v2.Capabilities/GetCapabilities";
const FIND: &str = "/build.bazel.remote.execution.v2.ContentAddressableStorage/FindMissingBlobs";
const UPDATE: &str = "/build.bazel.remote.execution.v2.ContentAddressableStorage/BatchUpdateBlobs";
const GET_RESULT: &str = "/build.bazel.remote.execution.v2.ActionCache/GetActionResult";
const UPDATE_RESULT: &str = "/build.bazel.remote.execution.v2.ActionCache/UpdateActionResult";
const READ: &str = "/google.bytestream.ByteStream/Read";
const WRITE: &str = "/google.bytestream.ByteStream/Write";

/// The version of what records look like: a part of the names of actions.
const LAYOUT: &str = "ko-cache-v1";

/// A blob up to this size is sent in one message.
const SMALL: u64 = 1 << 20;

/// The largest record that is read, in bytes.
const MAX_RECORD: i64 = 64 << 20;

type Result<T> = std::result::Result<T, StorageError>;

/// A server.
#[derive(Debug)]
pub struct ReapiStorage {
    url: CacheUrl,
    instance: String,
    stores: Arc<Stores>,
    meter: Meter,
    channel: OnceCell<Channel>,
}

impl ReapiStorage {
    /// The path of the URL is the name of the instance.
    #[must_use]
    pub fn new(url: CacheUrl, stores: Arc<Stores>, meter: Meter) -> Self {
        let instance = url.place().split_once('/').map_or("", |(_, instance)| instance);
        let instance = instance.trim_matches('/').to_owned();
        Self { url, instance, stores, meter, channel: OnceCell::new() }
    }

    async fn channel(&self) -> Result<&Channel> {
        let new = || async { Channel::new(&self.url, &self.stores, self.meter.clone()) };
        self.channel.get_or_try_init(new).await
    }

    async fn capabilities(&self) -> Result<CacheCapabilities> {
        let request = GetCapabilitiesRequest { instance_name: self.instance.clone() };
        let answer = self.channel().await?.unary(CAPABILITIES, request).await;
        let answer: ServerCapabilities = answer.map_err(|status| match status.code() {
            Code::NotFound | Code::InvalidArgument => StorageError::NoPlace {
                what: format!("instance {:?}: {}", self.instance, status.message()),
            },
            _ => meaning(&status),
        })?;
        answer.cache_capabilities.ok_or_else(|| StorageError::Unexpected {
            message: "the server has no cache".to_owned(),
        })
    }

    /// `<instance>/…`
    fn resource(&self, rest: &str) -> String {
        match self.instance.as_str() {
            "" => rest.to_owned(),
            instance => format!("{instance}/{rest}"),
        }
    }

    async fn result(&self, name: &RecordName) -> Result<Option<ActionResult>> {
        let request = GetActionResultRequest {
            instance_name: self.instance.clone(),
            action_digest: Some(action(name)),
            inline_stdout: true,
        };
        match self.channel().await?.unary(GET_RESULT, request).await {
            Ok(result) => Ok(Some(result)),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(meaning(&status)),
        }
    }

    async fn read_record(&self, name: &RecordName) -> Result<Option<Versioned>> {
        let Some(result) = self.result(name).await? else { return Ok(None) };
        let Some(digest) = result.stdout_digest else { return Ok(None) };
        let version = Version(digest.hash.clone());
        if !result.stdout_raw.is_empty() || digest.size_bytes == 0 {
            self.meter.received(result.stdout_raw.len());
            return Ok(Some(Versioned { bytes: result.stdout_raw, version }));
        }
        if digest.size_bytes > MAX_RECORD {
            let message = format!("a record of {} bytes", digest.size_bytes);
            return Err(StorageError::Unexpected { message });
        }
        let Some(chunks) = self.chunks(&digest).await? else { return Ok(None) };
        let bytes = chunks.try_fold(BytesMut::new(), |mut bytes, chunk| async move {
            bytes.extend_from_slice(&chunk);
            Ok(bytes)
        });
        Ok(Some(Versioned { bytes: bytes.await?.freeze(), version }))
    }

    async fn write_record(
        &self,
        name: &RecordName,
        bytes: Bytes,
        previous: Option<&Version>,
    ) -> Result<Written> {
        let found = self.result(name).await?.and_then(|result| result.stdout_digest);
        if found.map(|digest| Version(digest.hash)).as_ref() != previous {
            return Ok(Written::Conflict);
        }
        let blob = BlobId { digest: Digest::of(&bytes), size: bytes.len() as u64 };
        self.put_blob(&blob, Body::from_bytes(bytes, &self.meter)).await?;
        let result = ActionResult { stdout_digest: Some(digest(&blob)), stdout_raw: Bytes::new() };
        let request = UpdateActionResultRequest {
            instance_name: self.instance.clone(),
            action_digest: Some(action(name)),
            action_result: Some(result),
        };
        let updated = self.channel().await?.unary(UPDATE_RESULT, request).await;
        let _: ActionResult = updated.map_err(|status| meaning(&status))?;
        Ok(Written::Done)
    }

    async fn chunks(&self, digest: &messages::Digest) -> Result<Option<ByteStream>> {
        let resource_name = self.resource(&format!("blobs/{}/{}", digest.hash, digest.size_bytes));
        let answer = self.channel().await?.read(READ, ReadRequest { resource_name }).await;
        let mut messages = match answer {
            Ok(messages) => messages,
            Err(status) if status.code() == Code::NotFound => return Ok(None),
            Err(status) => return Err(meaning(&status)),
        };
        // That there is no such blob may be said only where the first bytes would be.
        let first: Option<ReadResponse> = match messages.message().await {
            Ok(first) => first,
            Err(status) if status.code() == Code::NotFound => return Ok(None),
            Err(status) => return Err(meaning(&status)),
        };
        let meter = self.meter.clone();
        let chunks = stream::iter(first.map(Ok))
            .chain(messages)
            .map_ok(|message| message.data)
            .map_err(|status| meaning(&status))
            .inspect_ok(move |chunk| meter.received(chunk.len()));
        Ok(Some(chunks.boxed()))
    }

    async fn put_blob(&self, blob: &BlobId, body: Body) -> Result<()> {
        match blob.size {
            // It is everywhere.
            0 => Ok(()),
            1..=SMALL => self.send_at_once(blob, &body).await,
            _ => self.send_in_pieces(blob, &body).await,
        }
    }

    async fn send_at_once(&self, blob: &BlobId, body: &Body) -> Result<()> {
        let chunks: Vec<Bytes> = body.stream().await?.try_collect().await?;
        let data = match chunks.as_slice() {
            [chunk] => chunk.clone(),
            chunks => chunks.concat().into(),
        };
        let request = BatchUpdateBlobsRequest {
            instance_name: self.instance.clone(),
            requests: vec![UpdateBlob { digest: Some(digest(blob)), data }],
        };
        let updated = self.channel().await?.unary(UPDATE, request).await;
        let updated: BatchUpdateBlobsResponse = updated.map_err(|status| meaning(&status))?;
        let statuses = updated.responses.into_iter().filter_map(|response| response.status);
        match statuses.into_iter().find(|status| status.code != 0) {
            Some(status) => Err(meaning(&Status::new(status.code.into(), status.message))),
            None => Ok(()),
        }
    }

    async fn send_in_pieces(&self, blob: &BlobId, body: &Body) -> Result<()> {
        let random = fastrand::u128(..);
        let bits = [random >> 96, random >> 80, random >> 64, random >> 48, random];
        let masks = [0xffff_ffff, 0xffff, 0xfff, 0xfff, 0xffff_ffff_ffff];
        let [a, b, c, d, e] = std::array::from_fn(|at| bits[at] & masks[at]);
        let uuid = format!("{a:08x}-{b:04x}-4{c:03x}-8{d:03x}-{e:012x}");
        let (hash, size) = (blob.digest.hex(), blob.size);
        let resource_name = self.resource(&format!("uploads/{uuid}/blobs/{hash}/{size}"));
        let failure: Arc<Mutex<Option<StorageError>>> = Arc::default();
        let failed = Arc::clone(&failure);
        let messages = body.stream().await?.scan(0_u64, move |offset, chunk| {
            let message = match chunk {
                Ok(data) => {
                    let write_offset = *offset;
                    *offset += data.len() as u64;
                    Some(WriteRequest {
                        resource_name: resource_name.clone(),
                        write_offset: i64::try_from(write_offset).unwrap_or(i64::MAX),
                        finish_write: *offset == size,
                        data,
                    })
                }
                Err(error) => {
                    *failed.lock().expect("no holder of this lock panics") = Some(error);
                    None
                }
            };
            std::future::ready(message)
        });
        let written = self.channel().await?.write(WRITE, messages).await;
        if let Some(error) = failure.lock().expect("no holder of this lock panics").take() {
            return Err(error);
        }
        let written: WriteResponse = written.map_err(|status| meaning(&status))?;
        match u64::try_from(written.committed_size) {
            Ok(committed) if committed == size => Ok(()),
            _ => Err(StorageError::Unexpected {
                message: format!("{} of {size} bytes were stored", written.committed_size),
            }),
        }
    }

    async fn find_missing(&self, blobs: &[BlobId]) -> Result<Vec<BlobId>> {
        if blobs.is_empty() {
            return Ok(Vec::new());
        }
        let request = FindMissingBlobsRequest {
            instance_name: self.instance.clone(),
            blob_digests: blobs.iter().map(digest).collect(),
        };
        let found = self.channel().await?.unary(FIND, request).await;
        let found: FindMissingBlobsResponse = found.map_err(|status| meaning(&status))?;
        let is_missing = |blob: &&BlobId| found.missing_blob_digests.contains(&digest(blob));
        Ok(blobs.iter().filter(is_missing).copied().collect())
    }

    async fn may_write(&self) -> Result<()> {
        let capabilities = self.capabilities().await?;
        let may = capabilities.action_cache_update_capabilities;
        let refused = if !capabilities.digest_functions.contains(&SHA256) {
            Some("the server does not know SHA-256")
        } else if !may.is_some_and(|may| may.update_enabled) {
            Some("the server takes no results of actions")
        } else {
            None
        };
        if let Some(message) = refused {
            return Err(StorageError::Denied { message: message.to_owned() });
        }
        let bytes = Bytes::from_static(b"ko");
        let blob = BlobId { digest: Digest::of(&bytes), size: bytes.len() as u64 };
        self.put_blob(&blob, Body::from_bytes(bytes, &self.meter)).await
    }
}

fn digest(blob: &BlobId) -> messages::Digest {
    let size_bytes = i64::try_from(blob.size).unwrap_or(i64::MAX);
    messages::Digest { hash: blob.digest.hex(), size_bytes }
}

/// The action whose output is a record.
fn action(name: &RecordName) -> messages::Digest {
    let text = format!("{LAYOUT}/{name}");
    digest(&BlobId { digest: Digest::of(text.as_bytes()), size: text.len() as u64 })
}

fn meaning(status: &Status) -> StorageError {
    let message = format!("{}: {}", status.code(), status.message());
    match status.code() {
        Code::PermissionDenied | Code::Unauthenticated => StorageError::Denied { message },
        Code::ResourceExhausted => StorageError::Full { message },
        Code::InvalidArgument
        | Code::FailedPrecondition
        | Code::Unimplemented
        | Code::OutOfRange => StorageError::Unexpected { message },
        _ => {
            let mut text = message;
            let mut cause = std::error::Error::source(status);
            while let Some(error) = cause {
                let said = error.to_string();
                if !text.contains(&said) {
                    text = format!("{text}: {said}");
                }
                cause = error.source();
            }
            StorageError::Unreachable(text.into())
        }
    }
}

fn unsupported<T: Send + 'static>(operation: &'static str) -> BoxFuture<'static, Result<T>> {
    let message = "the Remote Execution API has no call for it; the server removes what was \
                   not used for long";
    let error = StorageError::Unsupported { operation, message: message.to_owned() };
    std::future::ready(Err(error)).boxed()
}

impl Storage for ReapiStorage {
    fn read<'a>(&'a self, name: &'a RecordName) -> BoxFuture<'a, Result<Option<Versioned>>> {
        self.read_record(name).boxed()
    }

    fn write<'a>(
        &'a self,
        name: &'a RecordName,
        bytes: Bytes,
        previous: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Written>> {
        self.write_record(name, bytes, previous).boxed()
    }

    fn missing<'a>(&'a self, blobs: &'a [BlobId]) -> BoxFuture<'a, Result<Vec<BlobId>>> {
        self.find_missing(blobs).boxed()
    }

    fn get<'a>(&'a self, blob: &'a BlobId) -> BoxFuture<'a, Result<Option<ByteStream>>> {
        async move {
            match blob.size {
                0 => Ok(Some(stream::empty().boxed())),
                _ => self.chunks(&digest(blob)).await,
            }
        }
        .boxed()
    }

    fn put<'a>(&'a self, blob: &'a BlobId, body: Body) -> BoxFuture<'a, Result<()>> {
        self.put_blob(blob, body).boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Entry>>> {
        unsupported("list what is there")
    }

    fn remove<'a>(&'a self, _: &'a EntryId) -> BoxFuture<'a, Result<()>> {
        unsupported("remove anything")
    }

    fn try_writing(&self) -> BoxFuture<'_, Result<()>> {
        self.may_write().boxed()
    }
}
