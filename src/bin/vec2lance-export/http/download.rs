//! A body that goes to a file: server-side exports and snapshots, which are larger than memory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use vec2lance::error::Error;

use super::{Attempt, Client, Failure, Request};
use crate::writer::hex;

/// What was downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Downloaded {
    /// Its size.
    pub(crate) bytes: u64,
    /// Lower-case hexadecimal SHA-256.
    pub(crate) sha256: String,
}

impl Client {
    /// Writes the answer's body to `path`, which is made anew at each try.
    ///
    /// # Errors
    /// See [`Failure`]; the file cannot be written.
    pub(crate) async fn download(&self, request: Request, path: &Path) -> Result<Downloaded, Failure> {
        let what = request.described(self.base());
        let url = request.url(&self.base)?;
        self.pace
            .retry(&what, || async {
                let mut response = self.send(&request, &url).await?;
                if !response.status().is_success() {
                    let (status, headers) = (response.status(), response.headers().clone());
                    let body = self.body(response, 1 << 20, &what).await?;
                    self.judge(&request, status, &headers, &body, &what)?;
                    return Err(Attempt::Stop(Failure::malformed(&what, format!("HTTP {status}"))));
                }
                let failed = |e: std::io::Error| Attempt::Stop(Failure::Local(Error::io("write", path, &e)));
                let mut file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(failed)?);
                let (mut sum, mut bytes) = (Sha256::new(), 0);
                while let Some(piece) = response.chunk().await.map_err(|e| self.broken(&e))? {
                    sum.update(&piece);
                    bytes += piece.len() as u64;
                    file.write_all(&piece).map_err(failed)?;
                }
                file.flush().and_then(|()| file.get_ref().sync_all()).map_err(failed)?;
                let sha256 = hex(&sum.finalize());
                Ok(Downloaded { bytes, sha256 })
            })
            .await
    }
}
