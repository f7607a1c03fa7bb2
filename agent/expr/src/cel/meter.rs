//! What an evaluation may cost, counted while it runs.
//!
//! The interpreter has no limits of its own, so [`super::rewrite`] puts calls of the functions here into the
//! expression: one per turn of a loop, one around everything that is copied into a list or map, one in place of
//! `+`. The count is kept per thread, because the interpreter's functions are plain pointers; an evaluation
//! never leaves its thread.

use std::cell::Cell;
use std::time::{Duration, Instant};

use cel_interpreter::ExecutionError;
use cel_interpreter::common::types::{CelBytes, CelList, CelMap, CelString};
use cel_interpreter::common::value::{CowVal, Val};

use super::error::Limit;

/// Values that may be copied, counting 64 bytes of text as one.
const MAX_COPIES: usize = 1_000_000;

/// How much is counted between two looks at the clock: so little work that a busy machine, not the expression, is
/// to blame when it takes long.
const LOOK: usize = 1024;

thread_local! {
    static METER: Cell<Meter> = const { Cell::new(Meter::IDLE) };
}

#[derive(Clone, Copy)]
struct Meter {
    deadline: Option<Instant>,
    steps: usize,
    copies: usize,
    /// The count at which the clock is read next.
    next_look: usize,
    exceeded: Option<Limit>,
}

impl Meter {
    const IDLE: Self = Self { deadline: None, steps: 0, copies: 0, next_look: LOOK, exceeded: None };
}

/// Runs one evaluation and says which limit it exceeded, if any: operators may swallow the error by which it was
/// stopped.
pub(crate) fn metered<T>(evaluation: impl FnOnce() -> T) -> (T, Option<Limit>) {
    let deadline = Instant::now() + Duration::from_millis(Limit::Deadline.bound() as u64);
    METER.set(Meter { deadline: Some(deadline), ..Meter::IDLE });
    let result = evaluation();
    (result, METER.replace(Meter::IDLE).exceeded)
}

/// Counts `steps` of work and `copies` of values.
pub(crate) fn spend(steps: usize, copies: usize) -> Result<(), ExecutionError> {
    let mut meter = METER.get();
    meter.steps = meter.steps.saturating_add(steps);
    meter.copies = meter.copies.saturating_add(copies);
    let done = meter.steps.saturating_add(meter.copies);
    let look = done >= meter.next_look;
    let exceeded = if meter.steps > Limit::Work.bound() || meter.copies > MAX_COPIES {
        Some(Limit::Work)
    } else if look && meter.deadline.is_some_and(|deadline| Instant::now() > deadline) {
        Some(Limit::Deadline)
    } else {
        None
    };
    if look {
        meter.next_look = done.saturating_add(LOOK);
    }
    meter.exceeded = meter.exceeded.or(exceeded);
    METER.set(meter);
    if meter.exceeded.is_some() { Err(stopped()) } else { Ok(()) }
}

/// Ends the evaluation because of `limit`.
pub(crate) fn exceed(limit: Limit) -> ExecutionError {
    let meter = METER.get();
    METER.set(Meter { exceeded: meter.exceeded.or(Some(limit)), ..meter });
    stopped()
}

fn stopped() -> ExecutionError {
    ExecutionError::function_error("limit", "exceeded")
}

/// What a text of `bytes` costs.
pub(crate) fn text_cost(bytes: usize) -> usize {
    1 + bytes / 64
}

/// What copying a value costs; counting ends where the budget does.
pub(crate) fn weigh(value: &dyn Val) -> usize {
    fn add(value: &dyn Val, sum: &mut usize) {
        *sum += 1;
        if *sum > MAX_COPIES {
            return;
        }
        if let Some(text) = value.downcast_ref::<CelString<'_>>() {
            *sum += text.inner().len() / 64;
        } else if let Some(bytes) = value.downcast_ref::<CelBytes<'_>>() {
            *sum += bytes.inner().len() / 64;
        } else if let Some(list) = value.downcast_ref::<CelList<'_>>() {
            list.inner().iter().for_each(|item| add(item.as_ref(), sum));
        } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
            for (key, value) in map.inner() {
                add(key.inner(), sum);
                add(value.as_ref(), sum);
            }
        }
    }
    let mut sum = 0;
    add(value, &mut sum);
    sum
}

type Args<'b, 'v> = Vec<CowVal<'b, 'v>>;
type Outcome<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

fn only<'b, 'v>(args: Args<'b, 'v>) -> Outcome<'b, 'v> {
    args.into_iter().next().ok_or(ExecutionError::MissingArgumentOrTarget)
}

/// `@tick(condition)`: the condition, and one step.
pub(crate) fn tick<'b, 'v>(args: Args<'b, 'v>) -> Outcome<'b, 'v> {
    spend(1, 0)?;
    only(args)
}

/// `@copied(value)`: the value, which is about to be copied.
pub(crate) fn copied<'b, 'v>(args: Args<'b, 'v>) -> Outcome<'b, 'v> {
    let value = only(args)?;
    spend(1, weigh(value.as_ref()))?;
    Ok(value)
}

/// `@add(a, b)`: `a + b`, bounded.
pub(crate) fn add<'b, 'v>(args: &Args<'b, 'v>) -> Outcome<'b, 'v> {
    let [left, right] = args.as_slice() else { return Err(ExecutionError::MissingArgumentOrTarget) };
    let text = |value: &CowVal<'_, '_>| {
        let string = value.downcast_ref::<CelString<'_>>().map(|text| text.inner().len());
        string.or_else(|| value.downcast_ref::<CelBytes<'_>>().map(|bytes| bytes.inner().len()))
    };
    match (text(left), text(right)) {
        (Some(left), Some(right)) if left.saturating_add(right) > Limit::Text.bound() => {
            return Err(exceed(Limit::Text));
        }
        _ => spend(1, weigh(left.as_ref()).saturating_add(weigh(right.as_ref())))?,
    }
    let adder = left.as_adder().ok_or_else(|| unsuitable(left.as_ref(), right.as_ref()))?;
    let sum = adder.add(right.as_ref()).map_err(|error| match error {
        ExecutionError::Overflow(..) => error,
        _ => unsuitable(left.as_ref(), right.as_ref()),
    })?;
    Ok(CowVal::from(sum.into_owned()))
}

fn unsuitable(left: &dyn Val, right: &dyn Val) -> ExecutionError {
    let types = [left, right].map(|value| value.get_type().name().to_owned());
    ExecutionError::no_such_overload("_+_", types.into())
}
