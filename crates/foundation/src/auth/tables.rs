//! The tables that authentication and authorization read: accounts, logins, groups, permissions and grants.

use crate::db::DerivedColumn;
use crate::db::tables::declare::{
    bigint, check, index, key, never_updated, primary_key, text, timestamp, unique_index,
};
use crate::db::tables::table::Action::Cascade;
use crate::tables;

tables! {
    /// Accounts.
    Users {
        Id: key(),
        Email: text().unique(),
        Name: text().null(),
        PasswordHash: text(),
        Role: text().default("'active'").words(&["admin", "staff", "active"]),
        Status: text().default("'active'").words(&["active", "disabled"]),
        EmailVerifiedAt: timestamp().null(),
        TokenVersion: bigint().default("1"),
        Version: bigint().default("1"),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        index("users_role_idx", [Role, Id]),
    ]

    /// Logins.
    Sessions without hooks "Logging in and out changes nobody's data." {
        Id: key(),
        UserId: bigint().references(Users::Id, Cascade),
        Address: text().null(),
        UserAgent: text().null(),
        CreatedAt: timestamp(),
        RefreshedAt: timestamp().null(),
        ExpiresAt: timestamp().default("'9999-12-31T00:00:00+00:00'"),
        RevokedAt: timestamp().null(),
    } with [
        never_updated("`refreshed_at` and `revoked_at`"),
        index("sessions_user_id_idx", [UserId]),
        index("sessions_expires_at_idx", [ExpiresAt]),
    ]

    /// Accounts by the issuer and subject of an identity provider.
    Identities without hooks "An account is what it was, however its owner shows who they are; the audit is told." {
        Issuer: text(),
        Subject: text(),
        UserId: bigint().references(Users::Id, Cascade),
        CreatedAt: timestamp(),
    } with [
        never_updated("linked and unlinked, never changed"),
        primary_key([Issuer, Subject]),
        index("identities_user_id_idx", [UserId]),
    ]

    /// Groups of users, which permissions are granted to.
    Groups versioned by Version {
        Id: key(),
        Name: text().unique(),
        Version: bigint().default("1"),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    }

    /// Users in groups.
    Memberships {
        GroupId: bigint().references(Groups::Id, Cascade),
        UserId: bigint().references(Users::Id, Cascade),
        CreatedAt: timestamp(),
    } with [
        never_updated("joined and left, never changed"),
        primary_key([GroupId, UserId]),
        index("memberships_user_id_idx", [UserId, GroupId]),
    ]

    /// The catalogue of permissions.
    Permissions versioned by Version {
        Id: key(),
        Name: text().unique(),
        Target: text().null(),
        Description: text(),
        Version: bigint().default("1"),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    }

    /// Permissions of users and groups, on all objects or on one.
    Grants {
        Id: key(),
        UserId: bigint().null().references(Users::Id, Cascade),
        GroupId: bigint().null().references(Groups::Id, Cascade),
        Permission: text().references(Permissions::Name, Cascade),
        ObjectId: bigint().null(),
        CreatedAt: timestamp(),
    } with [
        never_updated("given and taken, never changed"),
        check("grants_holder_check", "(user_id IS NULL) <> (group_id IS NULL)"),
        unique_index("grants_user_key", ["user_id", "permission", "coalesce(object_id, 0)"])
            .only_where("user_id IS NOT NULL"),
        unique_index("grants_group_key", ["group_id", "permission", "coalesce(object_id, 0)"])
            .only_where("group_id IS NOT NULL"),
        index("grants_permission_idx", [Permission, Id]),
        index("grants_object_id_idx", [ObjectId, Id]),
    ]
}

/// The hash of the password, which a login renews: the password stays the same.
pub const PASSWORD_HASH: DerivedColumn<Users> = DerivedColumn(Users::PasswordHash);
