//! Control planes to install on.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use testbed::{ControlPlane, Helm, Kubectl, Options, Run, unique_namespace};
use tokio::sync::OnceCell;

use crate::harness::{Plane, blocking, repository};
use crate::pages::Shell;

/// A control plane with nothing of ours on it.
pub(crate) struct Ground {
    control: ControlPlane,
    pub(crate) helm: Helm,
}

/// A control plane with the definitions, on which every version of every window is recorded.
pub(crate) struct Cluster {
    pub(crate) plane: Arc<Plane>,
    pub(crate) helm: Helm,
}

impl Ground {
    /// With the controllers: what is deleted takes along what it owns, and roles are aggregated.
    pub(crate) async fn with_controllers() -> Self {
        Self::start(Options { controller_manager: true, ..Options::default() }).await
    }

    pub(crate) async fn without_controllers() -> Self {
        Self::start(Options::default()).await
    }

    async fn start(options: Options) -> Self {
        let (control, helm) = blocking(move || {
            let control = ControlPlane::start(&options).unwrap();
            // The harness has an operator's account of its own. Nobody uses it here.
            let (namespace, account) = (["create", "namespace", "live"], ["create", "serviceaccount", "jobstartstop"]);
            control.kubectl().ok(namespace).unwrap();
            control.kubectl().ok(account.into_iter().chain(["--namespace=live"])).unwrap();
            let helm = control.helm().unwrap();
            (control, helm)
        })
        .await;
        Self { control, helm }
    }

    pub(crate) fn kubectl(&self) -> &Kubectl {
        self.control.kubectl()
    }

    pub(crate) fn run(&self) -> &Run {
        self.control.run()
    }

    pub(crate) fn shell(&self) -> Shell {
        Shell::new(&self.helm, self.kubectl())
    }

    /// From now on windows are recorded; the definitions are there.
    pub(crate) async fn recorded(self) -> Cluster {
        let Self { control, helm } = self;
        let kubectl = control.kubectl().clone();
        blocking(move || kubectl.ok(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).unwrap())
            .await;
        Cluster { plane: Plane::own(control).await, helm }
    }
}

impl Cluster {
    /// A file or folder that no other call has given out.
    pub(crate) fn path(&self, stem: &str) -> PathBuf {
        self.plane.run().unique_path(stem, "")
    }

    /// A namespace where nothing but what is restricted may run.
    pub(crate) async fn restricted_namespace(&self, prefix: &str) -> String {
        let name = unique_namespace(prefix);
        self.plane.kubectl(["create", "namespace", &name]).await;
        let levels = ["enforce", "warn"].map(|mode| format!("pod-security.kubernetes.io/{mode}=restricted"));
        self.plane.kubectl(["label", "namespace", &name, &levels[0], &levels[1]]).await;
        name
    }

    pub(crate) fn shell(&self) -> Shell {
        Shell::new(&self.helm, self.plane.control().kubectl())
    }
}

/// What became of definitions that were there before helm came.
pub(crate) struct Adoption {
    /// What helm said where it was not told to take them over.
    pub(crate) refusal: String,
    /// An object that was stored before.
    pub(crate) before: Value,
    pub(crate) after: Value,
    /// The definitions afterwards, as helm's own.
    pub(crate) definitions: Vec<Value>,
}

/// The control plane that most scenes share. Its definitions were installed by kubectl and adopted by a release of
/// their own, so that each scene's release is without them.
pub(crate) async fn shared() -> &'static Cluster {
    &adopted().await.0
}

/// The same, and how the definitions were adopted.
pub(crate) async fn adopted() -> &'static (Cluster, Adoption) {
    static SHARED: OnceCell<(Cluster, Adoption)> = OnceCell::const_new();
    SHARED.get_or_init(adopt).await
}

async fn adopt() -> (Cluster, Adoption) {
    let ground = Ground::with_controllers().await;
    let kubectl = ground.kubectl().clone();
    let before = blocking(move || {
        kubectl.ok(["apply", "-f", &repository("crds").display().to_string()]).unwrap();
        kubectl.ok(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).unwrap();
        let window = fs::read_to_string(repository("examples/planned-but-suspended.yaml")).unwrap();
        kubectl.run_with_input(["apply", "--namespace=default", "-f", "-"], &window).unwrap().ok().unwrap();
        stored_window(&kubectl)
    })
    .await;
    let shell = ground.shell();
    shell.run("namespace").await;
    let unasked = [(" --take-ownership --force-conflicts", "")];
    let refused = shell.output("adopt", &repository("."), &unasked).await;
    assert!(!refused.status.success(), "it takes nothing over unasked");
    shell.run("adopt").await;
    let kubectl = ground.kubectl().clone();
    let (after, definitions) = blocking(move || {
        let definitions = json(&kubectl, &["get", "crd", "--output=json"]);
        (stored_window(&kubectl), definitions["items"].as_array().unwrap().clone())
    })
    .await;
    let refusal = String::from_utf8(refused.stderr).unwrap();
    (ground.recorded().await, Adoption { refusal, before, after, definitions })
}

fn stored_window(kubectl: &Kubectl) -> Value {
    json(kubectl, &["get", "jss", "--namespace=default", "--output=json"])["items"][0].clone()
}

fn json(kubectl: &Kubectl, args: &[&str]) -> Value {
    serde_json::from_str(&kubectl.ok(args).unwrap()).unwrap()
}
