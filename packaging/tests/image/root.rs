//! The image's root, unpacked, and what it is to run there: in namespaces of its own, so that no right on this machine is
//! needed, and nothing of this machine is in reach.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use packaging::USER;

use crate::layout::unpack;

/// Names the unpacked root to the program that plays a scene apart.
const ROOT: &str = "IMAGE_ROOT";

/// An image's root.
pub(crate) struct Root(PathBuf);

/// Plays a scene of this test in namespaces of their own, where this program is root, has a network of its own, and
/// may mount. The image has been made before that, with the network that this machine has.
pub(crate) fn apart<Scene: FnOnce(&Root)>(scene: Scene) {
    if let Some(root) = env::var_os(ROOT) {
        run("ip", &["link", "set", "lo", "up"]);
        return scene(&Root(root.into()));
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    unpack(&root);
    // What the kubelet puts into each container.
    fs::create_dir(root.join("etc")).unwrap();
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n127.0.0.1 kubernetes.default.svc\n").unwrap();
    let search = "search live.svc.cluster.local svc.cluster.local cluster.local";
    fs::write(root.join("etc/resolv.conf"), format!("{search}\nnameserver 127.0.0.1\noptions ndots:5\n")).unwrap();
    fs::create_dir(root.join("config")).unwrap();

    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--mount"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", test_of::<Scene>(), "--nocapture"])
        .env(ROOT, &root)
        .env("PATH", path_with_sbin())
        .output()
        .unwrap();
    let (told, why) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success(),
        "{told}{why}\nIf unshare was not permitted: this test needs user namespaces for users that are not root \
         (Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0)"
    );
    assert!(told.contains("1 passed"), "the scene was played: {told}{why}");
}

/// The name of the test that a closure stands in.
fn test_of<Scene>() -> &'static str {
    let name = std::any::type_name::<Scene>();
    name.trim_end_matches("::{{closure}}").split_once("::").unwrap().1
}

/// `ip` stands where only root's PATH leads.
fn path_with_sbin() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Root {
    /// Puts a file where a volume would be mounted.
    pub(crate) fn mount(&self, name: &str, text: &str) {
        fs::write(self.0.join("config").join(name), text).unwrap();
    }

    /// Makes it read-only, mounted files included.
    pub(crate) fn read_only(&self) {
        let path = self.0.to_str().unwrap();
        run("mount", &["--bind", path, path]);
        run("mount", &["-o", "remount,bind,ro", path]);
    }

    /// What runs the image's program as the image's user, with this root and without any variable.
    pub(crate) fn command(&self, arguments: &[&str]) -> (&'static str, Vec<String>) {
        let (user, group) = USER.split_once(':').unwrap();
        let [user, group] = [format!("--map-user={user}"), format!("--map-group={group}")];
        let root = format!("--root={}", self.0.display());
        let line = ["-i", "unshare", "--user", &user, &group, &root, "/jobstartstop"];
        ("env", line.into_iter().chain(arguments.iter().copied()).map(str::to_owned).collect())
    }

    /// Runs it to its end, whatever that is.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        let (program, line) = self.command(arguments);
        Command::new(program).args(line).output().unwrap()
    }

    /// Runs it, and returns what it says.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Where it is on this machine.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}
