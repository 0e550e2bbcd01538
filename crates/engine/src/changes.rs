//! Explains a rebuilt image: compares its base and kodata with those of the last
//! run. Diagnostics only.

use oci::{DiffId, Digest};
use serde::{Deserialize, Serialize};
use store::Store;

use crate::blocking::with_store;
use crate::build::{KodataLayer, Program};
use crate::events::{Event, Observer, Part};
use crate::image::BaseImage;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ImageInputs {
    base: Option<Digest>,
    kodata: DiffId,
}

impl store::Record for ImageInputs {
    const KIND: &'static str = "image-parts";
    const VERSION: u32 = 1;
}

/// Emits the inputs of an image that differ from the last run.
pub(crate) async fn explain(
    store: &Store,
    observer: &Observer,
    program: &Program,
    base: &BaseImage,
    kodata: &KodataLayer,
) {
    let import_path = program.main.import_path.to_string();
    let platform = base.platform();
    let key = format!("{import_path} {platform} {}", program.dir.display());
    let is =
        ImageInputs { base: base.named().map(|(_, digest)| digest), kodata: kodata.layer.diff_id };
    let exchange = {
        let is = is.clone();
        move |store: &Store| {
            let was: Option<ImageInputs> = store.record(&key);
            if was.as_ref() != Some(&is) {
                // Without, nothing is said the next time.
                let _ = store.put_record(&key, &is);
            }
            was
        }
    };
    let was = with_store(store, exchange).await.filter(|was| *was != is);
    if let Some(was) = was {
        let emit = |part| {
            let (import_path, platform) = (import_path.clone(), platform.clone());
            observer.emit(Event::ImageRebuilt { import_path, platform, part });
        };
        if was.base != is.base {
            emit(Part::Base { was: was.base, is: is.base });
        }
        if was.kodata != is.kodata {
            let mut path = program.main.dir.join("kodata");
            let difference = kodata.difference.as_ref();
            path.extend(difference.map(|difference| &difference.name));
            let others = difference.map_or(0, |difference| difference.others);
            emit(Part::Kodata { path, others });
        }
    }
}
