//! The programs of `tools/`: taken from `KUBEBUILDER_ASSETS`, or built once into the user's cache.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    error::{Doing as _, Error, Result},
    go_module::{self, GoModule},
    process::{Launch, tail},
    progress::Progress,
    run::Run,
    toolchain::{Toolchain, lock},
};

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
    /// Checks and tests Prometheus' rules.
    Promtool,
    /// Reads a page of metrics as Prometheus does.
    OpenMetrics,
    /// Tells what Argo CD and Flux make of objects.
    Verdicts,
}

const MODULES: [&GoModule; 3] = [&go_module::CONTROL_PLANE, &go_module::PROMETHEUS, &go_module::GITOPS];

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
            Self::Promtool => "promtool",
            Self::OpenMetrics => "openmetrics",
            Self::Verdicts => "verdicts",
        }
    }

    fn takes_minutes(self) -> bool {
        matches!(self, Self::KubeApiserver | Self::KubeControllerManager | Self::Promtool)
    }

    fn module(self) -> &'static GoModule {
        match self {
            Self::Etcd | Self::KubeApiserver | Self::Kubectl | Self::KubeControllerManager | Self::Helm => {
                &go_module::CONTROL_PLANE
            }
            Self::Promtool | Self::OpenMetrics => &go_module::PROMETHEUS,
            Self::Verdicts => &go_module::GITOPS,
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::KubeApiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
            Self::KubeControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::Helm => "helm.sh/helm/v4/cmd/helm",
            Self::Promtool => "github.com/prometheus/prometheus/cmd/promtool",
            Self::OpenMetrics => "./openmetrics",
            Self::Verdicts => "./verdicts",
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
    Ok(Store::new(&cache, &Toolchain::find(&cache), tool.module())?.file(tool))
}

/// Builds those that are neither given nor in the cache, and tells on standard error how it goes.
pub fn ensure(tools: &[Tool]) -> Result<()> {
    let cache = cache_folder()?;
    let wanted: Vec<Tool> = tools.iter().copied().filter(|&tool| given(tool).is_none()).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let toolchain = Toolchain::find(&cache);
    for module in MODULES {
        let of_it: Vec<Tool> = wanted.iter().copied().filter(|tool| tool.module() == module).collect();
        if of_it.is_empty() {
            continue;
        }
        let store = Store::new(&cache, &toolchain, module)?;
        if store.missing(&of_it).is_empty() {
            continue;
        }
        let go = toolchain.go(&cache)?;
        let _lock = lock(&store.folder, module.what)?;
        let missing = store.missing(&of_it);
        for (index, &tool) in missing.iter().enumerate() {
            let duration = if tool.takes_minutes() { ", takes minutes" } else { "" };
            store.build(go, tool, &format!("{} ({} of {}{duration})", tool.name(), index + 1, missing.len()))?;
        }
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
    module: &'static GoModule,
    folder: PathBuf,
    flags: String,
}

impl Store {
    fn new(cache: &Path, toolchain: &Toolchain, module: &'static GoModule) -> Result<Self> {
        let flags = module.linker_flags()?;
        let folder = cache.join(module.key(&toolchain.version, &flags));
        Ok(Self { module, folder, flags })
    }

    fn file(&self, tool: Tool) -> PathBuf {
        self.folder.join(tool.name())
    }

    fn missing(&self, tools: &[Tool]) -> Vec<Tool> {
        tools.iter().copied().filter(|&tool| !self.file(tool).is_file()).collect()
    }

    fn build(&self, go: &Path, tool: Tool, what: &str) -> Result<()> {
        let module = self.folder.join("module");
        self.module.write(&module)?;
        let partial = self.folder.join(format!(".{}.partial", tool.name()));
        let run = Run::new()?;
        let build = Launch::new(format!("go-build-{}", tool.name()), go)
            .args(["build", "-trimpath", "-ldflags", &self.flags, "-tags", self.module.tags, "-o"])
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
