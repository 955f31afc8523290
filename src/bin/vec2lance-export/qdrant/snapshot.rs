//! The server's own snapshots: made when they are asked for, downloaded, checked, and deleted only if they are ours and that was asked for.
//! Calls of `/collections/{name}/snapshots`: Qdrant 1.19, `openapi.json`. The converter does not read them; a Qdrant server does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vec2lance::error::{Error, Result};
use vec2lance::manifest::FileEntry;

use crate::http::{Client, Failure, Request, segment};
use crate::source::Unit;
use crate::writer::{PARTIAL, plain, sync_folder, write_whole};

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    /// Delete it from the server afterwards.
    pub(super) delete: bool,
}

/// A snapshot as the server describes it.
#[derive(Debug, Serialize, Deserialize)]
struct Made {
    name: String,
    #[serde(default)]
    checksum: Option<String>,
    /// Ours, in the note: what was downloaded.
    #[serde(default)]
    downloaded: Option<FileEntry>,
}

#[derive(Deserialize)]
struct Wrapped {
    result: Made,
}

/// One file for each collection.
pub(super) async fn download(client: &Client, wish: Wish, units: &[Unit], folder: &Path) -> Result<Vec<FileEntry>> {
    let mut files = Vec::new();
    let collections: BTreeSet<&str> = units.iter().map(|u| u.collection.as_str()).collect();
    for (number, collection) in collections.into_iter().enumerate() {
        files.push(one(client, wish, number, collection, folder).await?);
    }
    Ok(files)
}

async fn one(client: &Client, wish: Wish, number: usize, collection: &str, folder: &Path) -> Result<FileEntry> {
    let path = format!("/collections/{}/snapshots", segment(collection));
    let (note, target) = (Note::new(folder, number)?, format!("{number:04}-{}.snapshot", plain(collection)));
    // What a run that died has made is used by the next one, instead of making another.
    let mut made = if let Some(made) = note.read() {
        made
    } else {
        let what = format!("make a snapshot of the collection {collection}");
        let answer = client.json(Request::post(&path, serde_json::json!({})).query("wait", true).patient().what(what)).await?;
        let made = answer.parse::<Wrapped>()?.result;
        note.write(&made)?;
        made
    };
    let place = format!("{path}/{}", segment(&made.name));
    let entry = if let Some(entry) = made.downloaded.clone() {
        entry
    } else {
        let partial = folder.join(format!("{target}{PARTIAL}"));
        let got = client.download(Request::get(&place).patient().what(format!("download the snapshot {}", made.name)), &partial).await?;
        if let Some(expected) = made.checksum.as_deref().filter(|sum| !sum.eq_ignore_ascii_case(&got.sha256)) {
            return Err(Error::new(format!("the downloaded snapshot {} has the checksum {}, expected {expected}", made.name, got.sha256))
                .help("run the same command again"));
        }
        std::fs::rename(&partial, folder.join(&target)).map_err(|e| Error::io("rename", &partial, &e))?;
        sync_folder(folder)?;
        let what = format!("the server's own snapshot of the collection {collection}: its node's shards only");
        let entry = FileEntry { path: target, collection: Some(collection.to_owned()), what, bytes: got.bytes, sha256: got.sha256 };
        made.downloaded = Some(entry.clone());
        note.write(&made)?;
        entry
    };
    if wish.delete {
        match client.json(Request::delete(&place).query("wait", true).what(format!("delete the snapshot {}", made.name))).await {
            // A try before this one has done it.
            Ok(_) | Err(Failure::Missing { .. }) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(entry)
}

/// What is known of one snapshot, kept until the export is sealed.
struct Note {
    folder: PathBuf,
    name: String,
}

impl Note {
    fn new(folder: &Path, number: usize) -> Result<Self> {
        let folder = folder.join(".work");
        std::fs::create_dir_all(&folder).map_err(|e| Error::io("create the folder", &folder, &e))?;
        Ok(Self { folder, name: format!("snapshot-{number:04}.json") })
    }

    #[expect(clippy::disallowed_methods, reason = "a file of a few hundred bytes, and our own")]
    fn read(&self) -> Option<Made> {
        serde_json::from_slice(&std::fs::read(self.folder.join(&self.name)).ok()?).ok()
    }

    fn write(&self, made: &Made) -> Result<()> {
        let text = serde_json::to_vec(made).map_err(|e| Error::new(format!("cannot note the snapshot's name: {e}")))?;
        write_whole(&self.folder, &self.name, &text)
    }
}
