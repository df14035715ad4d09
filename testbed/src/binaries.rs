//! The control plane's programs: taken from `KUBEBUILDER_ASSETS`, or built once into the user's cache.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    error::{Doing as _, Error, Result},
    hex,
    process::{Launch, tail},
    progress::Progress,
    run::Run,
    toolchain::{Toolchain, lock},
};

const GO_MOD: &str = include_str!("../../tools/go.mod");
const GO_SUM: &str = include_str!("../../tools/go.sum");

/// A program that the testbed runs and does not make itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// The control plane's store.
    Etcd,
    /// The API server.
    KubeApiserver,
    /// The command line client.
    Kubectl,
    /// Deletes namespaces and orphans, makes default service accounts.
    KubeControllerManager,
    /// Lints, renders and installs charts.
    Helm,
}

impl Tool {
    /// What the demo and most tests need.
    pub const BASIC: [Self; 3] = [Self::Etcd, Self::KubeApiserver, Self::Kubectl];

    /// The program's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::Kubectl => "kubectl",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::Helm => "helm",
        }
    }

    fn takes_minutes(self) -> bool {
        matches!(self, Self::KubeApiserver | Self::KubeControllerManager)
    }

    fn package(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::KubeApiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
            Self::KubeControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::Helm => "helm.sh/helm/v4/cmd/helm",
        }
    }
}

/// The path of one program, built first where it has to be.
pub fn path(tool: Tool) -> Result<PathBuf> {
    if let Some(path) = given(tool) {
        return Ok(path);
    }
    ensure(&[tool])?;
    let cache = cache_folder()?;
    Ok(Store::new(&cache)?.file(tool))
}

/// Builds those that are neither given nor in the cache, and tells on standard error how it goes.
pub fn ensure(tools: &[Tool]) -> Result<()> {
    let cache = cache_folder()?;
    let wanted: Vec<Tool> = tools.iter().copied().filter(|&tool| given(tool).is_none()).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let store = Store::new(&cache)?;
    if store.missing(&wanted).is_empty() {
        return Ok(());
    }
    let go = store.toolchain.go(&cache)?;
    let _lock = lock(&store.folder, "the control plane's programs")?;
    let missing = store.missing(&wanted);
    for (index, &tool) in missing.iter().enumerate() {
        let duration = if tool.takes_minutes() { ", takes minutes" } else { "" };
        store.build(go, tool, &format!("{} ({} of {}{duration})", tool.name(), index + 1, missing.len()))?;
    }
    Ok(())
}

/// The folder that every checkout of this user shares.
pub fn cache_folder() -> Result<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("jobstartstop-testbed"))
        .ok_or_else(|| Error::Invalid("neither XDG_CACHE_HOME nor HOME names a folder to build in".to_owned()))
}

/// The convention of Go's envtest. A folder that lacks a program leaves that one to us.
fn given(tool: Tool) -> Option<PathBuf> {
    let folder = PathBuf::from(env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty())?);
    Some(folder.join(tool.name())).filter(|path| path.is_file())
}

struct Store {
    folder: PathBuf,
    flags: String,
    toolchain: Toolchain,
}

impl Store {
    fn new(cache: &Path) -> Result<Self> {
        let toolchain = Toolchain::find(cache);
        let flags = linker_flags()?;
        let key = [GO_MOD, GO_SUM, &toolchain.version, &flags].join("\0");
        let digest = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
        let name = hex(&digest.as_ref()[..8]);
        Ok(Self { folder: cache.join(name), flags, toolchain })
    }

    fn file(&self, tool: Tool) -> PathBuf {
        self.folder.join(tool.name())
    }

    fn missing(&self, tools: &[Tool]) -> Vec<Tool> {
        tools.iter().copied().filter(|&tool| !self.file(tool).is_file()).collect()
    }

    fn build(&self, go: &Path, tool: Tool, what: &str) -> Result<()> {
        let module = self.folder.join("module");
        fs::create_dir_all(&module).doing(|| format!("making {}", module.display()))?;
        for (name, text) in [("go.mod", GO_MOD), ("go.sum", GO_SUM)] {
            let path = module.join(name);
            fs::write(&path, text).doing(|| format!("writing {}", path.display()))?;
        }
        let partial = self.folder.join(format!(".{}.partial", tool.name()));
        let run = Run::new()?;
        let build = Launch::new(format!("go-build-{}", tool.name()), go)
            .args(["build", "-trimpath", "-ldflags", &self.flags, "-o"])
            .arg(&partial)
            .arg(tool.package())
            .current_dir(&module)
            .env("CGO_ENABLED", "0")
            .env("GOTOOLCHAIN", "local")
            // The user's own flags and workspace are meant for other modules.
            .env("GOFLAGS", "")
            .env("GOWORK", "off")
            .start(&run)?;
        let mut progress = Progress::begin(format!("building {what}"));
        loop {
            match build.wait(Duration::from_millis(200)) {
                None => progress.tick(),
                Some(0) => break,
                Some(code) => {
                    progress.end("failed after");
                    return Err(Error::Command {
                        command: format!("go build {}", tool.package()),
                        code: Some(code),
                        stderr: tail(build.log()),
                    });
                }
            }
        }
        let path = self.file(tool);
        fs::rename(&partial, &path).doing(|| format!("renaming to {}", path.display()))?;
        progress.end("took");
        Ok(())
    }
}

/// Without its version baked in, the API server does not start properly.
fn linker_flags() -> Result<String> {
    let version = GO_MOD
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"))
        .and_then(|rest| rest.split_whitespace().next())
        .ok_or_else(|| Error::Invalid("go.mod requires no k8s.io/kubernetes".to_owned()))?;
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
