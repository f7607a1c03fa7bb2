//! What every store must do: the sentences of the ports' documentation as cases.
//!
//! A store implements [`Fixture`] and calls [`conformance_tests!`](crate::conformance_tests) in its tests. Time is
//! in the hands of the cases ([`ManualClock`]); what they wait for happens by itself or the case hangs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is a test suite that other crates can call")]

pub mod access;
pub mod claiming;
mod clock;
pub mod delivering;
pub mod fitting;
pub mod holding;
pub mod leasing;
pub mod limits;
pub mod notice;
pub mod posting;
pub mod sharing;
pub mod waiting;
pub mod world;
pub mod writing;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use tako_engine::port::{Access, Clock, Deliveries, Journal, Outbox, QueueAdmin};

pub use clock::ManualClock;
pub use world::World;

/// The lease period that the cases count on.
pub const LEASE_PERIOD: Duration = Duration::from_secs(30);

/// How long the cases count on a job being kept for its agent.
pub const HOLD: Duration = Duration::from_secs(20);

/// A place for one store, empty at first.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// A store on that place, as a further process would open it: all see the same journals and jobs. Its leases
    /// last for [`LEASE_PERIOD`], and it keeps jobs for their agents for [`HOLD`].
    async fn connect(&self, clock: Arc<dyn Clock>) -> Store;
}

/// A store by its ports.
#[derive(Clone)]
pub struct Store {
    /// Its journals.
    pub journal: Arc<dyn Journal>,
    /// Its jobs.
    pub queue: Arc<dyn QueueAdmin>,
    /// Its deliveries.
    pub deliveries: Arc<dyn Deliveries>,
    /// Its tokens.
    pub access: Arc<dyn Access>,
    /// Its letters.
    pub outbox: Arc<dyn Outbox>,
}

impl Store {
    /// The ports of `store`.
    pub fn new<S>(store: Arc<S>) -> Self
    where
        S: Journal + QueueAdmin + Deliveries + Access + Outbox + 'static,
    {
        Self {
            journal: Arc::clone(&store) as _,
            queue: Arc::clone(&store) as _,
            deliveries: Arc::clone(&store) as _,
            access: Arc::clone(&store) as _,
            outbox: store,
        }
    }
}

/// One test for each case; the argument makes a [`Fixture`](crate::conformance::Fixture).
#[macro_export]
macro_rules! conformance_tests {
    ($fixture:expr) => {
        $crate::conformance_tests! { @cases $fixture;
            writing::entries_are_numbered_and_read_back
            writing::a_writer_that_missed_something_is_refused
            writing::a_refused_transaction_leaves_nothing
            writing::an_append_without_expectation_goes_to_the_end
            writing::a_run_begins_with_created_and_only_once
            writing::nothing_follows_the_end
            writing::one_event_has_one_effect
            writing::large_entries_are_refused
            writing::what_cannot_be_read_back_is_refused
            writing::trees_are_found
            leasing::a_claim_is_written_down
            leasing::a_stale_attempt_is_refused
            leasing::an_expired_lease_is_in_force_until_it_is_taken
            leasing::an_expired_lease_passes_on
            leasing::renewing_counts_from_now
            leasing::extending_gives_every_lease_its_period_anew
            leasing::revoking_keeps_the_place
            leasing::requeueing_gives_the_place_up
            leasing::a_job_that_is_done_disappears
            leasing::a_lease_without_its_job_cannot_be_settled
            leasing::a_run_that_is_over_leaves_the_queue
            leasing::a_tree_can_be_set_aside
            claiming::only_the_tree_that_was_asked_for
            claiming::pushing_twice_is_pushing_once
            claiming::higher_priority_goes_first
            claiming::waking_moves_parked_jobs_only
            claiming::a_parked_job_wakes_when_its_time_comes
            claiming::an_errand_waits_for_nothing_and_holds_nothing
            claiming::urging_lets_a_waiting_job_through
            claiming::parking_and_waking_never_miss_each_other
            claiming::a_dropped_claim_loses_no_job
            fitting::all_labels_of_a_job_are_needed
            fitting::expired_leases_keep_their_labels
            fitting::jobs_that_fit_nobody_keep_their_place
            fitting::too_many_labels_are_refused
            holding::a_job_comes_back_to_its_agent
            holding::a_hold_ends
            holding::every_way_back_into_the_line_holds
            holding::nothing_is_held_for_a_lost_agent
            holding::nothing_is_held_for_nobody
            holding::a_held_job_keeps_its_place
            holding::a_claim_waits_for_a_hold_to_end
            limits::one_key_one_lease
            limits::a_key_is_first_come_first_served
            limits::a_parked_job_holds_nothing
            limits::a_tree_has_a_limit
            limits::siblings_have_a_limit
            waiting::who_is_in_the_way_is_told
            waiting::missing_slots_are_told
            waiting::nothing_in_the_way_is_not_told
            waiting::children_that_find_no_slot_are_told
            notice::changes_are_noticed
            notice::a_claim_waits_for_a_job
            notice::a_claim_waits_for_time_to_pass
            notice::other_stores_are_noticed
            delivering::a_delivery_is_kept_once
            delivering::deliveries_are_listed_in_order
            delivering::what_is_dealt_with_is_dealt_with_once
            delivering::a_refused_transaction_deals_with_nothing
            delivering::one_of_many_deals_with_a_delivery
            delivering::what_senders_say_is_kept_as_it_is
            delivering::what_is_too_large_is_refused
            delivering::many_deliveries_are_all_kept
            posting::letters_wait_in_order
            posting::a_letter_is_kept_once
            posting::a_letter_that_nobody_takes_is_refused
            access::a_token_is_found_while_it_is_in_force
            access::names_are_given_once
            access::a_registration_token_works_once
            access::nothing_else_registers
            access::an_agent_is_replaced_only_on_purpose
            access::one_of_many_registers
            access::what_is_not_a_name_is_refused
            sharing::concurrent_writers_lose_nothing
            sharing::concurrent_claimers_never_overlap
            sharing::one_of_many_creates_a_run
        }
    };
    (@cases $fixture:expr; $($module:ident :: $case:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let fixture = ::std::sync::Arc::new($fixture);
            let world = $crate::conformance::World::new(fixture).await;
            $crate::conformance::$module::$case(&world).await;
        }
    )*};
}
