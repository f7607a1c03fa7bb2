//! What the scripted server knows: journals, numbers, logs, and the rules by which they change.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tako_engine::port::{JournalError, Lease};
use tako_engine::wire::{
    Claim, Claimed, Commit, Committed, Finish, LogLength, Problem, Subscribers, SubscribersOf,
};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, Recorded};
use time::OffsetDateTime;

use super::server::{Reply, Request};

#[derive(Default)]
pub(super) struct World {
    pub(super) jobs: VecDeque<Lease>,
    /// What claims got, by the name of the request.
    pub(super) claims: HashMap<String, Option<Lease>>,
    pub(super) journals: HashMap<RunId, Vec<Recorded>>,
    /// Answers to what was carried out, by lease.
    pub(super) carried_out: HashMap<(RunId, u32), Vec<Committed>>,
    /// Messages that came before one with a smaller number.
    pub(super) gaps: usize,
    pub(super) logs: BTreeMap<String, Vec<u8>>,
    /// Leases that are lost.
    pub(super) lost: Vec<(RunId, u32)>,
    /// Logs longer than that are refused.
    pub(super) log_limit: Option<usize>,
    pub(super) subscribers: Subscribers,
    /// What happened, in order.
    pub(super) history: Vec<String>,
}

impl World {
    pub(super) fn handle(&mut self, request: &Request) -> Reply {
        let path: Vec<&str> = request.path.split('/').collect();
        match (request.method.as_str(), &path[..]) {
            ("POST", ["claim"]) => self.claim(&parse(request)),
            ("POST", ["renew"]) => {
                let lease: Lease = parse(request);
                self.guard(&lease).map_or_else(|| nothing(204), |error| refuse(&error))
            }
            ("POST", ["release"]) => {
                self.history.push("release".to_owned());
                nothing(204)
            }
            ("POST", ["commit"]) => {
                let commit: Commit = parse(request);
                let (lease, number, at) = (commit.lease.clone(), commit.number, commit.at);
                self.numbered(&lease, number, |world| world.commit(&commit, at))
            }
            ("POST", ["finish"]) => {
                let finish: Finish = parse(request);
                let entry = Entry::Finished { outcome: finish.ending.outcome, cause: finish.ending.cause };
                let (lease, seq, at) = (finish.lease.clone(), finish.expected_seq, finish.at);
                self.numbered(&lease, finish.number, |world| {
                    world.append(&lease.run, Some(seq), vec![entry], at).map(|recorded| vec![recorded])
                })
            }
            ("POST", ["subscribers"]) => {
                let ask: SubscribersOf = parse(request);
                match self.guard(&ask.lease) {
                    Some(error) => refuse(&error),
                    None => json(&self.subscribers),
                }
            }
            ("GET", ["runs", run, "entries"]) => {
                let after: u64 = argument(request, "after");
                let journal = self.journals.get(&run.parse().unwrap()).cloned().unwrap_or_default();
                json(&journal.into_iter().filter(|entry| entry.seq > after).collect::<Vec<_>>())
            }
            ("PUT", ["runs", run, "logs", step, attempt]) => {
                let (offset, lease) = (argument(request, "offset"), argument(request, "lease"));
                self.log(
                    &run.parse().unwrap(),
                    &format!("{run}/{step}/{attempt}"),
                    lease,
                    offset,
                    &request.body,
                )
            }
            ("HEAD", ["runs", run, "logs", step, attempt]) => {
                let length = self.logs.get(&format!("{run}/{step}/{attempt}")).map_or(0, Vec::len);
                Reply { headers: format!("tako-log-length: {length}\r\n"), ..nothing(200) }
            }
            ("GET", ["runs", run, "logs", step, attempt]) => {
                let log = self.logs.get(&format!("{run}/{step}/{attempt}")).cloned().unwrap_or_default();
                let offset = argument(request, "offset");
                Reply { body: log.get(offset..).unwrap_or_default().to_vec(), ..nothing(200) }
            }
            _ => refuse(&JournalError::NoSuchRun { run: super::run(0) }),
        }
    }

    fn claim(&mut self, claim: &Claim) -> Reply {
        let lease = match self.claims.get(&claim.request) {
            Some(before) => before.clone(),
            None => {
                let lease = self.jobs.pop_front();
                self.claims.insert(claim.request.clone(), lease.clone());
                lease
            }
        };
        json(&Claimed { lease, lease_period_ms: 12_000 })
    }

    fn guard(&self, lease: &Lease) -> Option<JournalError> {
        let (run, attempt) = (lease.run.clone(), lease.attempt);
        let is_lost = self.lost.contains(&(run.clone(), attempt));
        is_lost.then_some(JournalError::LeaseLost { run, attempt })
    }

    fn numbered(
        &mut self,
        lease: &Lease,
        number: u64,
        work: impl FnOnce(&mut Self) -> Result<Vec<Vec<Recorded>>, JournalError>,
    ) -> Reply {
        if let Some(error) = self.guard(lease) {
            return refuse(&error);
        }
        let key = (lease.run.clone(), lease.attempt);
        let done = self.carried_out.entry(key.clone()).or_default();
        let index = usize::try_from(number).unwrap() - 1;
        if let Some(before) = done.get(index) {
            return json(before);
        }
        if index > done.len() {
            self.gaps += 1;
            return refuse(&JournalError::Refused { reason: "there is a gap".to_owned() });
        }
        match work(self) {
            Ok(recorded) => {
                let committed = Committed { recorded };
                let reply = json(&committed);
                self.carried_out.entry(key).or_default().push(committed);
                reply
            }
            Err(error) => refuse(&error),
        }
    }

    fn commit(&mut self, commit: &Commit, at: OffsetDateTime) -> Result<Vec<Vec<Recorded>>, JournalError> {
        let append = |append: &tako_engine::port::Append| {
            self.append(&append.run, append.expected_seq, append.entries.clone(), at)
        };
        commit.appends.iter().map(append).collect()
    }

    pub(super) fn append(
        &mut self,
        run: &RunId,
        expected: Option<u64>,
        entries: Vec<Entry>,
        at: OffsetDateTime,
    ) -> Result<Vec<Recorded>, JournalError> {
        let journal = self.journals.entry(run.clone()).or_default();
        let actual = journal.len() as u64;
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            return Err(JournalError::Conflict { run: run.clone(), expected, actual });
        }
        let mut recorded = Vec::new();
        for (seq, entry) in (actual + 1..).zip(entries) {
            let value = serde_json::to_value(&entry).unwrap();
            self.history.push(value["type"].as_str().unwrap().to_owned());
            recorded.push(Recorded { seq, at, entry });
        }
        journal.extend(recorded.clone());
        Ok(recorded)
    }

    fn log(&mut self, run: &RunId, name: &str, lease: u32, offset: usize, bytes: &[u8]) -> Reply {
        if self.lost.contains(&(run.clone(), lease)) {
            return refuse(&JournalError::LeaseLost { run: run.clone(), attempt: lease });
        }
        let log = self.logs.entry(name.to_owned()).or_default();
        if offset > log.len() || self.log_limit.is_some_and(|limit| log.len() + bytes.len() > limit) {
            return refuse(&JournalError::Refused { reason: "the log does not take that".to_owned() });
        }
        if let Some(new) = bytes.get(log.len() - offset..) {
            log.extend_from_slice(new);
        }
        self.history.push(format!("log to {}", log.len()));
        json(&LogLength { length: log.len() as u64 })
    }
}

fn parse<T: DeserializeOwned>(request: &Request) -> T {
    serde_json::from_slice(&request.body).unwrap()
}

fn argument<T: std::str::FromStr<Err: std::fmt::Debug>>(request: &Request, name: &str) -> T {
    let value = request.query.iter().find(|(key, _)| key == name);
    value.unwrap().1.parse().unwrap()
}

pub(super) fn json(value: &impl Serialize) -> Reply {
    let headers = "content-type: application/json\r\n".to_owned();
    Reply { status: 200, headers, body: serde_json::to_vec(value).unwrap() }
}

fn nothing(status: u16) -> Reply {
    Reply { status, headers: String::new(), body: Vec::new() }
}

fn refuse(error: &JournalError) -> Reply {
    let status = match error {
        JournalError::NoSuchRun { .. } => 404,
        JournalError::Refused { .. } => 422,
        _ => 409,
    };
    Reply { status, ..json(&Problem::from(error)) }
}
