use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::{Value, json};

use crate::binary::Platform;

const VERSION_FILE: &str = "oci-layout";

/// What a blob is and which one: what stands for it in another blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: &'static str,
    /// Its name: `sha256:` and the digest in hexadecimal digits.
    pub digest: String,
    /// How many bytes it has.
    pub size: usize,
    /// Where what it describes runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// More about it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<&'static str, String>,
}

/// Why a layout cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// There is a folder already, and it holds something else.
    #[error("{}: is there already, and is no image layout", .0.display())]
    SomethingElse(PathBuf),
    /// The system does not let it be written.
    #[error("{}: {source}", path.display())]
    Unwritable {
        /// What was to be written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// JSON could not be made.
    #[error("a document could not be put into JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// A folder in the form of the OCI image layout.
#[derive(Debug)]
pub struct Layout {
    folder: PathBuf,
}

/// The digest of a blob, as descriptors write it.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    let hex: Vec<String> = digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", hex.concat())
}

impl Layout {
    /// Makes an empty one, in place of another that may be there.
    pub fn create(folder: &Path) -> Result<Self, LayoutError> {
        let failed = |source| LayoutError::Unwritable { path: folder.to_owned(), source };
        if folder.exists() {
            if !folder.join(VERSION_FILE).is_file() {
                return Err(LayoutError::SomethingElse(folder.to_owned()));
            }
            fs::remove_dir_all(folder).map_err(failed)?;
        }
        fs::create_dir_all(folder.join("blobs/sha256")).map_err(failed)?;
        let layout = Self { folder: folder.to_owned() };
        layout.write(VERSION_FILE, &serde_json::to_vec(&json!({"imageLayoutVersion": "1.0.0"}))?)?;
        Ok(layout)
    }

    /// Adds a blob.
    pub fn blob(&self, media_type: &'static str, bytes: &[u8]) -> Result<Descriptor, LayoutError> {
        let digest = digest_of(bytes);
        self.write(&format!("blobs/{}", digest.replace(':', "/")), bytes)?;
        Ok(Descriptor { media_type, digest, size: bytes.len(), platform: None, annotations: BTreeMap::new() })
    }

    /// Adds a document as a blob.
    pub fn document(&self, media_type: &'static str, document: &Value) -> Result<Descriptor, LayoutError> {
        self.blob(media_type, &serde_json::to_vec(document)?)
    }

    /// Says which blobs whoever opens the layout begins with.
    pub fn index(&self, entries: &[Descriptor]) -> Result<(), LayoutError> {
        self.write("index.json", &serde_json::to_vec(&index_of(entries))?)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), LayoutError> {
        let path = self.folder.join(name);
        fs::write(&path, bytes).map_err(|source| LayoutError::Unwritable { path, source })
    }
}

/// The document that lists blobs to choose from.
pub(crate) fn index_of(entries: &[Descriptor]) -> Value {
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries })
}

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_bears_its_digest_as_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(&folder.path().join("image")).unwrap();
        let blob = layout.blob("text/plain", b"").unwrap();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(blob.digest, format!("sha256:{empty}"));
        assert!(folder.path().join("image/blobs/sha256").join(empty).is_file());
    }

    #[test]
    fn a_layout_takes_the_place_of_another_and_of_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        let old = Layout::create(&path).unwrap().blob("text/plain", b"old").unwrap();
        Layout::create(&path).unwrap();
        assert!(!path.join("blobs").join(old.digest.replace(':', "/")).exists());

        fs::write(folder.path().join("precious"), "").unwrap();
        assert!(matches!(Layout::create(folder.path()), Err(LayoutError::SomethingElse(_))));
        assert!(folder.path().join("precious").exists());
    }
}
