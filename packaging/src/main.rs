//! `packaging`: what `make image` runs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use packaging::{Binary, Image, archive_of_folder, bill_of_materials};

/// Writes the operator's container image and its bill of materials, without a container engine.
#[derive(Debug, Parser)]
#[command(max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Write an image of static binaries, one for each platform, as an OCI image layout.
    Image(ImageOptions),
    /// Write what a static binary is made of, as CycloneDX.
    Sbom(SbomOptions),
}

#[derive(Debug, Args)]
struct ImageOptions {
    /// A static binary. May be repeated; each says by itself which platform it is for.
    #[arg(long = "binary", value_name = "FILE", required = true)]
    binaries: Vec<PathBuf>,

    /// The folder to write the image into.
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,

    /// Write the same as one file, too.
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,

    /// The name that the image is loaded under, without a tag.
    #[arg(long, value_name = "NAME", default_value = "ghcr.io/jobstartstop/jobstartstop")]
    name: String,

    /// Where the source is.
    #[arg(long, value_name = "URL", default_value = "https://github.com/jobstartstop/jobstartstop")]
    source: String,

    /// The commit that the binaries were built from.
    #[arg(long, value_name = "COMMIT")]
    revision: String,

    /// When that commit was made, in seconds since 1970.
    #[arg(long, value_name = "SECONDS", env = "SOURCE_DATE_EPOCH")]
    created: i64,
}

#[derive(Debug, Args)]
struct SbomOptions {
    /// The platform the binary is built for, in the compiler's words.
    #[arg(long, value_name = "TRIPLE")]
    target: String,

    /// The file to write. It bears the time of SOURCE_DATE_EPOCH, in seconds since 1970.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Task::Image(options) => image(options),
        Task::Sbom(options) => sbom(&options),
    }
}

fn image(options: ImageOptions) -> anyhow::Result<()> {
    let read = |path: &PathBuf| {
        let bytes = fs::read(path).with_context(|| format!("{}: cannot be read", path.display()))?;
        Binary::new(bytes).with_context(|| path.display().to_string())
    };
    let image = Image {
        name: options.name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: options.revision,
        source: options.source,
        created: Timestamp::from_second(options.created).context("SOURCE_DATE_EPOCH")?,
        binaries: options.binaries.iter().map(read).collect::<anyhow::Result<_>>()?,
    };
    let written = image.write(&options.folder)?;
    if let Some(path) = &options.archive {
        let archive = archive_of_folder(&options.folder, options.created.try_into().unwrap_or_default())?;
        fs::write(path, archive).with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    let platforms: Vec<&str> = image.binaries.iter().map(|binary| binary.platform.architecture).collect();
    println!("{}: {}:{}@{} ({})", options.folder.display(), image.name, image.version, written.digest, platforms.join(", "));
    Ok(())
}

fn sbom(options: &SbomOptions) -> anyhow::Result<()> {
    // The generator takes the time from the environment alone.
    anyhow::ensure!(std::env::var_os("SOURCE_DATE_EPOCH").is_some(), "set SOURCE_DATE_EPOCH to the time of the commit");
    let (glibc, rust) = (glibc()?, rust()?);
    let linked = [
        ("glibc", glibc.as_str(), "LGPL-2.1-or-later"),
        ("rust-std", rust.as_str(), "MIT OR Apache-2.0"),
    ];
    let bill = bill_of_materials(".".as_ref(), "jobstartstop", &options.target, &linked)?;
    let mut text = serde_json::to_string_pretty(&bill)?;
    text.push('\n');
    fs::write(&options.file, text).with_context(|| format!("{}: cannot be written", options.file.display()))?;
    println!("{}: CycloneDX for {}", options.file.display(), options.target);
    Ok(())
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
