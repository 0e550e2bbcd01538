//! Caches that are slow, broken or wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, pending};
use futures::{FutureExt as _, StreamExt as _, stream};
use ko_shared_cache::{
    BlobId, Body, ByteStream, Entry, EntryId, Fetched, Meter, RecordName, SharedCache, Storage,
    StorageError, Version, Versioned, Written,
};

use crate::conformance::{blob, name};

/// What is wrong with a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It never answers.
    Hangs,
    /// It answers, byte by byte, a second for each.
    Slow,
    /// It begins a blob and says no more.
    Stops,
    /// One byte is another.
    Damages,
    /// The end is missing.
    Cuts,
    /// There is more than there should be.
    Adds,
    /// It may be read only.
    Refuses,
    /// Somebody else always writes first.
    Overtaken,
}

#[derive(Debug)]
struct Faulty {
    fault: Fault,
    meter: Meter,
    asked: AtomicUsize,
}

const CONTENT: &[u8] = b"content";

impl Faulty {
    fn cache(fault: Fault) -> (SharedCache, Arc<Self>) {
        let meter = Meter::new();
        let faulty = Arc::new(Self { fault, meter: meter.clone(), asked: AtomicUsize::new(0) });
        let url = "file:///faulty".parse().unwrap();
        (SharedCache::new(url, Arc::clone(&faulty) as _, meter), faulty)
    }

    fn answer<'a, T: Send + 'a>(
        &'a self,
        answer: Result<T, StorageError>,
    ) -> BoxFuture<'a, Result<T, StorageError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            Fault::Hangs => pending().boxed(),
            _ => async { answer }.boxed(),
        }
    }

    fn written<T>(&self, done: T) -> Result<T, StorageError> {
        match self.fault {
            Fault::Refuses => Err(StorageError::Denied { message: "read only".to_owned() }),
            _ => Ok(done),
        }
    }
}

impl Storage for Faulty {
    fn read<'a>(
        &'a self,
        _: &'a RecordName,
    ) -> BoxFuture<'a, Result<Option<Versioned>, StorageError>> {
        let version = Version("1".to_owned());
        self.answer(Ok(Some(Versioned { bytes: CONTENT.into(), version })))
    }

    fn write<'a>(
        &'a self,
        _: &'a RecordName,
        _: Bytes,
        _: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Written, StorageError>> {
        let done = if self.fault == Fault::Overtaken { Written::Conflict } else { Written::Done };
        self.answer(self.written(done))
    }

    fn missing<'a>(&'a self, _: &'a [BlobId]) -> BoxFuture<'a, Result<Vec<BlobId>, StorageError>> {
        self.answer(Ok(Vec::new()))
    }

    fn get<'a>(&'a self, _: &'a BlobId) -> BoxFuture<'a, Result<Option<ByteStream>, StorageError>> {
        let whole = || stream::iter([Ok(Bytes::from_static(CONTENT))]);
        let chunks = match self.fault {
            Fault::Stops => stream::iter([Ok("con".into())]).chain(stream::pending()).boxed(),
            Fault::Damages => stream::iter([Ok("c0ntent".into())]).boxed(),
            Fault::Cuts => stream::iter([Ok(Bytes::from_static(&CONTENT[..6]))]).boxed(),
            Fault::Adds => whole().chain(stream::iter([Ok("!".into())])).boxed(),
            Fault::Slow => {
                let meter = self.meter.clone();
                let bytes = stream::iter(CONTENT.chunks(1).map(Bytes::from_static));
                let slowly = bytes.then(move |byte| {
                    let meter = meter.clone();
                    async move {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        meter.received(byte.len());
                        Ok(byte)
                    }
                });
                slowly.boxed()
            }
            _ => whole().boxed(),
        };
        self.answer(Ok(Some(chunks)))
    }

    fn put<'a>(&'a self, _: &'a BlobId, _: Body) -> BoxFuture<'a, Result<(), StorageError>> {
        self.answer(self.written(()))
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Entry>, StorageError>> {
        self.answer(Ok(Vec::new()))
    }

    fn remove<'a>(&'a self, _: &'a EntryId) -> BoxFuture<'a, Result<(), StorageError>> {
        self.answer(self.written(()))
    }

    fn try_writing(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.answer(self.written(()))
    }
}

async fn fetch(cache: &SharedCache) -> (Fetched, Vec<u8>) {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(16);
    let fetched = cache.fetch(&blob(CONTENT), &sender).await;
    drop(sender);
    let mut received = Vec::new();
    while let Some(chunk) = receiver.recv().await {
        received.extend_from_slice(&chunk);
    }
    (fetched, received)
}

/// Two seconds once, whatever is asked of it, and nothing afterwards.
#[tokio::test(start_paused = true)]
async fn one_that_hangs_is_waited_for_once() {
    let (cache, faulty) = Faulty::cache(Fault::Hangs);
    let began = tokio::time::Instant::now();
    assert!(cache.read(&name("outcomes", "x")).await.is_none());
    assert!(matches!(fetch(&cache).await.0, Fetched::Missing));
    assert!(!cache.update(&name("outcomes", "x"), |_| Some(Bytes::new())).await);
    assert!(!cache.send_bytes(&blob(CONTENT), CONTENT.into()).await);
    assert_eq!(cache.missing(&[blob(CONTENT)]).await, [blob(CONTENT)]);
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert_eq!(faulty.asked.load(Ordering::Relaxed), 1);
    assert_eq!(cache.failure().unwrap().to_string(), "no progress for 2 s");
}

#[tokio::test(start_paused = true)]
async fn one_that_stops_in_the_middle_is_given_up() {
    let (cache, _) = Faulty::cache(Fault::Stops);
    let began = tokio::time::Instant::now();
    let (fetched, received) = fetch(&cache).await;
    assert!(matches!(fetched, Fetched::Missing), "{fetched:?}");
    assert_eq!(received, b"con");
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert!(cache.failure().is_some());
}

#[tokio::test(start_paused = true)]
async fn one_that_is_slow_and_goes_on_is_waited_for() {
    let (cache, _) = Faulty::cache(Fault::Slow);
    let (fetched, received) = fetch(&cache).await;
    assert!(matches!(fetched, Fetched::Whole), "{fetched:?}");
    assert_eq!(received, CONTENT);
    assert!(cache.failure().is_none());
}

#[tokio::test]
async fn what_is_not_what_its_digest_says_is_noticed() {
    for fault in [Fault::Damages, Fault::Cuts, Fault::Adds] {
        let (cache, _) = Faulty::cache(fault);
        let (fetched, _) = fetch(&cache).await;
        assert!(matches!(fetched, Fetched::Damaged), "{fault:?}: {fetched:?}");
        // One object says nothing of the others, and can be written again.
        assert!(cache.failure().is_none());
        assert_eq!(cache.missing(&[blob(CONTENT)]).await, [blob(CONTENT)], "{fault:?}");
    }
}

#[tokio::test]
async fn one_that_refuses_writes_is_not_written_again() {
    let (cache, faulty) = Faulty::cache(Fault::Refuses);
    assert!(!cache.send_bytes(&blob(CONTENT), CONTENT.into()).await);
    assert!(!cache.send_bytes(&blob(CONTENT), CONTENT.into()).await);
    assert_eq!(faulty.asked.load(Ordering::Relaxed), 1);
    assert_eq!(cache.failure().unwrap().to_string(), "not allowed: read only");
}

#[tokio::test]
async fn an_update_that_is_always_overtaken_ends() {
    let (cache, faulty) = Faulty::cache(Fault::Overtaken);
    assert!(!cache.update(&name("outcomes", "x"), |_| Some(Bytes::new())).await);
    assert_eq!(faulty.asked.load(Ordering::Relaxed), 8);
    assert!(cache.failure().is_none());
}
