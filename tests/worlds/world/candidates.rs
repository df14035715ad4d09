//! Operators that compete for a lease, as `run` starts them: both lanes and an elector, and what becomes of them when the
//! lease is lost.

use std::sync::Arc;

use jobstartstop::controller::{Lanes, Setup};
use jobstartstop::leader::{Elector, End, Tenure};
use plan::{LeaseTimings, ObjectName, ProcessId};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::World;

/// One operator among several.
pub(crate) struct Candidate {
    timetable: JoinHandle<()>,
    convergence: JoinHandle<bool>,
    election: JoinHandle<Elector>,
    stop_calls: CancellationToken,
    stop_writes: CancellationToken,
    leave: CancellationToken,
    tenure: Arc<Tenure>,
}

impl World {
    /// Starts one under that name, with the real times of the election.
    pub(crate) fn start_candidate(&self, name: &str) -> Candidate {
        self.start_candidate_as(name, "jobstartstop", Tenure::vacant(LeaseTimings::default()))
    }

    /// One of another installation, which has a lease of its own.
    pub(crate) fn start_installation(&self, name: &str, lease: &str) -> Candidate {
        self.start_candidate_as(name, lease, Tenure::vacant(LeaseTimings::default()))
    }

    /// The same, and it believes to lead whatever the lease says.
    pub(crate) fn start_believer(&self, name: &str) -> Candidate {
        let process = ProcessId::new(name);
        let now = self.setup(name).clock.moment();
        self.start_candidate_as(name, "jobstartstop", Tenure::forced(process, LeaseTimings::default(), now))
    }

    fn start_candidate_as(&self, name: &str, lease_name: &str, tenure: Tenure) -> Candidate {
        let tenure = Arc::new(tenure);
        let setup = Setup { tenure: Arc::clone(&tenure), ..self.setup(name) };
        let (clock, readiness) = (Arc::clone(&setup.clock), Arc::clone(&setup.readiness));
        let name_of_lease = ObjectName::new("live", lease_name);
        let client = self.store.client(name);
        let process = ProcessId::new(name);
        let timings = LeaseTimings::default();
        let mut elector = Elector::new(client, name_of_lease, name, process, timings, clock, Arc::clone(&tenure));
        let (timetable, convergence, _) = Lanes::new(setup).split();
        let (stop_calls, stop_writes, leave) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let (left, lost) = (leave.clone(), [stop_calls.clone(), stop_writes.clone()]);
        let election = tokio::spawn(async move {
            readiness.until_warm().await;
            if elector.run(left.cancelled()).await == End::Lost {
                lost.iter().for_each(CancellationToken::cancel);
            }
            elector
        });
        Candidate {
            timetable: tokio::spawn(timetable.run(stop_calls.clone())),
            convergence: tokio::spawn(convergence.run(stop_writes.clone())),
            election,
            stop_calls,
            stop_writes,
            leave,
            tenure,
        }
    }
}

impl Candidate {
    pub(crate) fn leads(&self) -> bool {
        self.tenure.term().is_some()
    }

    /// SIGKILL.
    pub(crate) fn kill(self) {
        self.timetable.abort();
        self.convergence.abort();
        self.election.abort();
    }

    /// SIGTERM: calls under way are finished and recorded, then the lease is let go.
    pub(crate) async fn terminate(self) {
        self.stop_calls.cancel();
        self.timetable.await.expect("the timetable lane did not panic");
        self.stop_writes.cancel();
        let recorded = self.convergence.await.expect("the convergence lane did not panic");
        self.leave.cancel();
        let mut elector = self.election.await.expect("the elector did not panic");
        if recorded {
            elector.release().await;
        }
    }
}
