use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_cyclonedx::config::{SbomConfig, Target};
use cargo_cyclonedx::generator::{GeneratorError, SbomGenerator};
use cargo_metadata::MetadataCommand;
use serde_json::{Value, json};

/// Why it is not known what a program is made of.
#[derive(Debug, thiserror::Error)]
pub enum MaterialsError {
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
    /// cargo does not say what it compiles.
    #[error("cargo tree: {0}")]
    Tree(String),
}

/// What is linked into a program beside crates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: String,
    /// Its licence, as an SPDX expression.
    pub license: &'static str,
}

/// What a program is made of, without what only builds or tests it.
#[derive(Clone, Debug)]
pub struct Materials {
    bill: Value,
    crates: Vec<Crate>,
    linked: Vec<Linked>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    license: String,
    folder: PathBuf,
}

impl Materials {
    /// Those of a member of this workspace, for this target and with what is linked into it.
    ///
    /// The bill bears the time of the variable `SOURCE_DATE_EPOCH`, which its generator reads.
    pub fn of(workspace: &Path, package: &str, target: &str, linked: Vec<Linked>) -> Result<Self, MaterialsError> {
        let metadata = MetadataCommand::new()
            .manifest_path(workspace.join("Cargo.toml"))
            .other_options(["--locked", "--filter-platform", target].map(str::to_owned))
            .exec()?;
        let root = metadata.workspace_root.to_string();
        let mut folders = BTreeMap::new();
        for package in &metadata.packages {
            let folder = package.manifest_path.parent().map(|folder| folder.as_std_path().to_owned());
            let license = package.license.clone().unwrap_or_default();
            folders.insert((package.name.clone(), package.version.to_string()), (folder.unwrap_or_default(), license));
        }
        let mut bill = document(metadata, package, target, &root)?;
        leave(&mut bill, &compiled(workspace, package, target)?);
        let mut crates = Vec::new();
        if let Some(components) = bill["components"].as_array_mut() {
            for component in &*components {
                let text = |field: &str| component[field].as_str().unwrap_or_default().to_owned();
                let (name, version) = (text("name"), text("version"));
                if let Some((folder, license)) = folders.remove(&(name.clone(), version.clone())) {
                    // This workspace's own are under its own licence, which stands beside the notices.
                    if !folder.starts_with(&root) {
                        crates.push(Crate { name, version, license, folder });
                    }
                }
            }
            components.extend(linked.iter().map(component));
        }
        crates.sort();
        Ok(Self { bill, crates, linked })
    }

    /// The bill of materials: `CycloneDX` 1.5.
    pub fn bill(&self) -> &Value {
        &self.bill
    }

    /// Who made what is compiled in, and under which licence: a licence's text stands once, below all that have it.
    pub fn notices(&self) -> io::Result<String> {
        let mut of_texts: BTreeMap<String, Vec<&Crate>> = BTreeMap::new();
        let mut notices = "What is built into jobstartstop, and its licences.\n\n".to_owned();
        for Linked { name, version, license } in &self.linked {
            let _ = writeln!(notices, "{name} {version}: {license}");
        }
        for one in &self.crates {
            let _ = writeln!(notices, "{} {}: {}", one.name, one.version, one.license);
            for text in one.texts()? {
                of_texts.entry(text).or_default().push(one);
            }
        }
        for (text, crates) in &of_texts {
            let names: Vec<String> = crates.iter().map(|one| format!("{} {}", one.name, one.version)).collect();
            let _ = write!(notices, "\n{}\n{}:\n\n{}\n", "-".repeat(80), names.join(", "), text.trim_end());
        }
        Ok(notices)
    }
}

impl Crate {
    /// The texts of the licences and notices that it comes with.
    fn texts(&self) -> io::Result<Vec<String>> {
        let mut texts = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
            let is_notice =
                ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"].iter().any(|word| name.starts_with(word));
            if is_notice && path.is_file() {
                texts.push(String::from_utf8_lossy(&fs::read(path)?).replace('\r', ""));
            }
        }
        Ok(texts)
    }
}

fn document(
    metadata: cargo_metadata::Metadata,
    package: &str,
    target: &str,
    root: &str,
) -> Result<Value, MaterialsError> {
    let config = SbomConfig {
        target: Some(Target::SingleTarget(target.to_owned())),
        only_normal_deps: Some(true),
        ..SbomConfig::empty_config()
    };
    let bill = SbomGenerator::create_sboms(metadata, &config)?
        .into_iter()
        .find(|bill| bill.package_name == package)
        .ok_or_else(|| MaterialsError::NoSuchPackage(package.to_owned()))?;
    let mut text = Vec::new();
    bill.bom.output_as_json_v1_5(&mut text).map_err(|error| MaterialsError::Model(error.to_string()))?;
    // Where the workspace lies on this machine is nobody's business, and would differ on each.
    Ok(serde_json::from_str(&String::from_utf8_lossy(&text).replace(&format!("file://{root}"), "file://"))?)
}

/// Name and version of each crate that cargo compiles for a package. The generator names optional ones, too, that no
/// feature asks for.
fn compiled(workspace: &Path, package: &str, target: &str) -> Result<BTreeSet<(String, String)>, MaterialsError> {
    let output = Command::new("cargo")
        .args(["tree", "--locked", "--package", package, "--edges", "normal", "--target", target])
        .args(["--prefix", "none", "--format", "{p}"])
        .current_dir(workspace)
        .output()
        .map_err(|error| MaterialsError::Tree(error.to_string()))?;
    if !output.status.success() {
        return Err(MaterialsError::Tree(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    // A line is "jiff v0.2.46", and more in parentheses.
    let tree = String::from_utf8_lossy(&output.stdout);
    let crates = tree.lines().filter_map(|line| line.split(" (").next()?.trim().split_once(" v"));
    Ok(crates.map(|(name, version)| (name.to_owned(), version.to_owned())).collect())
}

/// Takes out of a bill what is not among these.
fn leave(bill: &mut Value, crates: &BTreeSet<(String, String)>) {
    let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let mut gone = BTreeSet::new();
    if let Some(components) = bill["components"].as_array_mut() {
        components.retain(|component| {
            let stays = crates.contains(&(text(component, "name"), text(component, "version")));
            if !stays {
                gone.insert(text(component, "bom-ref"));
            }
            stays
        });
    }
    if let Some(dependencies) = bill["dependencies"].as_array_mut() {
        dependencies.retain(|dependency| !gone.contains(&text(dependency, "ref")));
        for on in dependencies.iter_mut().filter_map(|dependency| dependency.get_mut("dependsOn")?.as_array_mut()) {
            on.retain(|name| !gone.contains(name.as_str().unwrap_or_default()));
        }
    }
}

fn component(Linked { name, version, license }: &Linked) -> Value {
    json!({
        "type": "library",
        "bom-ref": format!("{name}@{version}"),
        "name": name,
        "version": version,
        "scope": "required",
        "licenses": [{ "expression": license }],
        "purl": format!("pkg:generic/{name}@{version}"),
    })
}
