//! The tables of jobs, and of the limits on e-mails.

use crate::db::tables::declare::{bigint, index, key, primary_key, text, timestamp};
use crate::tables;

tables! {
    /// Jobs.
    Tasks without hooks "They are what signals ask for." {
        Id: key(),
        Name: text(),
        Payload: text(),
        Key: text().null().unique(),
        // written by releases before 0.4, whose workers may still run
        Lane: text().null(),
        Pool: text().default("'general'"),
        State: text().words(&["queued", "running", "failed"]),
        RunAt: timestamp(),
        Attempts: bigint().default("0"),
        Worker: text().null(),
        LeaseUntil: timestamp().null(),
        Error: text().null(),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        index("tasks_due_idx", [Pool, State, RunAt, Id]),
        index("tasks_lane_idx", [Lane, Id]).only_where("lane IS NOT NULL"),
    ]

    /// The number of e-mails of each kind to an address in a day.
    MailLimits without hooks "They count e-mails; nobody waits for a change of them." {
        AddressHash: text(),
        Kind: text(),
        Number: bigint(),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        primary_key([AddressHash, Kind]),
        index("mail_limits_updated_at_idx", [UpdatedAt]),
    ]
}
