//! `/api/v1/audit-events`

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;

use super::model::{Action, AuditEventPage, ObjectType};
use super::store::{self, Filter};
use crate::app::App;
use crate::auth::Admin;
use crate::http::answer::Listed;
use crate::http::fail::{Fail, Forbidden};
use crate::http::parameters::{Paging, WithTotal};
use crate::http::payload::JsonOut;
use crate::resources::Tag;

/// The operations.
#[derive(Default)]
pub struct AuditApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Audit")]
impl AuditApi {
    /// List audit events
    ///
    /// Every change of users, groups, permissions and grants{notes}, logins, failed
    /// logins, logouts and ended sessions, the newest first. Events hold the IP address of the client, but no e-mail
    /// address, name of a person, password or token. Nobody can change or delete them; they are deleted after a year, or
    /// as the operator has set it. Of the failed logins of one hour, account, client network and reason the first ten are an
    /// event each, the others are counted in one more.
    #[oai(path = "/audit-events", method = "get", operation_id = "list_audit_events")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// events
        paging: Paging,
        /// Only what this user did
        #[oai(validator(minimum(value = "1")))]
        actor_id: Query<Option<i64>>,
        /// Only events of this kind
        action: Query<Option<Action>>,
        /// Only what was done to objects of this kind
        object_type: Query<Option<ObjectType>>,
        /// Only what was done to objects with this identifier
        #[oai(validator(minimum(value = "1")))]
        object_id: Query<Option<i64>>,
        /// Only what was done from this IP address
        #[oai(validator(min_length = 2, max_length = 45, pattern = "^[0-9a-f.:]*$"))]
        address: Query<Option<String>>,
        /// Only events of this time or later
        since: Query<Option<DateTime<Utc>>>,
        /// Only events before this time
        until: Query<Option<DateTime<Utc>>>,
        with_total: WithTotal,
    ) -> Result<Listed<AuditEventPage>, Fail<(Forbidden,)>> {
        let filter = Filter {
            actor_id: actor_id.0,
            action: action.0,
            object_type: object_type.0,
            object_id: object_id.0,
            address: address.0,
            since: since.0,
            until: until.0,
        };
        let page = paging.newest("audit")?;
        let mut conn = admin.read(&app.db).await?;
        let mut items = store::list(&mut conn, &filter, page.before, page.rows()).await?;
        let next = page.cut(&mut items, |event| event.id);
        let total = if with_total.0 { Some(store::count(&mut conn, &filter).await?) } else { None };
        Ok(Listed::Page(JsonOut(AuditEventPage { items, next, total })))
    }
}
