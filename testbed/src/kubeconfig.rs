use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use serde_json::{Value, json};

use crate::error::{Doing as _, Error, Result};

/// Writes the kubeconfig of a user with a token.
pub(crate) fn write(path: &Path, cluster: &Value, token: &str, namespace: &str) -> Result<()> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "testbed",
        "clusters": [{"name": "testbed", "cluster": cluster}],
        "users": [{"name": "testbed", "user": {"token": token}}],
        "contexts": [{
            "name": "testbed",
            "context": {"cluster": "testbed", "user": "testbed", "namespace": namespace},
        }],
    });
    let yaml = serde_norway::to_string(&config).map_err(|error| invalid(path, error))?;
    // It holds a token: for its owner only, else helm warns of it with every command.
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(yaml.as_bytes())).doing(|| format!("writing {}", path.display()))
}

/// The cluster that a kubeconfig's current context names, fit for a kubeconfig in another folder.
pub(crate) fn current_cluster(path: &Path) -> Result<Value> {
    let yaml = fs::read_to_string(path).doing(|| format!("reading {}", path.display()))?;
    let config: Value = serde_norway::from_str(&yaml).map_err(|error| invalid(path, error))?;
    let context = named(&config, "contexts", config["current-context"].as_str());
    let mut cluster = context
        .and_then(|context| named(&config, "clusters", context["context"]["cluster"].as_str()))
        .map(|cluster| cluster["cluster"].clone())
        .ok_or_else(|| invalid(path, "its current context names no cluster"))?;
    if let Some(authority) = cluster["certificate-authority"].as_str() {
        let absolute = path.parent().unwrap_or(Path::new("")).join(authority);
        cluster["certificate-authority"] = json!(absolute);
    }
    Ok(cluster)
}

fn named<'a>(config: &'a Value, list: &str, name: Option<&str>) -> Option<&'a Value> {
    config[list].as_array()?.iter().find(|entry| entry["name"].as_str() == name)
}

fn invalid(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::Invalid(format!("kubeconfig {}: {reason}", path.display()))
}
