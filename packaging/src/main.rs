//! `packaging`: what `make image` runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use clap::Parser;
use jiff::Timestamp;
use packaging::{Binary, Image, Linked, Materials, archive_of_folder};

/// Writes the operator's container image as an OCI image layout, without a container engine. Run in the repository's
/// folder.
#[derive(Debug, Parser)]
#[command(max_term_width = 110)]
struct Options {
    /// A static binary. May be repeated; each says by itself which platform it is for.
    #[arg(long = "binary", value_name = "FILE", required = true)]
    binaries: Vec<PathBuf>,

    /// The folder to write the image into.
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,

    /// Write the same as one file, too.
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,

    /// Write the first binary's bill of materials, as `CycloneDX`.
    #[arg(long, value_name = "FILE")]
    sbom: Option<PathBuf>,

    /// Write the first binary's files into this folder, as they stand in the image's root: for a Dockerfile.
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,

    /// The name that the image is loaded under, without a tag.
    #[arg(long, value_name = "NAME", default_value = "ghcr.io/jobstartstop/jobstartstop")]
    name: String,

    /// Where the source is.
    #[arg(long, value_name = "URL", default_value = "https://github.com/jobstartstop/jobstartstop")]
    source: String,

    /// The commit that the binaries were built from.
    #[arg(long, value_name = "COMMIT")]
    revision: String,
}

/// The variable that says when that commit was made, in seconds since 1970. The bill's generator reads it, too.
const TIME: &str = "SOURCE_DATE_EPOCH";

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let read = |path: &PathBuf| {
        let bytes = fs::read(path).with_context(|| format!("{}: cannot be read", path.display()))?;
        Binary::new(bytes).with_context(|| path.display().to_string())
    };
    let binaries = options.binaries.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    let first = binaries.first().context("no binary is given")?.clone();
    let seconds = std::env::var(TIME).ok().and_then(|text| text.parse::<u32>().ok());
    let seconds = seconds.with_context(|| format!("set {TIME} to the time of the commit, in seconds since 1970"))?;
    let materials = Materials::of(".".as_ref(), "jobstartstop", first.platform.target(), linked()?)?;
    let image = Image {
        name: options.name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: options.revision,
        source: options.source,
        created: Timestamp::from_second(seconds.into())?,
        binaries,
        notices: materials.notices().context("a licence cannot be read")?,
    };
    let written = image.write(&options.folder)?;
    if let Some(path) = &options.archive {
        write(path, &archive_of_folder(&options.folder, seconds.into())?)?;
    }
    if let Some(path) = &options.sbom {
        write(path, format!("{:#}\n", materials.bill()).as_bytes())?;
    }
    if let Some(folder) = &options.root {
        let files = image.files(&first)?;
        tar::Archive::new(&*files)
            .unpack(folder)
            .with_context(|| format!("{}: cannot be written", folder.display()))?;
    }
    let platforms: Vec<&str> = image.binaries.iter().map(|binary| binary.platform.architecture).collect();
    println!(
        "{}: {}:{}@{} ({})",
        options.folder.display(),
        image.name,
        image.version,
        written.digest,
        platforms.join(", ")
    );
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("{}: cannot be written", path.display()))
}

/// What the flags of `make static` link in beside crates.
fn linked() -> anyhow::Result<Vec<Linked>> {
    Ok(vec![
        Linked { name: "glibc", version: glibc()?, license: "LGPL-2.1-or-later" },
        Linked { name: "rust-std", version: rust()?, license: "MIT OR Apache-2.0" },
    ])
}

/// The C library's version: the second word of "glibc 2.36".
fn glibc() -> anyhow::Result<String> {
    second_word(Command::new("getconf").arg("GNU_LIBC_VERSION"))
}

/// The compiler's version, which is the standard library's: the second word of "rustc 1.95.0 (…)".
fn rust() -> anyhow::Result<String> {
    second_word(Command::new("rustc").arg("--version"))
}

fn second_word(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let word = said.split_whitespace().nth(1).with_context(|| format!("{command:?} says {said:?}"))?;
    Ok(word.to_owned())
}
