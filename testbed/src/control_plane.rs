use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use ring::{
    rand::{SecureRandom as _, SystemRandom},
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};

use crate::{
    binaries::{self, Tool},
    error::{Doing as _, Error, Result},
    helm::Helm,
    hex, kubeconfig,
    kubectl::Kubectl,
    ports::on_free_ports,
    probe::{https_status, listens},
    process::{Launch, Process},
    proxy::ApiProxy,
    run::Run,
    unique_namespace,
};

const READY_WITHIN: Duration = Duration::from_mins(1);
const CONTROLLERS: &str =
    "namespace-controller,garbage-collector-controller,serviceaccount-controller,clusterrole-aggregation-controller";

/// How to start a control plane.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Also start kube-controller-manager: namespaces go when deleted, and owned objects with their owner.
    pub controller_manager: bool,
    /// Use this cluster and start nothing; when none, `TESTBED_KUBECONFIG` may name one.
    pub kubeconfig: Option<PathBuf>,
    /// More arguments for etcd.
    pub etcd_args: Vec<String>,
    /// More arguments for kube-apiserver.
    pub apiserver_args: Vec<String>,
}

/// A Kubernetes API with admin rights: of our own processes, which end with this value or this program.
#[derive(Debug)]
pub struct ControlPlane {
    // Before the run, so that a dropped control plane first ends its processes.
    own: Option<Own>,
    kubeconfig: PathBuf,
    kubectl: Kubectl,
    run: Run,
}

#[derive(Debug)]
struct Own {
    apiserver: Process,
    controller_manager: Mutex<Option<Process>>,
    etcd: Process,
    endpoint: Endpoint,
    key: PathBuf,
    /// Below it: etcd's data, and their backup.
    folder: PathBuf,
}

#[derive(Clone, Debug)]
struct Endpoint {
    address: SocketAddr,
    authority: PathBuf,
    token: String,
}

impl ControlPlane {
    /// Starts one and waits until it is ready, about three seconds; the programs are built first where
    /// they have to be. Blocks the calling thread.
    pub fn start(options: &Options) -> Result<Self> {
        let named = options
            .kubeconfig
            .clone()
            .or_else(|| env::var_os("TESTBED_KUBECONFIG").filter(|value| !value.is_empty()).map(PathBuf::from));
        match named {
            Some(kubeconfig) => Self::of_existing(kubeconfig),
            None => Self::of_own(options),
        }
    }

    fn of_existing(kubeconfig: PathBuf) -> Result<Self> {
        let run = Run::new()?;
        let kubectl = kubectl(&run, &kubeconfig)?;
        kubectl.ok(["get", "--raw", "/readyz"])?;
        Ok(Self { own: None, kubeconfig, kubectl, run })
    }

    fn of_own(options: &Options) -> Result<Self> {
        let mut tools = Tool::BASIC.to_vec();
        if options.controller_manager {
            tools.push(Tool::KubeControllerManager);
        }
        binaries::ensure(&tools)?;
        let run = Run::new()?;
        let kubeconfig = run.path().join("kubeconfig");
        let own = on_free_ports(|ports| Own::start(&run, &kubeconfig, options, ports))?;
        let kubectl = kubectl(&run, &kubeconfig)?;
        let plane = Self { own: Some(own), kubeconfig, kubectl, run };
        if options.controller_manager {
            plane.start_controller_manager()?;
        }
        Ok(plane)
    }

    /// The admin's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The folder with its data and logs, to which other processes of the same life can be added.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// `kubectl` as admin.
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// `helm` as admin; it is built first where it has to be.
    pub fn helm(&self) -> Result<Helm> {
        Helm::new(&self.run, &self.kubeconfig)
    }

    /// The API server's process, to freeze, kill or restart; an error on a cluster that is not ours.
    pub fn apiserver(&self) -> Result<&Process> {
        self.own("its API server is no process of ours").map(|own| &own.apiserver)
    }

    /// etcd's process; an error on a cluster that is not ours.
    pub fn etcd(&self) -> Result<&Process> {
        self.own("its etcd is no process of ours").map(|own| &own.etcd)
    }

    /// Keeps a copy of what etcd has stored now. etcd is down meanwhile, for a moment.
    pub fn back_up_etcd(&self) -> Result<()> {
        let own = self.own("its etcd is no process of ours")?;
        own.etcd.kill9()?;
        copy_folder(&own.folder.join("etcd"), &own.folder.join("backup"))?;
        own.etcd.restart()?;
        self.wait_until_ready()
    }

    /// Puts that copy back: what was written since is gone, and versions go back. The API server is started anew, as it
    /// has to be after that.
    pub fn restore_etcd(&self) -> Result<()> {
        let own = self.own("its etcd is no process of ours")?;
        own.apiserver.kill9()?;
        own.etcd.kill9()?;
        let data = own.folder.join("etcd");
        fs::remove_dir_all(&data).doing(|| format!("removing {}", data.display()))?;
        copy_folder(&own.folder.join("backup"), &data)?;
        own.etcd.restart()?;
        own.apiserver.restart()?;
        self.wait_until_ready()
    }

    /// Waits until the API server answers that it is ready, for instance after a restart.
    pub fn wait_until_ready(&self) -> Result<()> {
        let own = self.own("readiness is its owner's matter")?;
        own.apiserver.wait_until_ready(READY_WITHIN, |_| own.endpoint.answers("/readyz"))
    }

    /// Starts kube-controller-manager where it does not run yet; a cluster that is not ours has its own.
    pub fn start_controller_manager(&self) -> Result<()> {
        let Some(own) = &self.own else { return Ok(()) };
        let mut slot = own.controller_manager.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_some_and(Process::is_running) {
            return Ok(());
        }
        let process = Launch::new("kube-controller-manager", binaries::path(Tool::KubeControllerManager)?)
            .arg(flag("--kubeconfig", &self.kubeconfig))
            .arg(flag("--service-account-private-key-file", &own.key))
            .arg(format!("--controllers={CONTROLLERS}"))
            // Each controller with the service account and the rights that it has in a cluster, not as admin.
            .arg("--use-service-account-credentials=true")
            .args(["--leader-elect=false", "--secure-port=0"])
            .grace(Duration::ZERO)
            .start(&self.run)?;
        // It has no health endpoint without a port; this object is the first thing that it makes.
        let made = "/api/v1/namespaces/default/serviceaccounts/default";
        process.wait_until_ready(READY_WITHIN, |_| own.endpoint.answers(made))?;
        *slot = Some(process);
        Ok(())
    }

    /// Makes a namespace with a new name.
    pub fn create_namespace(&self, prefix: &str) -> Result<String> {
        let name = unique_namespace(prefix);
        self.kubectl.ok(["create", "namespace", &name])?;
        Ok(name)
    }

    /// A kubeconfig for a service account that exists, with a token good for a day: for running a program
    /// with the rights that it will have, not as admin.
    pub fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let cluster = kubeconfig::current_cluster(&self.kubeconfig)?;
        self.kubeconfig_with_token(&cluster, namespace, name)
    }

    /// A proxy in front of its API server; an error on a cluster that is not ours.
    pub fn start_proxy(&self) -> Result<ApiProxy> {
        let Endpoint { address, authority, .. } = &self.own("its API server's address is its owner's matter")?.endpoint;
        ApiProxy::start(*address, authority)
    }

    /// The same as [`ControlPlane::service_account_kubeconfig`], with a proxy between.
    pub fn service_account_kubeconfig_through(&self, proxy: &ApiProxy, namespace: &str, name: &str) -> Result<PathBuf> {
        self.kubeconfig_with_token(&proxy.cluster(), namespace, name)
    }

    fn kubeconfig_with_token(&self, cluster: &Value, namespace: &str, name: &str) -> Result<PathBuf> {
        let token = self.kubectl.ok(["create", "token", name, "--namespace", namespace, "--duration=24h"])?;
        let path = self.run.unique_path(&format!("kubeconfig-{namespace}-{name}"), "");
        kubeconfig::write(&path, cluster, token.trim(), namespace)?;
        Ok(path)
    }

    /// Ends all its processes; dropping does the same.
    pub fn stop(self) {
        drop(self);
    }

    fn own(&self, foreign: &'static str) -> Result<&Own> {
        self.own.as_ref().ok_or(Error::ForeignCluster(foreign))
    }
}

impl Own {
    fn start(run: &Run, kubeconfig: &Path, options: &Options, [client, peer, secure]: [SocketAddr; 3]) -> Result<Self> {
        let folder = run.unique_path("control-plane", "");
        fs::create_dir(&folder).doing(|| format!("making {}", folder.display()))?;
        let etcd = start_etcd(run, &folder, client, peer, &options.etcd_args)?;
        let keys = write_keys(&folder)?;
        let token = random_token()?;
        // The API server tries a store that does not listen yet again only after a second.
        etcd.wait_until_ready(READY_WITHIN, |_| listens(client))?;
        let apiserver = Launch::new("kube-apiserver", binaries::path(Tool::KubeApiserver)?)
            .args(apiserver_args(&folder, client, secure, &keys, &token)?)
            .args(&options.apiserver_args)
            .grace(Duration::ZERO)
            .start(run)?;
        let served = folder.join("certificates/apiserver.crt");
        let endpoint = Endpoint { address: secure, authority: folder.join("ca.crt"), token };
        apiserver.wait_until_ready(READY_WITHIN, |_| {
            (endpoint.authority.is_file() || write_authority(&served, &endpoint.authority))
                && endpoint.answers("/readyz")
        })?;
        kubeconfig::write(kubeconfig, &endpoint.cluster(), &endpoint.token, "default")?;
        Ok(Self { apiserver, controller_manager: Mutex::new(None), etcd, endpoint, key: keys.private, folder })
    }
}

impl Endpoint {
    fn answers(&self, path: &str) -> bool {
        https_status(self.address, &self.authority, &self.token, path).is_ok_and(|status| status == 200)
    }

    fn cluster(&self) -> Value {
        json!({"server": format!("https://{}", self.address), "certificate-authority": self.authority})
    }
}

fn kubectl(run: &Run, kubeconfig: &Path) -> Result<Kubectl> {
    let cache = run.path().join("kubectl-cache");
    Ok(Kubectl::new(binaries::path(Tool::Kubectl)?, kubeconfig.to_owned(), cache))
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).doing(|| format!("making {}", to.display()))?;
    for entry in fs::read_dir(from).doing(|| format!("reading {}", from.display()))? {
        let entry = entry.doing(|| format!("reading {}", from.display()))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target)?;
        } else {
            fs::copy(&source, &target).doing(|| format!("copying {}", source.display()))?;
        }
    }
    Ok(())
}

fn start_etcd(run: &Run, folder: &Path, client: SocketAddr, peer: SocketAddr, more: &[String]) -> Result<Process> {
    Launch::new("etcd", binaries::path(Tool::Etcd)?)
        .arg(flag("--data-dir", &folder.join("etcd")))
        .arg(format!("--listen-client-urls=http://{client}"))
        .arg(format!("--advertise-client-urls=http://{client}"))
        .arg(format!("--listen-peer-urls=http://{peer}"))
        // The bench stores 100,000 windows, and every version of them until the next compaction: the default is 2 GiB.
        .args(["--unsafe-no-fsync", "--log-level=error", "--quota-backend-bytes=8589934592"])
        .args(more)
        // Its data go with it: there is nothing to end in order.
        .grace(Duration::ZERO)
        .start(run)
}

fn apiserver_args(
    folder: &Path,
    etcd: SocketAddr,
    secure: SocketAddr,
    keys: &Keys,
    token: &str,
) -> Result<Vec<String>> {
    let tokens = folder.join("tokens.csv");
    fs::write(&tokens, format!("{token},admin,admin,\"system:masters\"\n"))
        .doing(|| format!("writing {}", tokens.display()))?;
    Ok(vec![
        format!("--etcd-servers=http://{etcd}"),
        format!("--bind-address={}", secure.ip()),
        format!("--secure-port={}", secure.port()),
        // Else it looks for an address of another interface, and does not start where there is none.
        format!("--advertise-address={}", secure.ip()),
        "--endpoint-reconciler-type=none".to_owned(),
        flag("--cert-dir", &folder.join("certificates")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        flag("--service-account-key-file", &keys.public),
        flag("--service-account-signing-key-file", &keys.private),
        flag("--token-auth-file", &tokens),
        "--authorization-mode=RBAC".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--disable-admission-plugins=ServiceAccount".to_owned(),
    ])
}

fn flag(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

struct Keys {
    private: PathBuf,
    public: PathBuf,
}

/// The pair that signs service account tokens. Elliptic, since making an RSA key takes seconds in a debug build.
fn write_keys(folder: &Path) -> Result<Keys> {
    // The DER of "a point on P-256 follows".
    const PUBLIC_KEY_HEADER: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
        0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    let random = SystemRandom::new();
    let unmade = || Error::Invalid("no key pair could be made".to_owned());
    let private = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).map_err(|_| unmade())?;
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, private.as_ref(), &random).map_err(|_| unmade())?;
    let public = [&PUBLIC_KEY_HEADER, pair.public_key().as_ref()].concat();
    let write = |name: &str, tag: &str, der: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, pem::encode(&pem::Pem::new(tag, der))).doing(|| format!("writing {}", path.display()))?;
        Ok(path)
    };
    Ok(Keys {
        private: write("service-accounts.key", "PRIVATE KEY", private.as_ref())?,
        public: write("service-accounts.pub", "PUBLIC KEY", &public)?,
    })
}

fn random_token() -> Result<String> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::Invalid("no random numbers".to_owned()))?;
    Ok(hex(&bytes))
}

/// The API server makes itself a certificate and an authority, and keeps both in one file, authority last.
fn write_authority(served: &Path, authority: &Path) -> bool {
    let Ok(text) = fs::read_to_string(served) else {
        return false;
    };
    // Read while being written, it may hold less than both.
    match pem::parse_many(&text).as_deref() {
        Ok([_, .., last]) => fs::write(authority, pem::encode(last)).is_ok(),
        _ => false,
    }
}
