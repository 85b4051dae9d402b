//! One folder a resource, the same rooms in each: `api.rs` (HTTP), `model.rs` (wire types), `rules.rs` (pure), `store.rs` (SQL).

pub mod audit;
pub mod grants;
pub mod groups;
pub mod guests;
pub mod hooks;
pub mod idempotency;
pub mod info;
pub mod permissions;
pub mod posts;
pub mod recovery;
pub mod sessions;
pub mod statistics;
pub mod users;
pub mod votes;
pub mod webhooks;

use std::time::Duration;

use poem_openapi::Tags;
use tokio::sync::watch;

use crate::app::App;
use crate::tasks::Kind;
use crate::tasks::local::Local;
use crate::tasks::mail::SendMail;
use crate::tasks::mail_limit::PurgeMailLimits;
use crate::tasks::worker;

/// The chapters of the document, in its order.
#[derive(Tags)]
pub enum Tag {
    /// Your own account: register, read, change, delete.
    Account,
    /// Logging in and out. Access tokens live 15 minutes; refresh tokens live 30 days, work once, and give the next pair.
    Session,
    /// A new password, and a verified address, by codes from letters.
    Recovery,
    /// Accounts, for admins: roles and statuses; and what everyone may know of a user.
    Users,
    /// Addresses that were asked in, each with a role, by who may `can_invite`.
    #[oai(rename = "Invited guests")]
    InvitedGuests,
    /// Users in groups hold what is granted to the group.
    Groups,
    /// The catalogue of what may be granted, and what you hold of it.
    Permissions,
    /// Permissions given to users and groups, on all objects or on one; they count from the next request on.
    Grants,
    /// What users write and others read. Lists page by cursor; changes need `If-Match`.
    Posts,
    /// At most one vote of a user for a post.
    Votes,
    /// Who changed what may be done, who logged in and out or failed to, and from where.
    Audit,
    /// What happens here, told to other programs by signed requests, in order and at least once.
    Webhooks,
    /// What is running here.
    Info,
}

macro_rules! apis {
    ($($api:path),* $(,)?) => {
        /// The one list of resources: what is in it is served and documented.
        pub type Apis = ($($api),*);

        /// The list, as values.
        pub fn apis() -> Apis {
            ($($api),*)
        }
    };
}

apis!(
    users::api::AccountApi,
    sessions::api::SessionApi,
    recovery::api::RecoveryApi,
    users::admin::UsersApi,
    guests::api::GuestsApi,
    groups::api::GroupsApi,
    permissions::api::PermissionsApi,
    grants::api::GrantsApi,
    posts::api::PostsApi,
    statistics::api::StatisticsApi,
    votes::api::VotesApi,
    audit::api::AuditApi,
    webhooks::api::WebhooksApi,
    info::api::InfoApi,
);

/// The one list of tasks: what is in it can be asked for, and runs.
pub const TASKS: &[Kind] = &[
    Kind::of::<SendMail>(),
    Kind::of::<recovery::tasks::SendCode>(),
    Kind::of::<webhooks::tasks::PublishEvent>(),
    Kind::of::<webhooks::tasks::DeliverWebhook>(),
    Kind::every::<sessions::tasks::PurgeSessions>(|config| Duration::from_secs(config.purge_interval)),
    Kind::every::<recovery::tasks::PurgeCodes>(|config| Duration::from_secs(config.purge_interval)),
    Kind::every::<PurgeMailLimits>(|config| Duration::from_secs(config.purge_interval)),
    Kind::every::<idempotency::tasks::PurgeIdempotencyKeys>(|config| Duration::from_secs(config.purge_interval)),
    Kind::every::<guests::tasks::PurgeInvitations>(|config| Duration::from_secs(config.purge_interval)),
    Kind::every::<audit::tasks::PurgeAuditEvents>(|config| match config.audit_ttl {
        0 => Duration::ZERO,
        _ => Duration::from_secs(config.purge_interval),
    }),
    Kind::every::<webhooks::tasks::PurgeDeliveries>(|config| Duration::from_secs(config.purge_interval)),
    Kind::every::<webhooks::tasks::SealSecrets>(|config| Duration::from_secs(config.purge_interval)),
];

/// Runs the jobs and sends the events of webhooks until `stop` turns true.
pub async fn work(app: App, stop: watch::Receiver<bool>) {
    futures_util::join!(worker::work(app.clone(), TASKS, stop.clone()), webhooks::dispatch::run(app, stop));
}

/// What each server runs itself, with what only its memory holds.
pub const LOCAL_TASKS: &[Local] = &[statistics::tasks::FLUSH_STATISTICS];

/// An answer without content.
#[derive(poem_openapi::ApiResponse)]
pub enum NoContent {
    /// Done; there is nothing to say
    #[oai(status = 204)]
    Done,
}

#[cfg(test)]
mod tests {
    use poem_openapi::registry::Registry;
    use poem_openapi::types::Type;

    use super::TASKS;
    use super::recovery::Purpose;
    use super::webhooks::model::{DeliveryStatus, DisabledReason};
    use crate::auth::caller::{Role, Status};
    use crate::db::tables::{Deliveries, InvitedGuests, OneTimeCodes, Tasks, Users, Webhooks, words};
    use crate::tasks::Pool;
    use crate::tasks::store::STATES;

    /// Every word of an enum, as the document has them.
    fn of<T: Type>() -> Vec<String> {
        let mut registry = Registry::new();
        T::register(&mut registry);
        let schema = registry.schemas.remove(&*T::name()).expect("an enum has a schema");
        schema.enum_items.iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
    }

    #[test]
    fn jobs_that_send_e_mails_have_workers_of_their_own() {
        let of_mail: Vec<_> = TASKS.iter().filter(|kind| kind.pool == Pool::Mail).map(|kind| kind.name).collect();
        assert_eq!(of_mail, ["send-mail", "send-code"]);
    }

    #[test]
    fn the_schema_knows_the_words_of_the_code_and_no_others() {
        assert_eq!(words(Users::Role), of::<Role>());
        assert_eq!(words(InvitedGuests::Role), of::<Role>());
        assert_eq!(words(Users::Status), of::<Status>());
        assert_eq!(words(Webhooks::DisabledReason), of::<DisabledReason>());
        assert_eq!(words(Deliveries::Status), of::<DeliveryStatus>());
        assert_eq!(words(Tasks::State), STATES);
        assert_eq!(words(OneTimeCodes::Purpose), [Purpose::Reset, Purpose::Verify].map(Purpose::word));
    }
}
