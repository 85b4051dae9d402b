//! One folder a resource, the same rooms in each: `api.rs` (HTTP), `model.rs` (wire types), `rules.rs` (pure), `store.rs` (SQL).

pub mod audit;
pub mod grants;
pub mod groups;
pub mod guests;
pub mod hooks;
pub mod idempotency;
pub mod info;
pub mod permissions;
pub mod recovery;
pub mod sessions;
pub mod users;
pub mod webhooks;

use poem_openapi::Tags;

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
    /// Who changed what may be done, who logged in and out or failed to, and from where.
    Audit,
    /// What happens here, told to other programs by signed requests, in order and at least once.
    Webhooks,
    /// What is running here.
    Info,
}

#[cfg(test)]
mod tests {
    use poem_openapi::registry::Registry;
    use poem_openapi::types::Type;

    use super::recovery::Purpose;
    use super::webhooks::model::{DeliveryStatus, DisabledReason};
    use crate::auth::role::{Role, Status};
    use crate::auth::tables::Users;
    use crate::db::tables::words;
    use crate::resources::guests::tables::InvitedGuests;
    use crate::resources::recovery::tables::OneTimeCodes;
    use crate::resources::webhooks::tables::{Deliveries, Webhooks};
    use crate::tasks::store::STATES;
    use crate::tasks::tables::Tasks;

    /// Every word of an enum, as the document has them.
    fn of<T: Type>() -> Vec<String> {
        let mut registry = Registry::new();
        T::register(&mut registry);
        let schema = registry.schemas.remove(&*T::name()).expect("an enum has a schema");
        schema.enum_items.iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
    }

    #[test]
    fn the_schema_knows_the_words_of_the_code_and_no_others() {
        assert_eq!(words(Users::Role), of::<Role>());
        assert_eq!(words(InvitedGuests::Role), of::<Role>());
        assert_eq!(words(Users::Status), of::<Status>());
        assert_eq!(words(Webhooks::DisabledReason), of::<DisabledReason>());
        assert_eq!(words(Deliveries::Status), of::<DeliveryStatus>());
        assert_eq!(words(Tasks::State), STATES);
        assert_eq!(words(OneTimeCodes::Purpose), [Purpose::Reset, Purpose::Verify].map(Purpose::as_str));
    }
}
