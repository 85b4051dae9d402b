//! `/api/v1/webhooks`

use chrono::TimeDelta;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use sea_query::Condition;

use super::events::{OutgoingEvent, TestEventType, TestedWebhook};
use super::model::{
    Delivery, DeliveryPage, DeliveryStatus, StoredWebhook, Webhook, WebhookCreate, WebhookPage, WebhookUpdate,
};
use super::{DISABLED, TOO_MANY_WEBHOOKS};
use super::{LIMIT, PRIVATE, SECRET_OVERLAP};
use super::{dispatch, rules, store};
use crate::app::App;
use crate::auth::Admin;
use crate::crud::{self, Represented};
use crate::db::versioned;
use crate::error::{Code, Error, FieldError};
use crate::http::answer::{Accepted, ChangedSecret, CreatedSecret, Found, Listed, NO_STORE, NoContent};
use crate::http::etag::IfMatch;
use crate::http::fail::{Conflict, Fail, Forbidden, NotFound, PreconditionFailed, PreconditionRequired, Unprocessable};
use crate::http::parameters::{IfNoneMatch, Paging, WithTotal};
use crate::http::payload::{JsonIn, JsonOut};
use crate::resources::Tag;
use crate::resources::idempotency::{Idempotent, Keyed};

/// The operations.
#[derive(Default)]
pub struct WebhooksApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Webhooks")]
impl WebhooksApi {
    /// List webhooks
    ///
    /// All webhooks, page by page, the newest first.
    #[oai(path = "/webhooks", method = "get", operation_id = "list_webhooks")]
    async fn list(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// webhooks
        paging: Paging,
        with_total: WithTotal,
    ) -> Result<Listed<WebhookPage>, Fail<(Forbidden,)>> {
        let newest = paging.newest("webhooks")?;
        Ok(crud::list::<StoredWebhook, _>(&mut admin, &app, newest, &with_total, Condition::all()).await?)
    }

    /// Create a webhook
    ///
    /// From now on events are sent to its URL, signed by the scheme of the Standard Webhooks
    /// (<https://www.standardwebhooks.com>) with the secret that only this answer shows. An answer of 2xx within 10
    /// seconds takes an event. Otherwise it is sent again, later and later, for a day; then the delivery has failed, and
    /// if none to this webhook has succeeded in that time, the webhook is disabled, and its maker gets a mail. An answer
    /// of 410 disables it at once. Events of one object arrive in their order, each at least once: `webhook-id` says
    /// which was there before. More webhooks than the server takes (20) are refused with 409 `too_many_webhooks`; an address that is not
    /// public with 400, also if it is only a name that leads there, but then the delivery fails.
    #[oai(path = "/webhooks", method = "post", operation_id = "create_webhook")]
    async fn create(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        key: Idempotent,
        body: JsonIn<WebhookCreate>,
    ) -> Result<Keyed<CreatedSecret<Webhook>>, Fail<(Forbidden, Conflict, Unprocessable)>> {
        fit(&app, &body.0.url)?;
        let mut change = admin.change(&app).await?;
        let most = app.config.number(&LIMIT);
        if store::count_to_add(&mut change.tx).await? >= most.cast_signed() {
            return Err(Error::new(TOO_MANY_WEBHOOKS, format!("There are {most} already; delete one.")).into());
        }
        let secret = rules::new_secret();
        let values = body.0.by(change.by.user_id, app.seals.seal(&secret));
        let row = change.insert::<StoredWebhook>(values).await?;
        let location = format!("/api/v1/webhooks/{}", row.id);
        let (webhook, tag) = row.tagged_with_secret(secret.into());
        Ok(key.commit(change, CreatedSecret::Created(JsonOut(webhook), location, tag, NO_STORE.into())).await?)
    }

    /// Read a webhook
    ///
    /// With `If-None-Match` and the current ETag the answer is 304 without content. The secret is not shown again.
    #[oai(path = "/webhooks/:id", method = "get", operation_id = "get_webhook")]
    async fn get(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The webhook's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        if_none_match: IfNoneMatch,
    ) -> Result<Found<Webhook>, Fail<(Forbidden, NotFound)>> {
        Ok(crud::read::<StoredWebhook>(&mut admin, &app, id.0, &if_none_match).await?)
    }

    /// Change a webhook
    ///
    /// With `rotate_secret` it gets a new secret, which only this answer shows; for a day events carry two signatures,
    /// the new one first, so that the receiver can change over in between. `If-Match` must name the version you have
    /// read: without it 428, with another version 412.
    #[oai(path = "/webhooks/:id", method = "patch", operation_id = "update_webhook")]
    async fn update(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The webhook's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        if_match: IfMatch,
        body: JsonIn<WebhookUpdate>,
    ) -> Result<ChangedSecret<Webhook>, Fail<(Forbidden, NotFound, Conflict, PreconditionFailed, PreconditionRequired)>>
    {
        let update = body.0;
        if let Some(url) = &update.url {
            fit(&app, url)?;
        }
        let mut change = admin.change(&app).await?;
        let before = change.find::<StoredWebhook>(id.0, &if_match).await?;
        let secret = (update.rotate_secret == Some(true)).then(rules::new_secret);
        let stops = update.enabled == Some(false);
        // the receiver may respond again
        let resumes = update.enabled == Some(true) || update.url.is_some();
        let overlap = i64::try_from(app.config.number(&SECRET_OVERLAP)).unwrap_or_default();
        let sealed = secret.as_deref().map(|secret| app.seals.seal(secret));
        let values = update.of(before.values(), sealed, change.now + TimeDelta::seconds(overlap));
        let after = change.update(&before, values).await?;
        if stops {
            super::stop(&mut change.tx, id.0).await?;
        }
        if resumes {
            store::set_pause(&mut change.tx, id.0, None, change.now).await?;
            dispatch::wake(&mut change.tx);
        }
        change.tx.commit().await?;
        let (webhook, tag) = match secret {
            Some(secret) => after.tagged_with_secret(secret.into()),
            None => after.tagged(),
        };
        Ok(ChangedSecret::Changed(JsonOut(webhook), tag, NO_STORE.into()))
    }

    /// Delete a webhook
    ///
    /// Deletes the webhook with its deliveries: what waits is not sent. `If-Match` works as in changing a webhook.
    #[oai(path = "/webhooks/:id", method = "delete", operation_id = "delete_webhook")]
    async fn delete(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The webhook's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        if_match: IfMatch,
    ) -> Result<NoContent, Fail<(Forbidden, NotFound, Conflict, PreconditionFailed, PreconditionRequired)>> {
        let mut change = admin.change(&app).await?;
        let before = change.find::<StoredWebhook>(id.0, &if_match).await?;
        super::stop(&mut change.tx, id.0).await?;
        Ok(change.deleted(&before).await?)
    }

    /// List the deliveries of a webhook
    ///
    /// What was sent and what waits, page by page, the newest first. They are kept for 30 days.
    #[oai(path = "/webhooks/:id/deliveries", method = "get", operation_id = "list_webhook_deliveries")]
    async fn list_deliveries(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The webhook's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        /// deliveries
        paging: Paging,
        /// Only those of this status
        status: Query<Option<DeliveryStatus>>,
        with_total: WithTotal,
    ) -> Result<Listed<DeliveryPage>, Fail<(Forbidden, NotFound)>> {
        let page = paging.newest("deliveries")?;
        let mut conn = admin.read(&app.db).await?;
        versioned::find::<StoredWebhook>(&mut conn, id.0).await?.ok_or_else(|| absent(id.0))?;
        let mut items = store::deliveries(&mut conn, id.0, status.0, page.before, page.rows()).await?;
        let next = page.cut(&mut items, |delivery| delivery.id);
        let total = if with_total.0 { Some(store::count_deliveries(&mut conn, id.0, status.0).await?) } else { None };
        Ok(Listed::Page(JsonOut(DeliveryPage { items, next, total })))
    }

    /// Send a delivery again
    ///
    /// The same event with the same `webhook-id`, tried for a day again. One that is still tried stays as it is. A
    /// disabled webhook is sent nothing: 409 `webhook_disabled`.
    #[oai(
        path = "/webhooks/:id/deliveries/:delivery_id/redeliver",
        method = "post",
        operation_id = "redeliver_webhook_delivery"
    )]
    async fn redeliver(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The webhook's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        /// The delivery's identifier
        #[oai(validator(minimum(value = "1")))]
        delivery_id: Path<i64>,
    ) -> Result<Accepted<Delivery>, Fail<(Forbidden, NotFound, Conflict)>> {
        let mut tx = admin.begin(&app.db).await?;
        enabled(versioned::find_to_change(&mut tx, id.0).await?.ok_or_else(|| absent(id.0))?)?;
        let none = || Error::not_found("Delivery", delivery_id.0);
        if store::restart(&mut tx, id.0, delivery_id.0, app.now()).await? {
            dispatch::wake(&mut tx);
        }
        let delivery = store::find_delivery(&mut tx, id.0, delivery_id.0).await?.ok_or_else(none)?;
        tx.commit().await?;
        Ok(Accepted::Accepted(JsonOut(delivery)))
    }

    /// Test a webhook
    ///
    /// Sends it an event `webhook.test`, whatever its `events` are. A disabled webhook is sent nothing: 409
    /// `webhook_disabled`.
    #[oai(path = "/webhooks/:id/test", method = "post", operation_id = "test_webhook")]
    async fn test(
        &self,
        mut admin: Admin,
        app: Data<&App>,
        /// The webhook's identifier
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<Accepted<Delivery>, Fail<(Forbidden, NotFound, Conflict)>> {
        let mut tx = admin.begin(&app.db).await?;
        enabled(versioned::find_to_change(&mut tx, id.0).await?.ok_or_else(|| absent(id.0))?)?;
        let tested = TestedWebhook { webhook_id: id.0 };
        let event = OutgoingEvent::new(TestEventType::Test.into(), &tested, app.now());
        let delivery = store::insert_delivery(&mut tx, id.0, &event, app.now()).await?;
        dispatch::wake(&mut tx);
        tx.commit().await?;
        Ok(Accepted::Accepted(JsonOut(delivery)))
    }
}

/// Events may be sent there, as far as the text of the URL says.
fn fit(app: &App, url: &str) -> Result<(), Error> {
    let refused = |reason| Error::fields(Code::INVALID, vec![FieldError::body("/url", reason)]);
    rules::target(url, app.config.flag(&PRIVATE)).map(drop).map_err(refused)
}

fn enabled(webhook: StoredWebhook) -> Result<(), Error> {
    if webhook.enabled {
        return Ok(());
    }
    Err(Error::new(DISABLED, "It is sent nothing until it is enabled again."))
}

fn absent(id: i64) -> Error {
    Error::not_found("Webhook", id)
}
