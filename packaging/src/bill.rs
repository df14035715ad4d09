use std::path::Path;

use cargo_cyclonedx::config::{SbomConfig, Target};
use cargo_cyclonedx::generator::{GeneratorError, SbomGenerator};
use cargo_metadata::MetadataCommand;
use serde_json::{Value, json};

/// Why there is no bill of materials.
#[derive(Debug, thiserror::Error)]
pub enum BillError {
    /// cargo does not say what the program depends on.
    #[error("cargo metadata: {0}")]
    Metadata(#[from] cargo_metadata::Error),
    /// The generator does not take what cargo says.
    #[error("cargo-cyclonedx: {0}")]
    Generator(#[from] GeneratorError),
    /// There is no such member in the workspace.
    #[error("{0} is no member of the workspace")]
    NoSuchPackage(String),
    /// The generator's JSON cannot be read.
    #[error("the generator's JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The generator cannot write its own model.
    #[error("the generator's model: {0}")]
    Model(String),
}

/// What a package of this workspace is made of for this target, without what only builds or tests it: CycloneDX 1.5.
///
/// `linked` is what is linked into it beside crates. The time is that of `SOURCE_DATE_EPOCH`, which the generator reads.
pub fn bill_of_materials(
    workspace: &Path,
    package: &str,
    target: &str,
    linked: &[(&str, &str, &str)],
) -> Result<Value, BillError> {
    let metadata = MetadataCommand::new()
        .manifest_path(workspace.join("Cargo.toml"))
        .other_options(["--locked", "--filter-platform", target].map(str::to_owned))
        .exec()?;
    let root = metadata.workspace_root.to_string();
    let config = SbomConfig {
        target: Some(Target::SingleTarget(target.to_owned())),
        only_normal_deps: Some(true),
        ..SbomConfig::empty_config()
    };
    let bill = SbomGenerator::create_sboms(metadata, &config)?
        .into_iter()
        .find(|bill| bill.package_name == package)
        .ok_or_else(|| BillError::NoSuchPackage(package.to_owned()))?;
    let mut text = Vec::new();
    bill.bom.output_as_json_v1_5(&mut text).map_err(|error| BillError::Model(error.to_string()))?;
    // Where the workspace lies on this machine is nobody's business, and would differ on each.
    let text = String::from_utf8_lossy(&text).replace(&format!("file://{root}"), "file://");
    let mut document: Value = serde_json::from_str(&text)?;
    if let Some(components) = document["components"].as_array_mut() {
        components.extend(linked.iter().map(|(name, version, license)| {
            json!({
                "type": "library",
                "bom-ref": format!("{name}@{version}"),
                "name": name,
                "version": version,
                "scope": "required",
                "licenses": [{ "expression": license }],
                "purl": format!("pkg:generic/{name}@{version}"),
            })
        }));
    }
    Ok(document)
}
