//! The Go modules below `tools/`: their files, as they were when this program was built.

use std::{fs, path::Path};

use crate::{
    error::{Doing as _, Error, Result},
    hex,
};

/// A Go module that programs are built from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GoModule {
    /// What it is called where people read of it.
    pub(crate) what: &'static str,
    /// Paths below the module's root, and contents. Their order is part of the key.
    files: &'static [(&'static str, &'static str)],
    /// The module whose version the programs report, where they need to know it.
    versioned: Option<&'static str>,
    /// Build tags.
    pub(crate) tags: &'static str,
}

macro_rules! module_file {
    ($folder:literal, $path:literal) => {
        ($path, include_str!(concat!("../../tools/", $folder, $path)))
    };
}

/// etcd, Kubernetes and Helm.
pub(crate) const CONTROL_PLANE: GoModule = GoModule {
    what: "the control plane's programs",
    files: &[module_file!("", "go.mod"), module_file!("", "go.sum")],
    // Without its version baked in, the API server does not start properly.
    versioned: Some("k8s.io/kubernetes"),
    tags: "",
};

/// Prometheus' rule checker, and its parser of pages.
pub(crate) const PROMETHEUS: GoModule = GoModule {
    what: "Prometheus' programs",
    files: &[
        module_file!("prometheus/", "go.mod"),
        module_file!("prometheus/", "go.sum"),
        module_file!("prometheus/", "openmetrics/main.go"),
    ],
    versioned: None,
    // No rule needs the clouds that Prometheus finds its targets in.
    tags: "remove_all_sd",
};

/// What Argo CD and Flux make of an object.
pub(crate) const GITOPS: GoModule = GoModule {
    what: "the GitOps tools' verdicts",
    files: &[
        module_file!("gitops/", "go.mod"),
        module_file!("gitops/", "go.sum"),
        module_file!("gitops/", "verdicts/argo.go"),
        module_file!("gitops/", "verdicts/main.go"),
    ],
    versioned: None,
    tags: "",
};

impl GoModule {
    /// The linker's flags for its programs.
    pub(crate) fn linker_flags(&self) -> Result<String> {
        let Some(module) = self.versioned else { return Ok("-s -w".to_owned()) };
        let version = self.required(module)?;
        let mut parts = version.split('.');
        let (Some(major), Some(minor)) = (parts.next(), parts.next()) else {
            return Err(Error::Invalid(format!("{version} is no version")));
        };
        let component = "k8s.io/component-base/version";
        Ok(format!(
            "-s -w -X {component}.gitVersion=v{version} -X {component}.gitMajor={major} \
             -X {component}.gitMinor={minor} -X k8s.io/client-go/pkg/version.gitVersion=v{version}"
        ))
    }

    /// A name that no other contents, Go version or flags have.
    pub(crate) fn key(&self, go_version: &str, flags: &str) -> String {
        let mut parts: Vec<&str> = self.files.iter().map(|&(_, contents)| contents).collect();
        parts.extend([go_version, flags]);
        parts.extend(Some(self.tags).filter(|tags| !tags.is_empty()));
        let digest = ring::digest::digest(&ring::digest::SHA256, parts.join("\0").as_bytes());
        hex(&digest.as_ref()[..8])
    }

    /// Writes its files into a folder.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        for (name, contents) in self.files {
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent).doing(|| format!("making {}", parent.display()))?;
            fs::write(&path, contents).doing(|| format!("writing {}", path.display()))?;
        }
        Ok(())
    }

    /// The version, without its `v`, of a module that this one requires.
    fn required(&self, module: &str) -> Result<&'static str> {
        let (_, go_mod) = self.files.iter().find(|(name, _)| *name == "go.mod").copied().unwrap_or_default();
        go_mod
            .lines()
            .find_map(|line| line.trim().strip_prefix(module)?.strip_prefix(" v"))
            .and_then(|rest| rest.split_whitespace().next())
            .ok_or_else(|| Error::Invalid(format!("go.mod requires no {module}")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn files_below(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files_below(root, &path, found);
            } else if path.extension().is_some_and(|extension| extension != "md") {
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn every_file_of_a_module_with_sources_of_its_own_is_known_and_in_its_key() {
        for (folder, module) in [("prometheus", PROMETHEUS), ("gitops", GITOPS)] {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools").join(folder);
            let mut there = BTreeSet::new();
            files_below(&root, &root, &mut there);
            let known: BTreeSet<String> = module.files.iter().map(|&(name, _)| name.to_owned()).collect();
            assert_eq!(known, there, "of tools/{folder}");
        }
    }

    #[test]
    fn a_key_changes_with_each_file_the_go_version_the_flags_and_the_tags() {
        const ONE: GoModule =
            GoModule { what: "one", files: &[("go.mod", "a"), ("main.go", "b")], versioned: None, tags: "" };
        const OTHER: GoModule = GoModule { files: &[("go.mod", "a"), ("main.go", "c")], ..ONE };
        const TAGGED: GoModule = GoModule { tags: "small", ..ONE };
        let keys = [
            ONE.key("go1", "-s"),
            OTHER.key("go1", "-s"),
            TAGGED.key("go1", "-s"),
            ONE.key("go2", "-s"),
            ONE.key("go1", "-w"),
        ];
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
    }

    #[test]
    fn the_api_server_reports_the_version_that_go_mod_requires() {
        let flags = CONTROL_PLANE.linker_flags().unwrap();
        let version = CONTROL_PLANE.required("k8s.io/kubernetes").unwrap();
        assert!(flags.contains(&format!("component-base/version.gitVersion=v{version} ")), "{flags}");
        assert_eq!(GITOPS.linker_flags().unwrap(), "-s -w");
    }
}
