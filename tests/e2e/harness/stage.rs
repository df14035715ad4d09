//! A namespace with its account at the vendor, where one scene is played.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use jobstartstop::api::{JobStartStop, LiveAccount, LiveAccountStatus};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use testbed::{Operator, Simulator, unique_namespace};

use super::channel::Channel;
use super::house::{Plane, annex, another_vendor, debug_log, house, vendor};
use super::operator::arguments;
use super::window::Window;
use super::{blocking, eventually, invariants, stand_in};

/// What everything on a stage stands on.
pub(crate) struct Ground {
    pub(crate) plane: Arc<Plane>,
    /// The logs of the operators that serve it.
    logs: Mutex<Vec<PathBuf>>,
}

impl Ground {
    fn logs(&self) -> Vec<String> {
        let paths = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        paths
            .iter()
            .map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned())
            .collect()
    }

    /// The last lines that its operators logged about something.
    pub(super) fn words_about(&self, what: &str) -> String {
        let logs = self.logs();
        let about: Vec<&str> = logs.iter().flat_map(|log| log.lines()).filter(|line| line.contains(what)).collect();
        about[about.len().saturating_sub(30)..].join("\n")
    }
}

/// Where one scene is played. When it ends well, every status recorded in it is checked, and that the key never shows.
pub(crate) struct Stage {
    pub(crate) namespace: String,
    /// The key that the vendor accepts; no other scene has it.
    pub(crate) key: String,
    ground: Arc<Ground>,
    pub(super) vendor: &'static Simulator,
    more_namespaces: Mutex<Vec<String>>,
}

impl Stage {
    /// In the house, with the account `default` and its Secret.
    pub(crate) async fn open(name: &str) -> Self {
        let stage = Self::without_access(name).await;
        stage.give_access(&stage.namespace).await;
        stage
    }

    /// In the house; the vendor knows its key, the cluster does not yet.
    pub(crate) async fn without_access(name: &str) -> Self {
        let house = house().await;
        let stage = Self::on(Arc::clone(&house.plane), name).await;
        stage.keep_log_of(&house.operator);
        stage
    }

    /// In the annex, with account and Secret: no operator serves it until [`Stage::start_operator`].
    pub(crate) async fn unattended(name: &str) -> Self {
        Self::unattended_on(annex().await, name).await
    }

    /// In the annex, and nothing is there but the namespace.
    pub(crate) async fn bare(name: &str) -> Self {
        Self::on(annex().await, name).await
    }

    /// As [`Stage::unattended`], on another control plane.
    pub(crate) async fn unattended_on(plane: Arc<Plane>, name: &str) -> Self {
        let stage = Self::on(plane, name).await;
        stage.give_access(&stage.namespace).await;
        stage
    }

    async fn on(plane: Arc<Plane>, name: &str) -> Self {
        let namespace = unique_namespace(name);
        let vendor = vendor().await;
        let stage = Self {
            key: format!("the-key-of-{namespace}"),
            namespace: namespace.clone(),
            ground: Arc::new(Ground { plane, logs: Mutex::default() }),
            vendor,
            more_namespaces: Mutex::default(),
        };
        stage.create_namespace(&namespace).await;
        let key = json!({ "label": namespace, "key": stage.key, "account": namespace });
        vendor.post("/control/keys", &key).await.unwrap();
        stage
    }

    async fn create_namespace(&self, name: &str) {
        let namespace = serde_json::from_value::<Namespace>(json!({ "metadata": { "name": name } })).unwrap();
        Api::all(self.plane().client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
    }

    /// Another team's namespace, with the same key.
    pub(crate) async fn second_namespace(&self) -> String {
        let name = format!("{}-too", self.namespace);
        self.create_namespace(&name).await;
        self.give_access(&name).await;
        self.more_namespaces.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        name
    }

    async fn give_access(&self, namespace: &str) {
        self.put_secret_in(namespace, &self.key).await;
        self.create_account_in(namespace, json!({})).await;
    }

    /// The control plane.
    pub(crate) fn plane(&self) -> &Arc<Plane> {
        &self.ground.plane
    }

    /// Puts a key into the Secret `bcov-live`, which is made where it is not there.
    pub(crate) async fn put_secret(&self, key: &str) {
        self.put_secret_in(&self.namespace, key).await;
    }

    /// The vendor takes another key from now on, and no longer the old one. It is not in the cluster yet.
    pub(crate) async fn rotated_key(&self) -> String {
        let key = format!("rotated-{}", self.key);
        let at_the_vendor = json!({ "label": self.namespace, "key": key, "account": self.namespace });
        self.vendor.post("/control/keys", &at_the_vendor).await.unwrap();
        key
    }

    async fn put_secret_in(&self, namespace: &str, key: &str) {
        self.put_named_secret(namespace, "bcov-live", key).await;
    }

    /// Makes a Secret with these entries, or puts them into it.
    pub(crate) async fn put_entries(&self, name: &str, entries: &[(&str, &str)]) {
        self.put_entries_in(&self.namespace, name, entries).await;
    }

    async fn put_named_secret(&self, namespace: &str, name: &str, key: &str) {
        self.put_entries_in(namespace, name, &[("apiKey", key)]).await;
    }

    async fn put_entries_in(&self, namespace: &str, name: &str, entries: &[(&str, &str)]) {
        let secrets: Api<Secret> = Api::namespaced(self.plane().client.clone(), namespace);
        let data: std::collections::BTreeMap<_, _> = entries.iter().copied().collect();
        let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": data });
        secrets.patch(name, &PatchParams::apply("a-user").force(), &Patch::Apply(secret)).await.unwrap();
    }

    /// Creates the LiveAccount `default`, with what the scene adds to its spec.
    pub(crate) async fn create_account(&self, spec: Value) {
        self.create_account_in(&self.namespace, spec).await;
    }

    async fn create_account_in(&self, namespace: &str, more: Value) {
        let mut spec = json!({ "endpoint": self.vendor.base_url, "apiKeySecretRef": { "name": "bcov-live" } });
        merge(&mut spec, more);
        self.create(namespace, "liveaccounts", "LiveAccount", "default", &spec).await.unwrap();
    }

    /// A second LiveAccount, with another key to the same account at the vendor.
    pub(crate) async fn create_second_account(&self, name: &str) {
        let key = format!("another-{}", self.key);
        let at_the_vendor =
            json!({ "label": format!("{name}-{}", self.namespace), "key": key, "account": self.namespace });
        self.vendor.post("/control/keys", &at_the_vendor).await.unwrap();
        self.put_named_secret(&self.namespace, name, &key).await;
        let spec = json!({ "endpoint": self.vendor.base_url, "apiKeySecretRef": { "name": name } });
        self.create(&self.namespace, "liveaccounts", "LiveAccount", name, &spec).await.unwrap();
    }

    /// Another vendor, with a job of the same id, and a LiveAccount of that name for it.
    pub(crate) async fn another_vendor(&self, name: &str, channel: &Channel) -> Simulator {
        let vendor = another_vendor().await;
        let key = json!({ "label": name, "key": self.key, "account": name });
        vendor.post("/control/keys", &key).await.unwrap();
        vendor.post("/control/jobs", &json!({ "id": channel.id, "account": name })).await.unwrap();
        let spec = json!({ "endpoint": vendor.base_url, "apiKeySecretRef": { "name": "bcov-live" } });
        self.create(&self.namespace, "liveaccounts", "LiveAccount", name, &spec).await.unwrap();
        vendor
    }

    /// Edits the spec of the LiveAccount `default`.
    pub(crate) async fn edit_account(&self, spec: Value) {
        let accounts: Api<LiveAccount> = Api::namespaced(self.plane().client.clone(), &self.namespace);
        accounts.patch("default", &PatchParams::default(), &Patch::Merge(json!({ "spec": spec }))).await.unwrap();
    }

    /// The LiveAccount `default`, once it shows this.
    pub(crate) async fn account_shows(&self, what: &str, shows: impl Fn(&LiveAccountStatus) -> bool) {
        let accounts: Api<LiveAccount> = Api::namespaced(self.plane().client.clone(), &self.namespace);
        eventually(&format!("the account shows {what}"), async || {
            let status = accounts.get("default").await.unwrap().status.unwrap_or_default();
            shows(&status).then_some(())
        })
        .await;
    }

    async fn create(&self, namespace: &str, plural: &str, kind: &str, name: &str, spec: &Value) -> kube::Result<Value> {
        let body = json!({
            "apiVersion": "scheduler.bcovlive.io/v1alpha1",
            "kind": kind,
            "metadata": { "name": name },
            "spec": spec,
        });
        let path = format!("/apis/scheduler.bcovlive.io/v1alpha1/namespaces/{namespace}/{plural}");
        let request = kube::core::Request::new(path).create(&PostParams::default(), body.to_string().into_bytes());
        self.plane().client.request(request.unwrap()).await
    }

    /// A static job, off, in the scene's account at the vendor.
    pub(crate) async fn channel(&self, name: &str) -> Channel {
        self.channel_that_is(name, json!({})).await
    }

    /// A job with what the scene adds.
    pub(crate) async fn channel_that_is(&self, name: &str, more: Value) -> Channel {
        let channel = self.no_channel(name);
        let mut job = json!({ "id": channel.id, "account": self.namespace });
        merge(&mut job, more);
        self.vendor.post("/control/jobs", &job).await.unwrap();
        channel
    }

    /// A job's id that the vendor does not know.
    pub(crate) fn no_channel(&self, name: &str) -> Channel {
        Channel { id: format!("{}_{name}", self.namespace), vendor: self.vendor }
    }

    /// A window on a channel.
    pub(crate) fn window<'a>(&'a self, name: &'a str, channel: &Channel) -> Booking<'a> {
        Booking { stage: self, namespace: &self.namespace, name: name.to_owned(), spec: json!({ "jobID": channel.id }) }
    }

    /// Starts an operator for this namespace alone, with the rights of examples/operator-rbac.yaml in it.
    pub(crate) async fn start_operator(&self) -> Operator {
        self.start_operator_with(&[]).await
    }

    /// The same, with more on its command line.
    pub(crate) async fn start_operator_with(&self, more: &[&str]) -> Operator {
        self.start_operator_as("jobstartstop", more).await
    }

    /// A second process beside the first, with the rights that are there.
    pub(crate) async fn start_replica(&self, more: &[&str]) -> Operator {
        self.launch("jobstartstop", more, &[]).await
    }

    /// The same, with the rights of that `ClusterRole` in this namespace.
    pub(crate) async fn start_operator_as(&self, role: &str, more: &[&str]) -> Operator {
        self.bind(role).await;
        self.launch("jobstartstop", more, &[]).await
    }

    /// Gives the operator the rights of that `ClusterRole` in this namespace.
    pub(crate) async fn bind(&self, role: &str) {
        let binding = format!("create rolebinding jobstartstop --namespace {}", self.namespace);
        let rights = format!("--clusterrole={role} --serviceaccount=live:jobstartstop");
        self.plane().kubectl(binding.split(' ').chain(rights.split(' '))).await;
    }

    /// Starts that program as an operator for this namespace alone, with more in its environment; its rights are there.
    pub(crate) async fn launch(
        &self,
        program: &'static str,
        more: &[&str],
        environment: &[(&'static str, String)],
    ) -> Operator {
        let (run, kubeconfig) = (self.plane().run().clone(), self.plane().operator_kubeconfig.clone());
        let args = arguments(&self.vendor.base_url, Some(&self.namespace), more);
        let log = debug_log().map(|(name, value)| (name, value.to_owned()));
        let environment: Vec<(&str, String)> = environment.iter().cloned().chain(log).collect();
        let start = move || Operator::start_program(&run, program, &kubeconfig, args, environment).unwrap();
        let operator = blocking(start).await;
        self.keep_log_of(&operator);
        operator
    }

    fn keep_log_of(&self, operator: &Operator) {
        let log = operator.process().log().to_owned();
        self.ground.logs.lock().unwrap_or_else(PoisonError::into_inner).push(log);
    }

    /// What was recorded here, as text, and what its operators logged.
    pub(crate) fn everything_told(&self) -> Vec<String> {
        let recorded = self.plane().recorder.in_namespace(&self.namespace);
        let statuses = recorded.iter().flatten().map(|record| serde_json::to_string(record.status()).unwrap());
        statuses.chain(self.ground.logs()).collect()
    }

    fn check(&self) {
        if stand_in() {
            return;
        }
        let more = self.more_namespaces.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for namespace in more.iter().chain([&self.namespace]) {
            for records in self.plane().recorder.in_namespace(namespace) {
                invariants::check(&records);
            }
        }
        for told in self.everything_told() {
            assert!(!told.contains(&self.key), "the key shows in:\n{told}");
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check();
        }
    }
}

/// A window to be.
pub(crate) struct Booking<'a> {
    stage: &'a Stage,
    namespace: &'a str,
    name: String,
    spec: Value,
}

impl<'a> Booking<'a> {
    /// In another namespace.
    pub(crate) fn in_namespace(mut self, namespace: &'a str) -> Self {
        self.namespace = namespace;
        self
    }

    /// Under another name.
    pub(crate) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// With its times, in UTC.
    pub(crate) fn between(self, start: Timestamp, stop: Timestamp) -> Self {
        let times = json!({ "activation": { "time": start }, "deactivation": { "time": stop } });
        self.with(times)
    }

    /// Run by the vendor's own scheduler.
    pub(crate) fn by_the_vendor(self) -> Self {
        self.with(json!({ "executor": "LiveScheduler" }))
    }

    /// With more of a spec.
    pub(crate) fn with(mut self, more: Value) -> Self {
        merge(&mut self.spec, more);
        self
    }

    /// Stores it.
    pub(crate) async fn create(self) -> Window {
        let Self { stage, namespace, name, spec } = self;
        let stored = stage.create(namespace, "jobstartstops", "JobStartStop", &name, &spec).await.unwrap();
        let object: JobStartStop = serde_json::from_value(stored).unwrap();
        assert_eq!(object.name_any(), name);
        Window::new(Arc::clone(&stage.ground), &object)
    }

    /// The server's words about why it is not stored.
    pub(crate) async fn refusal(self) -> String {
        let Self { stage, namespace, name, spec } = self;
        stage.create(namespace, "jobstartstops", "JobStartStop", &name, &spec).await.unwrap_err().to_string()
    }
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}
