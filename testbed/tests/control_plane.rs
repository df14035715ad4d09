//! A real control plane: it serves, it goes without a trace, and it can be someone else's.

// The lint's exception for tests does not reach the functions that they share.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use testbed::{ControlPlane, Options, Signal, Tool, binaries};

/// The processes that have something to do with a folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let needle = folder.to_str().unwrap();
    let commands = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let bytes = fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&bytes).replace('\0', " "))
    });
    commands.filter(|command| command.contains(needle)).collect()
}

fn wait_until_gone(folder: &Path, within: Duration) {
    let deadline = Instant::now() + within;
    while folder.exists() || !processes_of(folder).is_empty() {
        assert!(Instant::now() < deadline, "{} is left with {:?}", folder.display(), processes_of(folder));
        thread::sleep(Duration::from_millis(50));
    }
}

/// `testbed up` in a process of its own.
struct Up {
    program: Child,
    run: PathBuf,
    // Held open: a program that could not print would end by itself.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Up {
    /// SIGKILL: no handler, no destructor.
    fn kill(&mut self) {
        assert_eq!(self.program.try_wait().unwrap(), None, "it was to run until now");
        self.program.kill().unwrap();
        self.program.wait().unwrap();
    }
}

fn up(configure: impl FnOnce(&mut Command)) -> Up {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testbed"));
    command.arg("up").env_remove("TESTBED_KUBECONFIG").stdout(Stdio::piped());
    configure(&mut command);
    let mut program = command.spawn().unwrap();
    let mut output = BufReader::new(program.stdout.take().unwrap()).lines();
    let kubeconfig = output
        .by_ref()
        .map(Result::unwrap)
        .find_map(|line| line.trim().strip_prefix("export KUBECONFIG=").map(PathBuf::from))
        .expect("testbed up ended without a kubeconfig");
    let run = kubeconfig.parent().unwrap().to_owned();
    Up { program, run, _output: output }
}

#[test]
fn serves_survives_its_api_server_and_goes_without_a_trace() {
    let plane = ControlPlane::start(&Options::default()).unwrap();
    let folder = plane.run().path().to_owned();
    let namespace = plane.create_namespace("plain").unwrap();
    plane.apiserver().unwrap().kill9().unwrap();
    plane.apiserver().unwrap().restart().unwrap();
    plane.wait_until_ready().unwrap();
    let names = plane.kubectl().ok(["get", "namespaces", "--output=name"]).unwrap();
    assert!(names.contains(&namespace), "{names}");
    plane.stop();
    assert!(!folder.exists());
    assert_eq!(processes_of(&folder), Vec::<String>::new());
}

#[test]
fn what_etcd_stored_is_put_back_under_a_client_that_goes_on() {
    let plane = ControlPlane::start(&Options::default()).unwrap();
    let namespace = plane.create_namespace("restored").unwrap();
    let create = |name: &str| {
        let version = "--output=jsonpath={.metadata.resourceVersion}";
        let stored = plane.kubectl().ok(["create", "configmap", name, "--namespace", &namespace, version]);
        stored.unwrap().parse::<u64>().unwrap()
    };
    create("before");
    plane.back_up_etcd().unwrap();
    // An API server that starts writes a few things itself: more than that, so that versions go back.
    let since: String = (0..200).map(|number| config_map(&namespace, number)).collect();
    plane.kubectl().apply(&since).unwrap();
    let version = create("since");
    plane.restore_etcd().unwrap();
    let names = plane.kubectl().ok(["get", "configmaps", "--namespace", &namespace, "--output=name"]).unwrap();
    assert_eq!(names, "configmap/before\n");
    assert!(create("after") < version, "versions go back");
}

fn config_map(namespace: &str, number: u32) -> String {
    format!("---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: since-{number}, namespace: {namespace}}}}}\n")
}

#[test]
fn etcd_and_the_api_server_freeze_and_go_on_by_themselves() {
    let plane = ControlPlane::start(&Options::default()).unwrap();
    // Readiness is no measure: the API server remembers for seconds how its store was.
    let serves = || plane.kubectl().ok(["get", "namespace", "default", "--request-timeout=1s"]).is_ok();
    for process in [plane.etcd().unwrap(), plane.apiserver().unwrap()] {
        process.signal(Signal::Stop).unwrap();
        assert!(!serves(), "{} is frozen", process.name());
        process.signal(Signal::Continue).unwrap();
        plane.wait_until_ready().unwrap();
        assert!(serves());
        process.kill9().unwrap();
        assert!(!serves(), "{} is gone", process.name());
        process.restart().unwrap();
        plane.wait_until_ready().unwrap();
        assert!(serves());
    }
}

#[test]
fn a_service_account_has_its_own_rights_only() {
    let plane = testbed::shared().unwrap();
    let namespace = plane.create_namespace("rights").unwrap();
    let account = format!(
        "{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: reader, namespace: {namespace}}}}}\n---\n\
         {{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, \
           metadata: {{name: reader, namespace: {namespace}}}, \
           rules: [{{apiGroups: [''], resources: [configmaps], verbs: [list]}}]}}\n---\n\
         {{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, \
           metadata: {{name: reader, namespace: {namespace}}}, \
           roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}, \
           subjects: [{{kind: ServiceAccount, name: reader, namespace: {namespace}}}]}}"
    );
    plane.kubectl().apply(&account).unwrap();
    let kubeconfig = plane.service_account_kubeconfig(&namespace, "reader").unwrap();
    let reader = plane.kubectl().with_kubeconfig(kubeconfig);
    // The API server learns of new roles through a watch of its own.
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(error) = reader.ok(["get", "configmaps"]) {
        assert!(Instant::now() < deadline, "{error}");
    }
    let refused = reader.ok(["create", "configmap", "x"]).unwrap_err();
    assert!(refused.to_string().contains("forbidden"), "{refused}");
}

#[test]
fn with_its_controllers_a_deleted_namespace_goes() {
    let plane = testbed::shared().unwrap();
    plane.start_controller_manager().unwrap();
    let namespace = plane.create_namespace("deleted").unwrap();
    plane.kubectl().ok(["create", "configmap", "x", "--namespace", &namespace]).unwrap();
    plane.kubectl().ok(["delete", "namespace", &namespace, "--timeout=60s"]).unwrap();
}

#[test]
fn another_cluster_is_used_as_it_is() {
    let shared = testbed::shared().unwrap();
    let options = Options { kubeconfig: Some(shared.kubeconfig().to_owned()), ..Options::default() };
    let plane = ControlPlane::start(&options).unwrap();
    let namespace = plane.create_namespace("foreign").unwrap();
    assert!(plane.apiserver().is_err());
    plane.stop();
    shared.kubectl().ok(["get", "namespace", &namespace]).unwrap();
}

#[test]
fn ends_when_its_program_is_killed() {
    let mut up = up(|_| {});
    assert!(processes_of(&up.run).iter().any(|command| command.contains("kube-apiserver")));
    up.kill();
    wait_until_gone(&up.run, Duration::from_secs(10));
}

#[test]
fn given_programs_are_used_and_none_built() {
    let folder = tempfile::tempdir().unwrap();
    let assets = folder.path().join("assets");
    fs::create_dir(&assets).unwrap();
    for tool in Tool::BASIC {
        symlink(binaries::path(tool).unwrap(), assets.join(tool.name())).unwrap();
    }
    let cache = folder.path().join("cache");
    let mut up = up(|command| {
        command.env("KUBEBUILDER_ASSETS", &assets).env("XDG_CACHE_HOME", &cache);
    });
    let commands = processes_of(&up.run);
    for program in ["etcd", "kube-apiserver"] {
        let path = assets.join(program);
        assert!(commands.iter().any(|command| command.starts_with(path.to_str().unwrap())), "{commands:#?}");
    }
    up.kill();
    wait_until_gone(&up.run, Duration::from_secs(10));
    assert!(!cache.exists());
}
