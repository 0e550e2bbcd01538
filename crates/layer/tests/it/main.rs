//! Layers, as their users see them: on real files, a real store, and with
//! other programs that read what comes out.
#![allow(clippy::unwrap_used)]

mod capabilities;
mod compression;
mod estargz;
mod go;
mod gzip;
mod kodata;
mod oracle;
mod produce;
mod tar;
mod tools;
