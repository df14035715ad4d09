//! The ways to install it. In each, one window is driven through its whole life with the rights that the chart gives,
//! none is missing, and none is there that is not needed.

use std::net::SocketAddr;
use std::process::Command;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};

use super::{on_air, stage, whole_life};
use crate::cluster::{Cluster, Ground, shared};
use crate::deployed::Replica;
use crate::harness::{Stage, Watched, blocking, eventually, in_seconds};
use crate::release::{Release, endpoint, example};
use crate::rights::{CREATES, LEADS, READS_SECRETS, Rights, SERVES, assert_only_reads_definitions};

/// One installation with the default values, which serves a whole cluster with two replicas.
pub(super) struct WholeCluster {
    pub(super) cluster: Cluster,
    release: Release,
    replicas: Mutex<Vec<Replica>>,
}

/// It is shared by the scenes that need rights everywhere.
pub(super) async fn whole_cluster() -> &'static WholeCluster {
    static WHOLE: OnceCell<WholeCluster> = OnceCell::const_new();
    WHOLE.get_or_init(install_everywhere).await
}

async fn install_everywhere() -> WholeCluster {
    let ground = Ground::with_controllers().await;
    let release = Release::by_the_page(&ground).await;
    let cluster = ground.recorded().await;
    // The simulator's address stands for the Live API's from here on, and nothing else is set.
    let endpoint = endpoint(&stage(&cluster, "first").await).await;
    release.set(json!({ "liveEndpoints": [endpoint] })).await;
    let replicas = vec![Replica::start(&cluster, &release).await, Replica::start(&cluster, &release).await];
    WholeCluster { cluster, release, replicas: Mutex::new(replicas) }
}

/// The one that leads, taken out of its fellows.
async fn take_leader(replicas: &mut Vec<Replica>) -> Replica {
    let leads = eventually("one of them leads", async || {
        let mut leading = Vec::new();
        for (index, replica) in replicas.iter().enumerate() {
            if replica.operator.scrape().await.value("jobstartstop_leading") > 0.5 {
                leading.push(index);
            }
        }
        assert!(leading.len() < 2, "two lead at once");
        leading.first().copied()
    })
    .await;
    replicas.remove(leads)
}

pub(crate) async fn case_89_with_the_default_values_it_serves_the_whole_cluster_and_two_replicas_take_turns() {
    let WholeCluster { cluster, release, replicas } = whole_cluster().await;
    let deployment = release.deployment(cluster).await;
    assert_eq!(deployment.spec.replicas, Some(2));
    let stage = stage(cluster, "anywhere").await;
    whole_life(&stage).await;
    let shown = cluster.shell().run("look").await;
    assert!(shown.contains("lease.coordination.k8s.io/jobstartstop"), "{shown}");

    let (gala, window) = on_air(&stage).await;
    let mut replicas = replicas.lock().await;
    let leader = take_leader(&mut replicas).await;
    leader.was_refused_nothing(&stage);
    leader.terminated().await;
    window.edit(json!({ "deactivation": { "time": in_seconds(0) } })).await;
    window.reaches("Finished").await;
    gala.was_called(1, 1).await;
    for replica in replicas.iter() {
        replica.was_refused_nothing(&stage);
    }
    replicas.push(Replica::start(cluster, release).await);
    drop(replicas);

    let rights = Rights::of(cluster, release).await;
    for everywhere in [SERVES, READS_SECRETS] {
        rights.include(everywhere, None).await;
    }
    rights.include_leading("jobstartstop", &release.namespace).await;
    rights.exclude_what_is_never_needed(&[&stage.namespace, &release.namespace]).await;
    rights.exclude(CREATES, None).await;
    rights.exclude(LEADS, Some(&stage.namespace)).await;
}

pub(crate) async fn case_88_in_named_namespaces_it_serves_those_and_has_no_right_elsewhere() {
    let cluster = shared().await;
    let (stage, other) = (stage(cluster, "named").await, stage(cluster, "not-named").await);
    let too = stage.second_namespace().await;
    let values = example("named-namespaces", &[("live-news", &stage.namespace), ("live-sports", &too)]);
    let release = Release::for_stage(cluster, &stage, values).await;
    let replica = Replica::start(cluster, &release).await;
    let ignored = other.window("ignored", &other.channel("ignored").await);
    let ignored = ignored.between(in_seconds(1), in_seconds(600)).create().await;
    whole_life(&stage).await;
    let (second, show) = (stage.channel("second").await, "in-the-second-namespace");
    let window = stage.window(show, &second).in_namespace(&too).between(in_seconds(1), in_seconds(3)).create().await;
    window.reaches("Finished").await;
    second.was_called(1, 1).await;
    assert_eq!(ignored.status_writes(), 0, "nobody serves it");
    replica.was_refused_nothing(&stage);

    let rights = Rights::of(cluster, &release).await;
    for served in [&stage.namespace, &too] {
        rights.include(SERVES, Some(served)).await;
        rights.include(READS_SECRETS, Some(served)).await;
    }
    for elsewhere in [Some(&*other.namespace), Some("kube-system"), None] {
        for table in [SERVES, READS_SECRETS, LEADS, CREATES] {
            rights.exclude(table, elsewhere).await;
        }
    }
    rights.exclude(READS_SECRETS, Some(&release.namespace)).await;
    rights.exclude_what_is_never_needed(&[&stage.namespace, &too, &release.namespace]).await;
    assert_only_reads_definitions(&rights.rules_everywhere().await);
    let asked = ["auth", "can-i", "get", "secrets", "--namespace", &other.namespace, "--as"];
    let user = release.user(cluster).await;
    let said = cluster.plane.try_kubectl(asked.into_iter().chain([&*user])).await;
    assert!(said.is_err(), "kubectl auth can-i says so, too: {said:?}");
}

pub(crate) async fn case_88_where_secrets_are_named_it_reads_those_and_no_other() {
    let cluster = shared().await;
    let stage = stage(cluster, "secrets").await;
    let values = example("named-secrets", &[("live-sports", &stage.namespace)]);
    let release = Release::for_stage(cluster, &stage, values).await;
    let replica = Replica::start(cluster, &release).await;
    whole_life(&stage).await;
    // The vendor refuses the old key from now on: the Secret is read by its name, and watched.
    let (gala, window) = on_air(&stage).await;
    let key = stage.rotated_key().await;
    stage.put_secret(&key).await;
    window.edit(json!({ "deactivation": { "time": in_seconds(0) } })).await;
    window.reaches("Finished").await;
    gala.was_called(1, 1).await;
    replica.was_refused_nothing(&stage);

    let rights = Rights::of(cluster, &release).await;
    let here = Some(&*stage.namespace);
    for verb in ["get", "list", "watch"] {
        assert!(rights.may(verb, "secrets", Some("bcov-live"), here).await, "{verb}");
        assert!(!rights.may(verb, "secrets", Some("another"), here).await, "{verb}");
    }
    rights.exclude(READS_SECRETS, here).await;
    rights.exclude_what_is_never_needed(&[&stage.namespace]).await;
}

pub(crate) async fn case_89_a_single_replica_without_an_election_has_no_right_to_leases() {
    let cluster = shared().await;
    let stage = stage(cluster, "single").await;
    let release = Release::for_stage(cluster, &stage, example("single-replica", &[])).await;
    let replica = Replica::start(cluster, &release).await;
    whole_life(&stage).await;
    replica.was_refused_nothing(&stage);
    let rights = Rights::of(cluster, &release).await;
    rights.include(SERVES, Some(&stage.namespace)).await;
    rights.exclude(LEADS, Some(&release.namespace)).await;
}

pub(crate) async fn case_89_with_the_http_interface_a_window_is_made_over_https() {
    let cluster = shared().await;
    let stage = stage(cluster, "https").await;
    stage.edit_account(json!({ "accountID": "1752604059001", "gateway": { "enabled": true } })).await;
    let (certificate, key) = certificate();
    let release = Release::for_stage(cluster, &stage, example("http-interface", &[])).await;
    put_tls_secret(cluster, &release.namespace, &certificate, &key).await;
    let replica = Replica::start(cluster, &release).await;
    let interface = Interface::of(cluster, &replica, &certificate, &stage).await;
    eventually("the account's key opens it", async || (interface.ask(None).await.0 == 200).then_some(())).await;

    let news = stage.channel("news").await;
    let (start, stop) = (in_seconds(3).as_second(), in_seconds(6).as_second());
    let body = json!({ "job_id": news.id, "activation": { "time_utc": start }, "deactivation": { "time_utc": stop } });
    let (code, answer) = interface.ask(Some(&body)).await;
    assert_eq!(code, 200, "{answer}");
    eventually("the channel was on and is off again", async || {
        let calls = news.calls().await;
        (calls.activate.len() == 1 && calls.deactivate.len() == 1 && !news.is_on().await).then_some(())
    })
    .await;
    replica.was_refused_nothing(&stage);
    let rights = Rights::of(cluster, &release).await;
    rights.include(CREATES, Some(&stage.namespace)).await;
    rights.exclude(CREATES, Some(&release.namespace)).await;
    rights.exclude_what_is_never_needed(&[&stage.namespace]).await;
}

/// A certificate for localhost that vouches for itself, and its key, in PEM.
fn certificate() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let der = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap().der().to_vec();
    let encoded = |tag: &str, der: Vec<u8>| pem::encode(&pem::Pem::new(tag, der));
    (encoded("CERTIFICATE", der), encoded("PRIVATE KEY", key.serialize_der()))
}

async fn put_tls_secret(cluster: &Cluster, namespace: &str, certificate: &str, key: &str) {
    let secret = json!({
        "metadata": { "name": "jobstartstop-tls" },
        "type": "kubernetes.io/tls",
        "stringData": { "tls.crt": certificate, "tls.key": key },
    });
    let secrets: Api<Secret> = Api::namespaced(cluster.plane.client.clone(), namespace);
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
}

/// The HTTP interface of a replica, as curl reaches it.
struct Interface {
    address: SocketAddr,
    authority: String,
    key: String,
}

impl Interface {
    async fn of(cluster: &Cluster, replica: &Replica, certificate: &str, stage: &Stage) -> Self {
        let authority = cluster.path("authority");
        std::fs::write(&authority, certificate).unwrap();
        let address = eventually("the HTTP interface is open", async || {
            let log = replica.log();
            let line = log.lines().find(|line| line.contains("the HTTP interface is open"))?;
            let from = line.find("127.0.0.1:")?;
            let text: String = line[from..].chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
            text.parse().ok()
        })
        .await;
        Self { address, authority: authority.display().to_string(), key: stage.key.clone() }
    }

    /// A POST with a body, or a GET of the list: status and answer.
    async fn ask(&self, body: Option<&Value>) -> (u16, String) {
        let url = format!("https://localhost:{}/v1/scheduler/jobstartstop", self.address.port());
        let key = format!("X-API-KEY: {}", self.key);
        let resolve = format!("localhost:{}:127.0.0.1", self.address.port());
        let mut args =
            vec!["--silent", "--show-error", "--noproxy", "*", "--max-time", "30", "--write-out", "\n%{http_code}"];
        args.extend(["--cacert", &self.authority, "--resolve", &resolve, "--header", &key]);
        let body = body.map(Value::to_string);
        if let Some(body) = &body {
            args.extend(["--header", "Content-Type: application/json", "--data", body]);
        }
        let args: Vec<String> = args.into_iter().chain([&*url]).map(str::to_owned).collect();
        let output = blocking(move || Command::new("curl").args(args).output().unwrap()).await;
        assert!(output.status.success(), "curl: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let (answer, code) = text.rsplit_once('\n').unwrap();
        (code.parse().unwrap(), answer.to_owned())
    }
}
