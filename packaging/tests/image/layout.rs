//! What is in the image, read by the types of another implementation of the specification.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use oci_spec::image::{Arch, Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType, OciLayout, Os};
use packaging::{Binary, USER};
use ring::digest::{SHA256, digest};

use crate::made::{REVISION, made, make};

fn image() -> PathBuf {
    made().join("image")
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// A blob, which has to be what its descriptor says.
fn blob(descriptor: &Descriptor) -> Vec<u8> {
    let digest = descriptor.as_digest_sha256().unwrap();
    let bytes = fs::read(image().join("blobs/sha256").join(digest)).unwrap();
    assert_eq!(sha256(&bytes), digest);
    assert_eq!(bytes.len() as u64, descriptor.size());
    bytes
}

struct Unpacked {
    platform: (Arch, Os),
    config: ImageConfiguration,
    /// The layer, unpacked.
    files: Vec<u8>,
}

/// From `index.json` down to the files.
fn read() -> Unpacked {
    let entry = ImageIndex::from_file(image().join("index.json")).unwrap();
    let [image] = &entry.manifests()[..] else { panic!("one image, not {:?}", entry.manifests()) };
    let index = ImageIndex::from_reader(&*blob(image)).unwrap();
    let [manifest] = &index.manifests()[..] else { panic!("one platform, not {:?}", index.manifests()) };
    let platform = manifest.platform().as_ref().unwrap();
    let platform = (platform.architecture().clone(), platform.os().clone());
    let manifest = ImageManifest::from_reader(&*blob(manifest)).unwrap();
    let [layer] = &manifest.layers()[..] else { panic!("one layer, not {:?}", manifest.layers()) };
    assert_eq!(*layer.media_type(), MediaType::ImageLayerGzip);
    let mut files = Vec::new();
    GzDecoder::new(&*blob(layer)).read_to_end(&mut files).unwrap();
    Unpacked { platform, config: ImageConfiguration::from_reader(&*blob(manifest.config())).unwrap(), files }
}

/// Every file of a folder, with its bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// Unpacks the image into a folder.
pub(crate) fn unpack(folder: &Path) {
    tar::Archive::new(&*read().files).unpack(folder).unwrap();
}

#[test]
fn digests_and_sizes_are_those_of_the_blobs_and_no_blob_is_left_over() {
    let read = read();
    let files = sha256(&read.files);
    assert_eq!(*read.config.rootfs().diff_ids(), [format!("sha256:{files}")]);
    assert_eq!(contents(&image().join("blobs")).len(), 4, "index, manifest, configuration and layer");
    let version = OciLayout::from_file(image().join("oci-layout")).unwrap();
    assert_eq!(version.image_layout_version(), "1.0.0");
}

#[test]
fn the_image_runs_the_operator_as_a_user_that_is_not_root() {
    let read = read();
    let config = read.config.config().as_ref().unwrap();
    assert_eq!(config.user().as_deref(), Some(USER));
    assert_eq!(USER, "65532:65532");
    assert_eq!(config.entrypoint().as_deref(), Some(&["/jobstartstop".to_owned()][..]));
    assert_eq!(config.cmd().as_deref(), Some(&["run".to_owned()][..]));
    assert_eq!(config.env().as_deref(), None);
    assert_eq!((read.config.architecture(), read.config.os()), (&read.platform.0, &read.platform.1));
}

#[test]
fn the_image_says_which_version_of_what_it_is() {
    let read = read();
    let label = |name: &str| read.config.get_config_annotation(&format!("org.opencontainers.image.{name}")).unwrap();
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(label("revision"), REVISION);
    assert_eq!(label("created"), "2026-12-02T13:00:00Z");
    assert_eq!(label("licenses"), "Apache-2.0");
    let entry = ImageIndex::from_file(image().join("index.json")).unwrap();
    let annotations = entry.manifests()[0].annotations().as_ref().unwrap();
    assert_eq!(annotations["org.opencontainers.image.ref.name"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn there_is_one_program_and_no_shell() {
    let read = read();
    let mut archive = tar::Archive::new(&*read.files);
    let files: BTreeMap<String, u32> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            assert_eq!(entry.header().uid().unwrap(), 0, "whoever runs it cannot change it");
            assert_eq!(entry.header().mode().unwrap() & 0o022, 0, "nobody else can");
            (entry.path().unwrap().to_str().unwrap().to_owned(), entry.header().mode().unwrap())
        })
        .collect();
    let expected = [
        ("jobstartstop", 0o555),
        ("licenses/", 0o755),
        ("licenses/LICENSE", 0o444),
        ("licenses/THIRD-PARTY.txt", 0o444),
    ];
    assert_eq!(files, expected.map(|(name, mode)| (name.to_owned(), mode)).into());
}

#[test]
fn the_program_is_static_and_tells_nothing_of_the_machine_it_was_built_on() {
    let root = tempfile::tempdir().unwrap();
    unpack(root.path());
    let bytes = fs::read(root.path().join("jobstartstop")).unwrap();
    assert!(Binary::new(bytes.clone()).is_ok(), "it needs no loader");
    for place in [crate::made::repository().to_str().unwrap(), &format!("{}/.cargo", std::env::var("HOME").unwrap())] {
        let found = bytes.windows(place.len()).any(|window| window == place.as_bytes());
        assert!(!found, "{place} is in the program");
    }
}

#[test]
fn the_same_sources_give_the_same_image() {
    let again = tempfile::tempdir().unwrap();
    make(again.path());
    for part in ["image/index.json", "sbom.cdx.json", "image.tar"] {
        assert_eq!(
            sha256(&fs::read(made().join(part)).unwrap()),
            sha256(&fs::read(again.path().join(part)).unwrap()),
            "{part}"
        );
    }
}

#[test]
fn the_archive_is_the_folder() {
    let unpacked = tempfile::tempdir().unwrap();
    tar::Archive::new(&*fs::read(made().join("image.tar")).unwrap()).unpack(unpacked.path()).unwrap();
    let of = |folder: &Path| -> BTreeMap<PathBuf, Vec<u8>> {
        contents(folder)
            .into_iter()
            .map(|(path, bytes)| (path.strip_prefix(folder).unwrap().to_owned(), bytes))
            .collect()
    };
    assert!(of(unpacked.path()) == of(&image()));
}

#[test]
fn two_platforms_are_one_image_in_the_order_of_their_names() {
    let read = read();
    let root = tempfile::tempdir().unwrap();
    unpack(root.path());
    let mut arm = fs::read(root.path().join("jobstartstop")).unwrap();
    let own = Binary::new(arm.clone()).unwrap();
    // The processor that the head names: AArch64, or x86-64 where this is one.
    let other = if read.platform.0 == Arch::Amd64 { [0xb7, 0] } else { [0x3e, 0] };
    arm[18..20].copy_from_slice(&other);
    let folder = tempfile::tempdir().unwrap();
    let image = packaging::Image {
        name: "example.com/jobstartstop".to_owned(),
        version: "1.2.3".to_owned(),
        revision: REVISION.to_owned(),
        source: "https://example.com".to_owned(),
        created: jiff::Timestamp::UNIX_EPOCH,
        binaries: vec![Binary::new(arm).unwrap(), own.clone()],
        notices: String::new(),
    };
    let written = image.write(&folder.path().join("image")).unwrap();
    let index = folder.path().join("image/blobs").join(written.digest.replace(':', "/"));
    let index = ImageIndex::from_file(index).unwrap();
    let platforms: Vec<String> = index
        .manifests()
        .iter()
        .map(|manifest| manifest.platform().as_ref().unwrap().architecture().to_string())
        .collect();
    assert_eq!(platforms, ["amd64", "arm64"]);

    let twice = packaging::Image { binaries: vec![own.clone(), own], ..image };
    assert!(twice.write(&folder.path().join("twice")).unwrap_err().to_string().starts_with("two binaries are for "));
}
