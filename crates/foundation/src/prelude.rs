//! The names that most files of a resource need: `use accord_foundation::prelude::*;`.

pub use chrono::{DateTime, TimeDelta, Utc};
pub use poem::web::Data;
pub use poem_openapi::param::{Path, Query};
pub use poem_openapi::{Object, OpenApi, Tags};
pub use sea_query::{Condition, Expr, ExprTrait};
pub use serde::{Deserialize, Serialize};
pub use sqlx::FromRow;

pub use crate::app::App;
pub use crate::application::Resource;
pub use crate::auth::{Caller, Needs};
pub use crate::config::Setting;
pub use crate::crud::{self, Record};
pub use crate::db::{Conn, Constraint, DbResult};
pub use crate::error::{Code, Error, FieldError};
pub use crate::fixtures::models::record::{Named, RecordModel, Reference};
pub use crate::http::answer::{Changed, Created, Found, Listed, NoContent};
pub use crate::http::etag::IfMatch;
pub use crate::http::fail::{ChangeFail, Conflict, CreateFail, Fail, Forbidden, NotFound, Unprocessable};
pub use crate::http::page::page;
pub use crate::http::parameters::{IfNoneMatch, Paging, WithTotal};
pub use crate::http::payload::JsonIn;
pub use crate::resources::idempotency::{Idempotent, Keyed};
pub use crate::server::document::Api;
pub use crate::server::normalise::Thing;
pub use crate::tasks::{Fault, Kind, Task};
pub use crate::{codes, emails, examples, id_type, permissions, tables};
