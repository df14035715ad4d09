//! What all scenes share: two control planes, one simulated vendor, one operator.
//!
//! - The house: one operator in all namespaces, as most installations run it.
//! - The annex: no operator but those that scenes start for their own namespace, to kill them or to do without.
//! - The vendor: one simulator; each scene has a key, an account and channels of its own.
//!
//! Every operator runs with the rights of examples/operator-rbac.yaml and no others.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_norway::Value;
use testbed::{ControlPlane, Kubectl, Operator, Options, Run, Simulator};
use tokio::sync::OnceCell;

use super::operator::arguments;
use super::recorder::Recorder;
use super::{LOOK_AGAIN, blocking};

/// Turning times of every channel, in milliseconds: a twentieth of what the vendor's may take, as the operator's own
/// times are.
const TURNING: [&str; 4] = ["--activation-ms", "400", "--deactivation-ms", "300"];

enum Control {
    Shared(&'static ControlPlane),
    Own(Box<ControlPlane>),
}

impl Deref for Control {
    type Target = ControlPlane;

    fn deref(&self) -> &ControlPlane {
        match self {
            Self::Shared(control) => control,
            Self::Own(control) => control,
        }
    }
}

/// A control plane with the definitions installed and everything recorded.
pub(crate) struct Plane {
    control: Control,
    pub(crate) client: Client,
    pub(crate) recorder: Recorder,
    /// The operator's rights.
    pub(crate) operator_kubeconfig: PathBuf,
}

/// The control plane with the operator of all namespaces.
pub(crate) struct House {
    pub(crate) plane: Arc<Plane>,
    pub(crate) operator: Operator,
}

pub(crate) async fn house() -> &'static House {
    static HOUSE: OnceCell<House> = OnceCell::const_new();
    HOUSE.get_or_init(open_house).await
}

async fn open_house() -> House {
    let control = blocking(|| Control::Shared(testbed::shared().unwrap())).await;
    install(&control.kubectl().clone()).await;
    let plane = Arc::new(Plane::furnish(control).await);
    let everywhere = ["create", "clusterrolebinding", "jobstartstop", "--clusterrole=jobstartstop"];
    plane.kubectl(everywhere.into_iter().chain(["--serviceaccount=live:jobstartstop"])).await;
    let args = arguments(&vendor().await.base_url, None, &[]);
    let (run, kubeconfig) = (plane.run().clone(), plane.operator_kubeconfig.clone());
    let operator = blocking(move || Operator::start(&run, &kubeconfig, args, debug_log()).unwrap()).await;
    House { plane, operator }
}

/// What an operator logs in tests: everything of its own, so that a key would show wherever it is logged.
pub(crate) fn debug_log() -> [(&'static str, &'static str); 1] {
    [("JOBSTARTSTOP_LOG", "jobstartstop=trace,kube=debug,reqwest=debug,hyper=debug,info")]
}

/// The control plane without an operator of its own.
pub(crate) async fn annex() -> Arc<Plane> {
    static ANNEX: OnceCell<Arc<Plane>> = OnceCell::const_new();
    Arc::clone(ANNEX.get_or_init(open_annex).await)
}

async fn open_annex() -> Arc<Plane> {
    let control = bare_plane().await;
    install(control.kubectl()).await;
    Arc::new(Plane::furnish(Control::Own(Box::new(control))).await)
}

/// A control plane for one scene alone, without the definitions.
pub(crate) async fn bare_plane() -> ControlPlane {
    blocking(|| ControlPlane::start(&Options::default()).unwrap()).await
}

/// The simulated vendor.
pub(crate) async fn vendor() -> &'static Simulator {
    static VENDOR: OnceCell<Simulator> = OnceCell::const_new();
    VENDOR.get_or_init(another_vendor).await
}

/// A vendor of a scene's own.
pub(crate) async fn another_vendor() -> Simulator {
    let start = || {
        // Each scene books more channels than the vendor lets go on at once, in an account of its own.
        let args = TURNING.into_iter().chain(["--simultaneous-activations", "0", "--scheduler-list"]);
        Simulator::start(&Run::new().unwrap(), args).unwrap()
    };
    blocking(start).await
}

/// Installs the operator's rights and the definitions, as a user does.
pub(crate) async fn install(kubectl: &Kubectl) {
    install_rights(kubectl).await;
    install_definitions(kubectl).await;
}

pub(crate) async fn install_rights(kubectl: &Kubectl) {
    let kubectl = kubectl.clone();
    blocking(move || {
        kubectl.ok(["create", "namespace", "live"]).unwrap();
        kubectl.ok([Path::new("apply"), Path::new("-f"), &repository("examples/operator-rbac.yaml")]).unwrap();
    })
    .await;
}

pub(crate) async fn install_definitions(kubectl: &Kubectl) {
    let kubectl = kubectl.clone();
    blocking(move || {
        kubectl.ok([Path::new("apply"), Path::new("-f"), &repository("crds")]).unwrap();
        kubectl.ok(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).unwrap();
        // Short names are known a moment later, and kubectl remembers what it was told before.
        while !kubectl.ok(["api-resources"]).unwrap().contains("jss") {
            std::thread::sleep(LOOK_AGAIN);
        }
        // So is what `kubectl explain` reads: the apiserver publishes the schemas in its own time.
        while ["jss", "liveacct"].iter().any(|kind| kubectl.ok(["explain", kind]).is_err()) {
            std::thread::sleep(LOOK_AGAIN);
        }
    })
    .await;
}

/// Installs definitions of the same names that let everything through, as another version's might.
pub(crate) async fn install_definitions_without_rules(kubectl: &Kubectl) {
    let kubectl = kubectl.clone();
    blocking(move || {
        for plural in ["jobstartstops", "liveaccounts"] {
            let path = repository(&format!("crds/scheduler.bcovlive.io_{plural}.yaml"));
            let mut definition: Value = serde_norway::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            let anything = "{type: object, x-kubernetes-preserve-unknown-fields: true}";
            let status = anything.replace('}', ", default: {observedGeneration: -1}}");
            let schema = format!("{{type: object, properties: {{spec: {anything}, status: {status}}}}}");
            let version = &mut definition["spec"]["versions"][0];
            version["schema"]["openAPIV3Schema"] = serde_norway::from_str(&schema).unwrap();
            version.as_mapping_mut().unwrap().remove("selectableFields");
            kubectl.apply(&serde_norway::to_string(&definition).unwrap()).unwrap();
        }
        kubectl.ok(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).unwrap();
    })
    .await;
}

/// Installs the definition of `JobStartStop` as an older version had it, without a field of its status.
pub(crate) async fn install_older_definition(kubectl: &Kubectl, task: &'static str, field: &'static str) {
    let kubectl = kubectl.clone();
    blocking(move || {
        let path = repository("crds/scheduler.bcovlive.io_jobstartstops.yaml");
        let mut definition: Value = serde_norway::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let schema = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let fields = &mut schema["properties"]["status"]["properties"][task]["properties"];
        fields.as_mapping_mut().unwrap().remove(field).expect("the field is there");
        kubectl.apply(&serde_norway::to_string(&definition).unwrap()).unwrap();
        kubectl.ok(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).unwrap();
    })
    .await;
}

/// A path in this repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

impl Plane {
    /// Of a control plane of one scene's own, with everything installed.
    pub(crate) async fn own(control: ControlPlane) -> Arc<Self> {
        Arc::new(Self::furnish(Control::Own(Box::new(control))).await)
    }

    async fn furnish(control: Control) -> Self {
        let (control, operator_kubeconfig) = blocking(move || {
            let kubeconfig = control.service_account_kubeconfig("live", "jobstartstop").unwrap();
            (control, kubeconfig)
        })
        .await;
        let admin = Kubeconfig::read_from(control.kubeconfig()).unwrap();
        let config = kube::Config::from_custom_kubeconfig(admin, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let recorder = Recorder::start(client.clone()).await;
        Self { control, client, recorder, operator_kubeconfig }
    }

    /// Where its processes log.
    pub(crate) fn run(&self) -> &Run {
        self.control.run()
    }

    /// Its processes.
    pub(crate) fn control(&self) -> &ControlPlane {
        &self.control
    }

    /// Runs kubectl as admin; it must succeed.
    pub(crate) async fn kubectl(&self, args: impl IntoIterator<Item = impl AsRef<str>>) -> String {
        self.try_kubectl(args).await.unwrap()
    }

    /// Runs kubectl as admin.
    pub(crate) async fn try_kubectl(&self, args: impl IntoIterator<Item = impl AsRef<str>>) -> testbed::Result<String> {
        let (kubectl, args) = (self.control.kubectl().clone(), owned(args));
        blocking(move || kubectl.ok(args)).await
    }

    /// Applies manifests; a refusal is an error with the server's words.
    pub(crate) async fn apply(&self, namespace: &str, yaml: String) -> testbed::Result<String> {
        let kubectl = self.control.kubectl().clone();
        let args = owned(["apply", "--namespace", namespace, "-f", "-"]);
        blocking(move || kubectl.run_with_input(args, &yaml)?.ok()).await
    }
}

fn owned(args: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    args.into_iter().map(|arg| arg.as_ref().to_owned()).collect()
}
