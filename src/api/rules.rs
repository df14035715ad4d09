//! The rules of the schema: regular expressions, CEL, and the sentences a person reads when one is broken.
//!
//! Where a rule may stand: one that reads a single field stands on that field and one that reads more of `spec` on
//! `spec`, since the apiserver does not repeat those while their part of a stored object is unchanged. The root is
//! always checked, so a rule there must be a transition rule that holds for any unchanged spec; otherwise tightening
//! it would block labels, status writes and the removal of finalizers on objects stored before. It may meet
//! a stored object that lacks what is required now.
//!
//! What no rule can forgive: the apiserver (1.37) fails a rule on a stored value of another type, changed or not. So a
//! field that has a rule keeps its type for ever.

use kube::core::{Reason, Rule};
use schemars::{Schema, SchemaGenerator, json_schema};

/// Longest text of a time. Every string a rule reads is bounded, since CEL's cost is estimated from the bound.
pub const TIME_MAX_LENGTH: usize = 40;

/// What `time` must look like before the other time rules say anything.
pub const TIME_SHAPE: &str =
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?$";

/// Sentence for a text that is no date and time at all.
pub const NOT_A_TIME: &str = "must be a date and a time to the second with an offset from UTC, such as \
     2026-12-02T14:00:00+01:00 or 2026-12-02T13:00:00Z";
/// Sentence for a time without an offset.
pub const NO_OFFSET: &str = "has no offset from UTC: end it with Z for UTC, or with an offset such as +01:00";
/// Sentence for a time between two seconds.
pub const NOT_WHOLE_SECOND: &str =
    "must be on a whole second: leave the fraction out, the Live API counts in whole seconds";
/// Sentence for a year out of range.
pub const YEAR_OUT_OF_RANGE: &str = "must be in the years 2000 to 2099";
/// Sentence for a time of day that no clock shows.
pub const NO_SUCH_TIME_OF_DAY: &str = "has a time of day that does not exist: hours go from 00 to 23, minutes and seconds from 00 to 59 \
     (midnight is 00:00:00)";
/// Sentence for an offset out of range.
pub const NO_SUCH_OFFSET: &str = "has an offset that does not exist: offsets go from -23:59 to +23:59";
/// Sentence for a day that is in no calendar.
pub const NO_SUCH_DAY: &str = "has a date that is not in the calendar: check the month and the day";

const DAY_OF_ANY_YEAR: &str = "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)\
                               |02-(0[1-9]|1[0-9]|2[0-8]))";
/// In 2000 to 2099 every fourth year is a leap year, without exception.
const LEAP_YEAR_OF_CENTURY: &str = "([02468][048]|[13579][26])";
const TIME_OF_DAY: &str = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]";
const OFFSET: &str = "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";

/// One rule about a time: what the text must match besides [`TIME_SHAPE`], and the sentence if it does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeRule {
    /// Regular expression, RE2.
    pub pattern: String,
    /// What the person reads.
    pub sentence: &'static str,
}

/// The rules on a time, the shape first. Every rule after it speaks only of texts that have the shape.
pub fn time_rules() -> Vec<TimeRule> {
    let rule = |pattern: String, sentence| TimeRule { pattern, sentence };
    vec![
        rule(TIME_SHAPE.to_owned(), NOT_A_TIME),
        rule("(Z|[+-][0-9]{2}:[0-9]{2})$".to_owned(), NO_OFFSET),
        rule("^.{19}([.]0+)?(Z|[+-].{5})?$".to_owned(), NOT_WHOLE_SECOND),
        rule("^20".to_owned(), YEAR_OUT_OF_RANGE),
        rule(format!("^(.{{5}}{DAY_OF_ANY_YEAR}|..{LEAP_YEAR_OF_CENTURY}-02-29)T"), NO_SUCH_DAY),
        rule(format!("T{TIME_OF_DAY}"), NO_SUCH_TIME_OF_DAY),
        rule(format!("^.{{19}}([.][0-9]+)?{OFFSET}?$"), NO_SUCH_OFFSET),
    ]
}

/// What a time that keeps every rule matches; guards `timestamp()`, which fails the whole rule on anything else.
pub fn time_pattern() -> String {
    format!("^20([0-9]{{2}}-{DAY_OF_ANY_YEAR}|{LEAP_YEAR_OF_CENTURY}-02-29)T{TIME_OF_DAY}([.]0+)?{OFFSET}$")
}

/// Schema of a time as the user writes it. No `format: date-time`: it lets `+24:00` pass and speaks instead of us.
pub fn time_schema(_: &mut SchemaGenerator) -> Schema {
    let rules: Vec<Rule> = time_rules().iter().map(time_rule).collect();
    json_schema!({
        "type": "string",
        "maxLength": TIME_MAX_LENGTH,
        "x-kubernetes-validations": rules,
    })
}

fn time_rule(rule: &TimeRule) -> Rule {
    let matches = format!("self.matches('{}')", rule.pattern);
    let cel = if rule.pattern == TIME_SHAPE { matches } else { format!("!self.matches('{TIME_SHAPE}') || {matches}") };
    Rule::new(cel).message(rule.sentence)
}

/// The time is not there, as in an object stored before it was required. `has`, not `.?`: comparing optionals costs more
/// than the apiserver allows a rule.
fn absent(task: &str) -> String {
    format!("!has(self.spec.{task}) || !has(self.spec.{task}.time)")
}

/// The start was called, or is settled in another way.
fn settled(object: &str, task: &str) -> String {
    format!(
        "(!({object}.?status.?{task}.?state.orValue('') in ['', 'pending']) \
         || {object}.?status.?{task}.?calledAt.orValue('') != '')"
    )
}

/// Sentence for a window that ends before it begins.
pub const STOP_NOT_AFTER_START: &str = "must be later than activation.time";

/// `deactivation.time` after `activation.time`. Not once the start is called: "stop now" is any time up to now, and
/// with a lead that may be before `activation.time`. Not for times that did not change either: a stored object that
/// breaks the rule can still be labelled, suspended, cancelled and deleted.
pub fn stop_after_start() -> Rule {
    let settled = settled("o", "activation");
    window_rule(
        &format!(" || {settled}"),
        "timestamp(self.spec.deactivation.time) > timestamp(self.spec.activation.time)",
    )
    .message(STOP_NOT_AFTER_START)
}

/// Sentence for a window of more than a year.
pub const WINDOW_TOO_LONG: &str =
    "must be at most 366 days after activation.time: check the year, or use several JobStartStops";

/// The window is at most 366 days long. Holds on air too: it never stands in the way of a stop.
pub fn window_at_most_a_year() -> Rule {
    window_rule(
        "",
        "timestamp(self.spec.deactivation.time) - timestamp(self.spec.activation.time) <= duration('8784h')",
    )
    .message(WINDOW_TOO_LONG)
}

/// A rule on both times, at creation and whenever one of them changes, `unless` something about the stored `o` holds.
fn window_rule(unless: &str, check: &str) -> Rule {
    let valid = time_pattern();
    Rule::new(format!(
        "{} || {} || oldSelf.optMap(o, (self.spec.activation.time == o.spec.activation.time \
         && self.spec.deactivation.time == o.spec.deactivation.time){unless}).orValue(false) \
         || ![self.spec.activation.time, self.spec.deactivation.time].all(t, t.matches('{valid}')) \
         || {check}",
        absent("activation"),
        absent("deactivation"),
    ))
    .optional_old_self(true)
    .field_path(".spec.deactivation.time")
}

/// Sentence for moving a start that was made.
pub const START_LOCKED: &str = "cannot change any more: the start was made or is settled. To go off air at another time \
     change deactivation.time";

/// `activation.time` is locked once its task is settled or called. Respelling the same instant is no change.
pub fn start_locked() -> Rule {
    lock_rule("activation").message(START_LOCKED)
}

/// Sentence for moving a stop that was made.
pub const STOP_LOCKED: &str =
    "cannot change any more: the stop was made or is settled. For another window create another JobStartStop";

/// `deactivation.time` is locked once its task is settled or called. Respelling the same instant is no change.
pub fn stop_locked() -> Rule {
    lock_rule("deactivation").message(STOP_LOCKED)
}

fn lock_rule(task: &str) -> Rule {
    let valid = time_pattern();
    let settled = settled("oldSelf", task);
    let (new, old) = (format!("self.spec.{task}.time"), format!("oldSelf.spec.{task}.time"));
    Rule::new(format!(
        "{} || {new} == {old} || !{settled} || !{new}.matches('{valid}') \
         || ({old}.matches('{valid}') && timestamp({new}) == timestamp({old}))",
        absent(task),
    ))
    .field_path(format!(".spec.{task}.time"))
    .reason(Reason::FieldValueForbidden)
}

/// Longest job id.
pub const JOB_ID_MAX_LENGTH: usize = 64;
/// Sentence for a job id that is none.
pub const JOB_ID_SENTENCE: &str =
    "must be the job's id as the Live API shows it: 1 to 64 letters, digits, hyphens or underscores, and nothing else";
/// Sentence for another job in a stored window.
pub const JOB_ID_LOCKED: &str = "cannot change: create another JobStartStop for another job";

/// A job's id; it becomes part of a path, so nothing with a meaning there is let in.
pub fn job_id() -> Rule {
    Rule::new("self.matches('^[A-Za-z0-9_-]{1,64}$')").message(JOB_ID_SENTENCE)
}

/// The job of a window stays.
pub fn job_id_locked() -> Rule {
    unchanged(JOB_ID_LOCKED)
}

/// Sentence for another account in a stored window.
pub const ACCOUNT_LOCKED: &str = "cannot change: create another JobStartStop for another LiveAccount";

/// The account of a window stays.
pub fn account_locked() -> Rule {
    unchanged(ACCOUNT_LOCKED)
}

/// Sentence for another executor in a stored window.
pub const EXECUTOR_LOCKED: &str =
    "cannot be changed, added or removed: create another JobStartStop for another executor";

/// The executor of a window stays, also when it names none: two executors would both make its calls.
pub fn executor_locked() -> Rule {
    kept("executor", EXECUTOR_LOCKED)
}

/// Longest id of a workflow.
pub const WORKFLOW_ID_MAX_LENGTH: usize = 64;
/// Sentence for a workflow id that is none.
pub const WORKFLOW_ID_SENTENCE: &str = "must be the workflow's id as the Live API's scheduler shows it: 1 to 64 letters, digits, hyphens or underscores, \
     and nothing else";

/// A workflow's id; it becomes part of a path, so nothing with a meaning there is let in.
pub fn adopted_workflow_id() -> Rule {
    Rule::new("self.matches('^[A-Za-z0-9_-]{1,64}$')").message(WORKFLOW_ID_SENTENCE)
}

/// Sentence for another workflow to take over in a stored window.
pub const ADOPTION_LOCKED: &str = "cannot be changed, added or removed: a workflow is taken over when its JobStartStop is created. Create another \
     JobStartStop for another workflow";

/// The workflow that a window takes over stays, also when there is none.
pub fn adoption_locked() -> Rule {
    kept("adoptWorkflowID", ADOPTION_LOCKED)
}

/// Sentence for a workflow to take over where nothing is registered.
pub const ADOPTION_UNDER_OPERATOR: &str =
    "is only for the executor LiveScheduler: with Operator nothing stands at the Live API's scheduler; leave it out";

/// A workflow is taken over only by a window that is registered. Without an executor the account's default may say so.
pub fn adoption_needs_the_live_scheduler() -> Rule {
    Rule::new("!has(self.adoptWorkflowID) || !has(self.executor) || self.executor != 'Operator'")
        .message(ADOPTION_UNDER_OPERATOR)
        .field_path(".adoptWorkflowID")
}

/// What a field of `spec` says stays, also that it is not there. On `spec`: a rule on the field itself is not asked when
/// the field comes or goes.
fn kept(field: &str, sentence: &'static str) -> Rule {
    Rule::new(format!(
        "has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
    ))
    .message(sentence)
    .field_path(format!(".{field}"))
    .reason(Reason::FieldValueForbidden)
}

fn unchanged(sentence: &'static str) -> Rule {
    Rule::new("self == oldSelf").message(sentence).reason(Reason::FieldValueForbidden)
}

/// Longest name of an object.
pub const NAME_MAX_LENGTH: usize = 253;
/// Sentence for a name that no object can have.
pub const NAME_SENTENCE: &str =
    "must be the name of an object: lower case letters, digits, hyphens and dots, with a letter or digit at both ends";

/// The name of an object.
pub fn object_name() -> Rule {
    Rule::new("self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')").message(NAME_SENTENCE)
}

/// Sentence for a key that no Secret can have.
pub const SECRET_KEY_SENTENCE: &str =
    "must be a key of a Secret's data: letters, digits, hyphens, underscores and dots";

/// The name of an entry of a Secret.
pub fn secret_key() -> Rule {
    Rule::new("self.matches('^[A-Za-z0-9._-]+$')").message(SECRET_KEY_SENTENCE)
}

/// Longest endpoint.
pub const ENDPOINT_MAX_LENGTH: usize = 255;
/// Sentence for an endpoint that is no origin.
pub const ENDPOINT_SENTENCE: &str = "must be a scheme and a host, with a port if it needs one, such as https://api.bcovlive.io: lower case, no \
     path, no slash at the end";
/// Sentence for another endpoint in a stored account.
pub const ENDPOINT_LOCKED: &str =
    "cannot be changed, added or removed: create another LiveAccount for another endpoint";

/// A URL's origin. Lower case only, so that one origin has one spelling.
pub fn endpoint() -> Rule {
    Rule::new(r"self.matches('^https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|[[][0-9a-f:.]+[]])(:[1-9][0-9]{0,4})?$')")
        .message(ENDPOINT_SENTENCE)
}

/// The endpoint of an account stays, also when there is none.
pub fn endpoint_locked() -> Rule {
    kept("endpoint", ENDPOINT_LOCKED)
}

/// Longest account id.
pub const ACCOUNT_ID_MAX_LENGTH: usize = 64;
/// Sentence for an account id that is none.
pub const ACCOUNT_ID_SENTENCE: &str =
    "must be a Video Cloud account id, such as \"1752604059001\": 1 to 64 letters, digits, hyphens or underscores";

/// A Video Cloud account id.
pub fn account_id() -> Rule {
    Rule::new("self.matches('^[A-Za-z0-9_-]{1,64}$')").message(ACCOUNT_ID_SENTENCE)
}

/// Sentence for a heads-up that nobody would receive.
pub const RECEIVER_NEEDED: &str =
    "is needed where notificationSeconds is set: give the URL that notifications are sent to, or set them to 0";

/// A heads-up needs a receiver.
pub fn heads_up_needs_a_receiver() -> Rule {
    let silent = |task: &str| {
        format!("!has(self.{task}) || !has(self.{task}.notificationSeconds) || self.{task}.notificationSeconds == 0")
    };
    Rule::new(format!("has(self.notificationURL) || (({}) && ({}))", silent("activation"), silent("deactivation")))
        .message(RECEIVER_NEEDED)
        .field_path(".notificationURL")
}

/// Longest URL of a receiver.
pub const RECEIVER_URL_MAX_LENGTH: usize = 2048;
/// Sentence for a URL that nothing can be sent to.
pub const RECEIVER_URL_SENTENCE: &str = "must be a URL such as https://example.com/live/callbacks: http or https, a host, no user name or password \
     before it, no # and no spaces";

/// A receiver's URL. User info is left out of it: it would be sent as a password, and shown as part of the host.
pub fn receiver_url() -> Rule {
    Rule::new(
        r"self.matches('^https?://([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[[][0-9A-Fa-f:.]+[]])(:[1-9][0-9]{0,4})?([/?][!-\x22$-~]*)?$')",
    )
    .message(RECEIVER_URL_SENTENCE)
}

/// Sentence for a host that is none.
pub const HOST_SENTENCE: &str =
    "must be the host of a notificationURL, such as example.com: lower case, without scheme, port and path";

/// The host of a URL, in the one spelling that it is compared in.
pub fn host() -> Rule {
    Rule::new("self.matches('^([a-z0-9]([a-z0-9._-]*[a-z0-9])?|[[][0-9a-f:.]+[]])$')").message(HOST_SENTENCE)
}

/// Sentence for an account that the HTTP interface cannot show.
pub const ACCOUNT_ID_NEEDED: &str =
    "is needed where gateway.enabled is true: it is what the HTTP interface answers as account_id";

/// The HTTP interface answers an account id.
pub fn gateway_needs_an_account_id() -> Rule {
    Rule::new("has(self.accountID) || !has(self.gateway) || !has(self.gateway.enabled) || !self.gateway.enabled")
        .message(ACCOUNT_ID_NEEDED)
        .field_path(".accountID")
}
