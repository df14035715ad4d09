use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;

use flate2::{Compression, GzBuilder};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::archive::{Entry, archive};
use crate::binary::Binary;
use crate::layout::{Descriptor, INDEX, Layout, LayoutError, digest_of, index_of};

/// Who the program runs as, where nobody says otherwise: a user that is not root and owns nothing in the image.
pub const USER: &str = "65532:65532";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

const LICENSE: &[u8] = include_bytes!("../../LICENSE");

/// What an image consists of.
#[derive(Clone, Debug)]
pub struct Image {
    /// The name that it is loaded under, without a tag: `ghcr.io/example/jobstartstop`.
    pub name: String,
    /// The version of what is in it, which is its tag, too.
    pub version: String,
    /// The commit it was made from.
    pub revision: String,
    /// Where its source is.
    pub source: String,
    /// When that commit was made; all that is in the image bears this time.
    pub created: Timestamp,
    /// The program, for each platform once.
    pub binaries: Vec<Binary>,
    /// Who made what is built into them, and under which licence.
    pub notices: String,
}

/// Why an image cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// There is nothing to put in.
    #[error("no binary is given")]
    Empty,
    /// Two would be for the same platform.
    #[error("two binaries are for {0}")]
    Twice(&'static str),
    /// The layout could not be written.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A layer could not be made.
    #[error("a layer could not be made: {0}")]
    Layer(#[from] io::Error),
}

impl Image {
    /// Writes it into a folder, and returns what stands for it: an index with one manifest for each platform.
    pub fn write(&self, folder: &Path) -> Result<Descriptor, ImageError> {
        let mut binaries: Vec<&Binary> = self.binaries.iter().collect();
        binaries.sort_by_key(|binary| binary.platform);
        if binaries.is_empty() {
            return Err(ImageError::Empty);
        }
        if let Some(pair) = binaries.windows(2).find(|pair| pair[0].platform == pair[1].platform) {
            return Err(ImageError::Twice(pair[0].platform.architecture));
        }
        let layout = Layout::create(folder)?;
        let manifests = binaries.iter().map(|binary| self.manifest(&layout, binary)).collect::<Result<Vec<_>, _>>()?;
        let mut index = layout.document(INDEX, &index_of(&manifests))?;
        index.annotations = BTreeMap::from([
            ("io.containerd.image.name", format!("{}:{}", self.name, self.version)),
            ("org.opencontainers.image.ref.name", self.version.clone()),
        ]);
        layout.index(std::slice::from_ref(&index))?;
        Ok(index)
    }

    fn manifest(&self, layout: &Layout, binary: &Binary) -> Result<Descriptor, ImageError> {
        let files = self.files(binary)?;
        let layer = layout.blob(LAYER, &compressed(&files)?)?;
        let config = layout.document(CONFIG, &self.config(binary, &digest_of(&files)))?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": [layer],
            "annotations": self.labels(),
        });
        let mut manifest = layout.document(MANIFEST, &manifest)?;
        manifest.platform = Some(binary.platform);
        Ok(manifest)
    }

    fn config(&self, binary: &Binary, files: &str) -> Value {
        json!({
            "created": self.created.to_string(),
            "architecture": binary.platform.architecture,
            "os": binary.platform.os,
            "config": {
                "User": USER,
                "ExposedPorts": { "8080/tcp": {} },
                "Entrypoint": ["/jobstartstop"],
                "Cmd": ["run"],
                "WorkingDir": "/",
                "Labels": self.labels(),
            },
            "rootfs": { "type": "layers", "diff_ids": [files] },
            "history": [{ "created": self.created.to_string(), "created_by": "make image" }],
        })
    }

    fn labels(&self) -> BTreeMap<&'static str, String> {
        let created = self.created.to_string();
        let (title, licenses) = ("jobstartstop".to_owned(), "Apache-2.0".to_owned());
        let description = "Switches Brightcove Live channels on and off at planned times, as Kubernetes resources";
        BTreeMap::from([
            ("org.opencontainers.image.title", title),
            ("org.opencontainers.image.description", description.to_owned()),
            ("org.opencontainers.image.licenses", licenses),
            ("org.opencontainers.image.source", self.source.clone()),
            ("org.opencontainers.image.version", self.version.clone()),
            ("org.opencontainers.image.revision", self.revision.clone()),
            ("org.opencontainers.image.created", created),
        ])
    }

    /// All that is in the image's root, as a tar.
    pub fn files(&self, binary: &Binary) -> io::Result<Vec<u8>> {
        let entries = [
            Entry::Program("jobstartstop", &binary.bytes),
            Entry::Folder("licenses/"),
            Entry::File("licenses/LICENSE", LICENSE),
            Entry::File("licenses/THIRD-PARTY.txt", self.notices.as_bytes()),
        ];
        archive(&entries, u64::try_from(self.created.as_second()).unwrap_or_default())
    }
}

/// Without a name and a time, which would differ each time.
fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    gzip.write_all(bytes)?;
    gzip.finish()
}
